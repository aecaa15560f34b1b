"""Payment methods. Only cards."""

from stripe_simulator.cards import methods, numbers
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid, missing_param
from stripe_simulator.wire.merging import merged_metadata
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call, World

_URL = "/v1/payment_methods"
_ONE = _URL + "/{payment_method}"


def _addressed(call: Call) -> Json:
    """The payment method named by the path."""
    method_id = call.path["payment_method"]
    if numbers.named(method_id):
        return methods.referenced(call.world, method_id)
    return call.world.existing("payment_method", method_id, param="payment_method")


@route("POST", _URL, "PaymentMethodCreateParams")
def create(call: Call) -> Json:
    if "type" not in call.params:
        raise missing_param("type")
    return methods.make(call.world, call.params)


@route("GET", _URL, "PaymentMethodListParams")
def index(call: Call) -> Json:
    return page(call, "payment_method", _URL, customer=call.get("customer"), type=call.get("type"))


@route("GET", _ONE, "PaymentMethodRetrieveParams")
def retrieve(call: Call) -> Json:
    return _addressed(call)


@route("POST", _ONE, "PaymentMethodUpdateParams")
def update(call: Call) -> Json:
    before = _addressed(call)
    if before["customer"] is None:
        raise invalid(
            "You must save this PaymentMethod to a customer before you can update it.", param="payment_method"
        )
    after = before | {"metadata": merged_metadata(before, call.params)}
    if "billing_details" in call.params:
        after["billing_details"] = methods.billing_details(_merged_details(before, call["billing_details"]))
    card = {
        name: value for name, value in (call.get("card") or {}).items() if name in ("exp_month", "exp_year")
    }
    after["card"] = before["card"] | card
    if "allow_redisplay" in call.params:
        after["allow_redisplay"] = call["allow_redisplay"]
    call.world.put(after)
    call.world.changed("payment_method.updated", before, after)
    return after


def _merged_details(before: Json, given: Json) -> Json:
    details = before["billing_details"] | given
    if given.get("address"):
        details["address"] = before["billing_details"]["address"] | given["address"]
    return dict(details)


@route("POST", _ONE + "/attach", "PaymentMethodAttachParams")
def attach(call: Call) -> Json:
    if not call.get("customer"):
        raise missing_param("customer")
    customer = call.world.referenced("customer", call["customer"], "customer")
    method = _addressed(call)
    return methods.attach_to(call.world, method["id"], customer["id"])


@route("POST", _ONE + "/detach", "PaymentMethodDetachParams")
def detach(call: Call) -> Json:
    before = _addressed(call)
    if before["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    after = call.world.put(before | {"customer": None})
    call.world.store.hide(after["id"], used=True)
    _unset_default(call.world, before)
    call.world.emit("payment_method.detached", after, previous={"customer": before["customer"]})
    return after


def _unset_default(world: World, method: Json) -> None:
    """A customer's default goes with the card."""
    customer = world.store.get(method["customer"], "customer")
    if customer is None or customer.get("deleted"):
        return
    settings = customer["invoice_settings"]
    if settings["default_payment_method"] == method["id"]:
        after = world.put(customer | {"invoice_settings": settings | {"default_payment_method": None}})
        world.changed("customer.updated", customer, after)
