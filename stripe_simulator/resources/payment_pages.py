"""`/v1/payment_pages/{session}`: how Stripe's command-line tool pays a Checkout session by itself."""

from stripe_simulator.cards import methods
from stripe_simulator.checkout import completion
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid, missing_param
from stripe_simulator.world import Call

_ONE = "/v1/payment_pages/{session}"


@route("GET", _ONE)
def retrieve(call: Call) -> Json:
    return call.world.existing("checkout.session", call.path["session"], param="session")


@route("POST", _ONE + "/confirm")
def confirm(call: Call) -> Json:
    session = retrieve(call)
    if not call.get("payment_method"):
        raise missing_param("payment_method")
    expected = call.get("expected_amount")
    if expected is not None and expected != str(session["amount_total"]):
        raise invalid("The amount of this session has changed.", param="expected_amount")
    method = methods.referenced(call.world, call["payment_method"])
    email = method["billing_details"]["email"]
    completion.submit(call.world, session, method, email=email)
    return retrieve(call)
