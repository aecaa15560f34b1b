"""Charges: made by confirming payment intents; the API to create them directly is legacy."""

from stripe_simulator.cards import methods
from stripe_simulator.money import checked_charge, checked_currency
from stripe_simulator.payments import charging, intent
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid, missing_param
from stripe_simulator.wire.expansion import includable
from stripe_simulator.wire.merging import merged_metadata, shipping
from stripe_simulator.wire.paging import listing, page
from stripe_simulator.wire.search import search
from stripe_simulator.world import Call, World

_URL = "/v1/charges"


@route("POST", _URL, "ChargeCreateParams")
def create(call: Call) -> Json:
    """The way before payment intents: a token is charged once, directly."""
    for name in ("amount", "currency", "source"):
        if call.get(name) is None:
            raise missing_param(name)
    currency = checked_currency(call["currency"])
    checked_charge(call["amount"], currency)
    method = methods.make(call.world, {"card": {"token": call["source"]}}, "source")
    call.world.store.hide(method["id"], used=True)
    terms = intent.build(
        {"amount": call["amount"], "currency": currency, "capture_method": _capture_method(call)}
        | {name: call[name] for name in _PASSED_ON if name in call.params},
        call.world.now(),
    )
    decline = methods.test_card(call.world, method).decline
    body = charging.charge(call.world, terms | {"id": None}, method, decline=decline, authenticated=False)
    if decline:
        raise methods.card_error(decline, charge=body["id"])
    return body


_PASSED_ON = (
    "customer",
    "description",
    "metadata",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "transfer_group",
)


def _capture_method(call: Call) -> str:
    return "automatic" if call.get("capture", True) else "manual"


@route("POST", _URL + "/{charge}/capture", "ChargeCaptureParams")
def capture(call: Call) -> Json:
    before = retrieve(call)
    if before["captured"]:
        raise invalid(f"Charge {before['id']} has already been captured.", code="charge_already_captured")
    if before["refunded"]:
        raise invalid(f"Charge {before['id']} has already been refunded.", code="charge_already_refunded")
    amount = int(call.get("amount", before["amount"]))
    checked_charge(amount, before["currency"])
    if amount > before["amount"]:
        raise invalid("The amount to capture must not be greater than the charge.", param="amount")
    captured = {"captured": True, "amount_captured": amount, "amount_refunded": before["amount"] - amount}
    after = charging.settle(call.world, before | captured)
    call.world.emit("charge.captured", after)
    return after


@route("GET", _URL, "ChargeListParams")
def index(call: Call) -> Json:
    return page(
        call, "charge", _URL, customer=call.get("customer"), payment_intent=call.get("payment_intent")
    )


@route("GET", _URL + "/search", "ChargeSearchParams")
def find(call: Call) -> Json:
    return search(call, "charge", _URL + "/search")


@route("GET", _URL + "/{charge}", "ChargeRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("charge", call.path["charge"])


@route("POST", _URL + "/{charge}", "ChargeUpdateParams")
def update(call: Call) -> Json:
    before = retrieve(call)
    after = before | {name: call[name] for name in ("description", "receipt_email") if name in call.params}
    after["metadata"] = merged_metadata(before, call.params)
    if "fraud_details" in call.params:
        after["fraud_details"] = call["fraud_details"]
    if "shipping" in call.params:
        after["shipping"] = shipping(call["shipping"], with_carrier=True)
    call.world.put(after)
    call.world.changed("charge.updated", before, after)
    return after


@includable("charge", "refunds")
def _refunds(world: World, charge: Json) -> Json:
    return listing(world.store.find("refund", charge=charge["id"])[:10], f"{_URL}/{charge['id']}/refunds")
