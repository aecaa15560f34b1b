"""What follows when 3-D Secure is completed or failed."""

from stripe_simulator.checkout import completion
from stripe_simulator.payments import confirmation, setup
from stripe_simulator.payments.confirmation import Terms
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.world import World

_MESSAGE = (
    "We are unable to authenticate your payment method. "
    "Please choose a different payment method and try again."
)


def finish(world: World, intent: Json, *, passed: bool) -> Json:
    """The intent afterwards. Raises StripeError (effects kept) when the bank declines after all."""
    method = world.existing("payment_method", intent["payment_method"])
    if not passed:
        return _failed(world, intent, method)
    terms = Terms(authenticated=True)
    paying = intent["object"] == "payment_intent"
    after = (confirmation.confirm if paying else setup.confirm)(world, intent, method, terms)
    session = completion.session_of(world, intent)
    if session and after["status"] in ("succeeded", "requires_capture"):
        completion.complete(world, session["id"])
    return after


def _failed(world: World, intent: Json, method: Json) -> Json:
    about = StripeError(_MESSAGE, code=f"{intent['object']}_authentication_failure")
    if intent["object"] == "setup_intent":
        error = about.body("", 0)["error"]
        error.pop("request_log_url", None)
        attempt = setup.record_attempt(world, intent, method, "failed", error=error)
        setup.failed(world, intent | {"latest_attempt": attempt["id"]}, method, about)
        return world.existing("setup_intent", intent["id"])
    error = about.body("", 0)["error"] | {"payment_method": method}
    error.pop("request_log_url", None)
    after = world.put(
        intent
        | {
            "last_payment_error": error,
            "next_action": None,
            "payment_method": None,
            "status": "requires_payment_method",
        }
    )
    world.emit("payment_intent.payment_failed", after)
    return after
