"""Saving a card without a payment: the setup intent object and its confirmation."""

from stripe_simulator.cards import methods
from stripe_simulator.cards.declines import Decline
from stripe_simulator.payments import outcome
from stripe_simulator.payments.confirmation import Terms, check_owner
from stripe_simulator.payments.intent import OPEN, automatic_methods, unexpected_state
from stripe_simulator.values import Json, client_secret, new_id
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.wire.merging import new_metadata
from stripe_simulator.world import World

_CARD_OPTIONS = {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}


def build(params: Json, now: int) -> Json:
    intent_id = new_id("seti")
    automatic = automatic_methods(params)
    return {
        "id": intent_id,
        "object": "setup_intent",
        "application": None,
        "automatic_payment_methods": automatic,
        "cancellation_reason": None,
        "client_secret": client_secret(intent_id),
        "created": now,
        "customer": params.get("customer"),
        "customer_account": None,
        "description": params.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": new_metadata(params),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": {"id": "pmc_1SimulatorDefault00000000", "parent": None}
        if automatic
        else None,
        "payment_method_options": method_options(params.get("payment_method_options")),
        "payment_method_types": params.get("payment_method_types") or ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": params.get("usage") or "off_session",
    }


def method_options(given: Json | None, before: Json | None = None) -> Json:
    card = (given or {}).get("card") or {}
    known = (before or {}).get("card") or _CARD_OPTIONS
    return {
        "card": known | {name: card[name] for name in ("network", "request_three_d_secure") if name in card}
    }


def confirm(world: World, intent: Json, method: Json | None, terms: Terms) -> Json:
    """The intent afterwards. Raises StripeError 402, with the effects kept, when the bank declines."""
    if intent["status"] not in OPEN:
        because = "it has already succeeded" if intent["status"] == "succeeded" else "it has been canceled"
        raise unexpected_state(intent, f"You cannot confirm this SetupIntent because {because}.")
    if method is None:
        raise unexpected_state(
            intent,
            "You cannot confirm this SetupIntent because it's missing a payment method. Update the "
            "SetupIntent with a payment method and then confirm it again.",
        )
    check_owner(intent, method)
    methods.check_unused(world, method)
    card = methods.test_card(world, method)
    answer = outcome.save(card, authenticated=terms.authenticated)
    if answer == outcome.AUTHENTICATE:
        return _ask_for_authentication(world, intent, method, terms)
    if isinstance(answer, Decline):
        raise _refused(world, intent, method, answer)
    return _succeeded(world, intent, method, authenticated=terms.authenticated)


def _ask_for_authentication(world: World, intent: Json, method: Json, terms: Terms) -> Json:
    page = f"{world.base_url}/3d_secure/{intent['id']}"
    if terms.return_url:
        action: Json = {
            "redirect_to_url": {"return_url": terms.return_url, "url": page},
            "type": "redirect_to_url",
        }
    else:
        sdk = {"source": new_id("src"), "stripe_js": page, "type": "three_d_secure_redirect"}
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": sdk}
    attempt = record_attempt(world, intent, method, "requires_action")
    after = world.put(
        intent
        | {
            "latest_attempt": attempt["id"],
            "next_action": action,
            "payment_method": method["id"],
            "status": "requires_action",
        }
    )
    world.store.hide(intent["id"], return_url=terms.return_url)
    world.emit("setup_intent.requires_action", after)
    return after


def _refused(world: World, intent: Json, method: Json, decline: Decline) -> StripeError:
    about = methods.card_error(decline)
    attempt = record_attempt(world, intent, method, "failed", error=about.body("", 0)["error"])
    return failed(world, intent | {"latest_attempt": attempt["id"]}, method, about)


def failed(world: World, intent: Json, method: Json, about: StripeError) -> StripeError:
    """Put the intent back to wanting a payment method; the complete error, to raise or to show."""
    error = about.body("", 0)["error"] | {"payment_method": method}
    error.pop("request_log_url", None)
    after = world.put(
        intent
        | {
            "last_setup_error": error,
            "next_action": None,
            "payment_method": None,
            "status": "requires_payment_method",
        }
    )
    world.emit("setup_intent.setup_failed", after)
    about.extra |= {"payment_method": method, "setup_intent": after}
    return about


def _succeeded(world: World, intent: Json, method: Json, *, authenticated: bool) -> Json:
    if intent["customer"]:
        method = methods.save(world, method, intent["customer"])
    if intent["usage"] == "off_session":
        world.store.hide(method["id"], set_up=True)
    attempt = record_attempt(world, intent, method, "succeeded", authenticated=authenticated)
    after = world.put(
        intent
        | {
            "last_setup_error": None,
            "latest_attempt": attempt["id"],
            "next_action": None,
            "payment_method": method["id"],
            "status": "succeeded",
        }
    )
    world.emit("setup_intent.succeeded", after)
    return after


def cancel(world: World, intent: Json, reason: str | None) -> Json:
    after = world.put(intent | {"cancellation_reason": reason, "next_action": None, "status": "canceled"})
    world.emit("setup_intent.canceled", after)
    return after


def record_attempt(
    world: World,
    intent: Json,
    method: Json,
    status: str,
    *,
    error: Json | None = None,
    authenticated: bool = False,
) -> Json:
    card = method["card"]
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    three_d_secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": None,
        "version": "2.2.0",
    }
    details = {name: card[name] for name in shown} | {
        "network": card["brand"],
        "three_d_secure": three_d_secure if authenticated else None,
        "wallet": None,
    }
    return world.put(
        {
            "id": new_id("setatt"),
            "object": "setup_attempt",
            "application": None,
            "created": world.now(),
            "customer": intent["customer"],
            "customer_account": None,
            "flow_directions": None,
            "livemode": False,
            "on_behalf_of": None,
            "payment_method": method["id"],
            "payment_method_details": {"card": details, "type": "card"},
            "setup_error": error,
            "setup_intent": intent["id"],
            "status": status,
            "usage": intent["usage"],
        }
    )
