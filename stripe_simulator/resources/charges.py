"""Charges: made by confirming payment intents; the API to create them directly is legacy."""

from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.expansion import includable
from stripe_simulator.wire.merging import merged_metadata, shipping
from stripe_simulator.wire.paging import listing, page
from stripe_simulator.wire.search import search
from stripe_simulator.world import Call, World

_URL = "/v1/charges"


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
