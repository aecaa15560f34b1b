"""Prices."""

from decimal import Decimal
from typing import Any

from stripe_simulator.money import checked_currency
from stripe_simulator.resources import products
from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import invalid, invalid_integer, missing_param
from stripe_simulator.wire.expansion import includable
from stripe_simulator.wire.merging import merged_metadata, new_metadata
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call, World

_URL = "/v1/prices"


def build(params: Json, product_id: str, now: int) -> Json:
    whole, exact = _amounts(params)
    recurring = params.get("recurring")
    return {
        "id": new_id("price"),
        "object": "price",
        "active": params.get("active", True),
        "billing_scheme": params.get("billing_scheme") or "per_unit",
        "created": now,
        "currency": checked_currency(params["currency"]),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": params.get("lookup_key"),
        "metadata": new_metadata(params),
        "nickname": params.get("nickname"),
        "product": product_id,
        "recurring": _recurring(recurring) if recurring else None,
        "tax_behavior": params.get("tax_behavior") or "unspecified",
        "tiers_mode": params.get("tiers_mode"),
        "transform_quantity": params.get("transform_quantity"),
        "type": "recurring" if recurring else "one_time",
        "unit_amount": whole,
        "unit_amount_decimal": exact,
    }


def _amounts(params: Json) -> tuple[int | None, str | None]:
    """Whole minor units where the amount is whole, and the exact decimal."""
    if params.get("unit_amount") is not None:
        if params["unit_amount"] < 0:
            raise invalid_integer("unit_amount", "Invalid non-negative integer")
        return params["unit_amount"], str(params["unit_amount"])
    if params.get("unit_amount_decimal") is not None:
        exact = Decimal(params["unit_amount_decimal"]).normalize()
        return (int(exact) if exact == exact.to_integral_value() else None), f"{exact:f}"
    if params.get("billing_scheme") == "tiered":
        return None, None
    raise missing_param("unit_amount")


def _recurring(given: Json) -> Json:
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count") or 1,
        "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": given.get("usage_type") or "licensed",
    }


def make(world: World, params: Json) -> Json:
    """Create a price; its product is named by `product` or given by value in `product_data`."""
    if params.get("product_data"):
        product_id = products.made_inline(world, params["product_data"])["id"]
    elif params.get("product"):
        product_id = world.referenced("product", params["product"], "product")["id"]
    else:
        raise missing_param("product")
    price = build(params, product_id, world.now())
    _claim_lookup_key(world, price, transfer=bool(params.get("transfer_lookup_key")))
    world.put(price, hidden={"tiers": params.get("tiers")})
    world.emit("price.created", price)
    return price


def _claim_lookup_key(world: World, price: Json, *, transfer: bool) -> None:
    """At most one active price has a lookup key."""
    key = price["lookup_key"]
    for holder in world.store.find("price", lookup_key=key) if key else []:
        if holder["id"] == price["id"]:
            continue
        if not transfer:
            raise invalid(
                f"A price (`{holder['id']}`) already uses that lookup key. Set `transfer_lookup_key` to "
                "transfer it.",
                param="lookup_key",
            )
        world.put(holder | {"lookup_key": None})


@route("POST", _URL, "PriceCreateParams")
def create(call: Call) -> Json:
    return make(call.world, call.params)


@route("GET", _URL, "PriceListParams")
def index(call: Call) -> Json:
    recurring = call.get("recurring") or {}
    return page(
        call,
        "price",
        _URL,
        active=call.get("active"),
        currency=call.get("currency"),
        product=call.get("product"),
        type=call.get("type"),
        lookup_key=call.get("lookup_keys"),
        recurring__interval=recurring.get("interval"),
        recurring__usage_type=recurring.get("usage_type"),
        recurring__meter=recurring.get("meter"),
    )


@route("GET", _URL + "/{price}", "PriceRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("price", call.path["price"], param="price")


@route("POST", _URL + "/{price}", "PriceUpdateParams")
def update(call: Call) -> Json:
    """What a price costs never changes; its name, state, key and metadata may."""
    before = retrieve(call)
    after = before | {
        name: call[name]
        for name in ("active", "lookup_key", "nickname", "tax_behavior")
        if name in call.params
    }
    after["metadata"] = merged_metadata(before, call.params)
    _claim_lookup_key(call.world, after, transfer=bool(call.get("transfer_lookup_key")))
    call.world.put(after)
    call.world.changed("price.updated", before, after)
    return after


@includable("price", "tiers")
def _tiers(world: World, price: Json) -> Any:
    return [_tier(tier) for tier in world.store.hidden(price["id"]).get("tiers") or []] or None


def _tier(given: Json) -> Json:
    flat, unit = given.get("flat_amount"), given.get("unit_amount")
    return {
        "flat_amount": flat,
        "flat_amount_decimal": None if flat is None else str(flat),
        "unit_amount": unit,
        "unit_amount_decimal": given.get("unit_amount_decimal") or (None if unit is None else str(unit)),
        "up_to": None if given["up_to"] == "inf" else int(given["up_to"]),
    }


@includable("price", "currency_options")
def _currency_options(world: World, price: Json) -> Json:
    """The price in each currency it has: its own only."""
    names = ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")
    return {price["currency"]: {name: price.get(name) for name in names}}
