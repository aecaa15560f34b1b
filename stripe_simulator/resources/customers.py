"""Customers."""

from typing import Any

from stripe_simulator.cards import methods
from stripe_simulator.resources import tax_ids
from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id, random_text
from stripe_simulator.wire.errors import StripeError, missing_object
from stripe_simulator.wire.expansion import includable
from stripe_simulator.wire.merging import address, merged_metadata, new_metadata, shipping
from stripe_simulator.wire.paging import listing, page
from stripe_simulator.world import Call, World

_URL = "/v1/customers"
_PLAIN = (
    "business_name",
    "description",
    "email",
    "individual_name",
    "name",
    "phone",
    "tax_exempt",
    "preferred_locales",
)


def build(params: Json, now: int) -> Json:
    customer: Json = {
        "id": new_id("cus"),
        "object": "customer",
        "address": address(params.get("address")),
        "balance": params.get("balance") or 0,
        "created": now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": params.get("description"),
        "discount": None,
        "email": params.get("email"),
        "invoice_prefix": params.get("invoice_prefix") or random_text(8).upper(),
        "invoice_settings": _invoice_settings({}, params.get("invoice_settings")),
        "livemode": False,
        "metadata": new_metadata(params),
        "name": params.get("name"),
        "next_invoice_sequence": params.get("next_invoice_sequence") or 1,
        "phone": params.get("phone"),
        "preferred_locales": params.get("preferred_locales") or [],
        "shipping": shipping(params.get("shipping"), with_carrier=False),
        "tax_exempt": params.get("tax_exempt") or "none",
        "test_clock": None,
    }
    for name in ("business_name", "individual_name"):
        if params.get(name):
            customer[name] = params[name]
    return customer


def _invoice_settings(before: Json, given: Json | None) -> Json:
    empty = {"custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None}
    return empty | before | (given or {})


def existing(world: World, customer_id: str, param: str = "customer") -> Json:
    """The customer named by a parameter; a deleted one counts as missing."""
    return world.referenced("customer", customer_id, param)


@route("POST", _URL, "CustomerCreateParams")
def create(call: Call) -> Json:
    customer = build(call.params, call.world.now())
    card_id = call.get("payment_method")
    default = customer["invoice_settings"]["default_payment_method"]
    call.world.put(customer)
    if card_id:
        methods.attach_to(call.world, card_id, customer["id"])
    if default:
        customer["invoice_settings"]["default_payment_method"] = _own_method(
            call.world, default, customer["id"]
        )
    for given in call.get("tax_id_data") or []:
        tax_ids.add(call.world, customer["id"], given)
    call.world.put(customer)
    call.world.emit("customer.created", customer)
    return customer


def _own_method(world: World, method_id: str, customer_id: str) -> str:
    """The id, once the payment method is known to be the customer's."""
    param = "invoice_settings[default_payment_method]"
    method = methods.referenced(world, method_id, param)
    if method["customer"] != customer_id:
        raise StripeError(
            f"The customer does not have a payment method with the ID {method_id}. The payment method must "
            "be attached to the customer.",
            code="resource_missing",
            param=param,
        )
    return str(method["id"])


@route("GET", _URL, "CustomerListParams")
def index(call: Call) -> Json:
    return page(call, "customer", _URL, email=call.get("email"))


@route("GET", _URL + "/{customer}", "CustomerRetrieveParams")
def retrieve(call: Call) -> Json:
    """A deleted customer is still answered for, by its stub."""
    customer = call.world.store.get(call.path["customer"], "customer")
    if customer is None:
        raise missing_object("customer", call.path["customer"])
    return customer


@route("POST", _URL + "/{customer}", "CustomerUpdateParams")
def update(call: Call) -> Json:
    before = call.world.existing("customer", call.path["customer"])
    after = before | {name: call[name] for name in _PLAIN if name in call.params}
    after["tax_exempt"] = after["tax_exempt"] or "none"
    after["preferred_locales"] = after["preferred_locales"] or []
    for name in ("balance", "invoice_prefix", "next_invoice_sequence"):
        if name in call.params:
            after[name] = call[name]
    if "address" in call.params:
        after["address"] = address(call["address"])
    if "shipping" in call.params:
        after["shipping"] = shipping(call["shipping"], with_carrier=False)
    if "invoice_settings" in call.params:
        given = dict(call["invoice_settings"])
        if given.get("default_payment_method"):
            given["default_payment_method"] = _own_method(
                call.world, given["default_payment_method"], after["id"]
            )
        after["invoice_settings"] = _invoice_settings(before["invoice_settings"], given)
    after["metadata"] = merged_metadata(before, call.params)
    call.world.put(after)
    call.world.changed("customer.updated", before, after)
    return after


@route("DELETE", _URL + "/{customer}", "CustomerDeleteParams")
def delete(call: Call) -> Json:
    """Its payment methods are detached, as Stripe does."""
    customer = call.world.existing("customer", call.path["customer"])
    for method in call.world.store.find("payment_method", customer=customer["id"]):
        call.world.put(method | {"customer": None})
        call.world.store.hide(method["id"], used=True)
    stub = call.world.store.delete({"id": customer["id"], "object": "customer", "deleted": True})
    call.world.emit("customer.deleted", customer)
    return stub


@route("GET", _URL + "/{customer}/payment_methods", "CustomerPaymentMethodListParams")
def list_payment_methods(call: Call) -> Json:
    customer = call.world.existing("customer", call.path["customer"], param="customer")
    url = f"{_URL}/{customer['id']}/payment_methods"
    return page(call, "payment_method", url, customer=customer["id"], type=call.get("type"))


@route("GET", _URL + "/{customer}/payment_methods/{payment_method}", "CustomerPaymentMethodRetrieveParams")
def retrieve_payment_method(call: Call) -> Json:
    customer = call.world.existing("customer", call.path["customer"], param="customer")
    method = call.world.existing("payment_method", call.path["payment_method"], param="payment_method")
    if method["customer"] != customer["id"]:
        raise missing_object("PaymentMethod", method["id"], param="payment_method")
    return method


@includable("customer", "tax_ids")
def _tax_ids(world: World, customer: Json) -> Json:
    found = world.store.find("tax_id", customer=customer["id"])
    return listing(found, f"{_URL}/{customer['id']}/tax_ids")


@includable("customer", "sources")
def _sources(world: World, customer: Json) -> Json:
    return listing([], f"{_URL}/{customer['id']}/sources")


@includable("customer", "subscriptions")
def _subscriptions(world: World, customer: Json) -> Json:
    return listing([], f"{_URL}/{customer['id']}/subscriptions")


@includable("customer", "tax")
def _tax(world: World, customer: Json) -> Any:
    country = (customer.get("address") or {}).get("country")
    location = {"country": country, "source": "billing_address", "state": None} if country else None
    status = "supported" if country else "unrecognized_location"
    return {"automatic_tax": status, "ip_address": None, "location": location, "provider": "stripe"}
