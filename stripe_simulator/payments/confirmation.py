"""Confirming a payment intent: choose the payment method, ask the bank, record what it said."""

from dataclasses import dataclass

from stripe_simulator.cards import methods
from stripe_simulator.cards.declines import Decline
from stripe_simulator.payments import outcome
from stripe_simulator.payments.charging import charge
from stripe_simulator.payments.intent import OPEN, unexpected_state
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import StripeError, invalid
from stripe_simulator.world import World


@dataclass(frozen=True)
class Terms:
    """How this confirmation was asked for."""

    off_session: bool = False
    refuse_action: bool = False
    return_url: str | None = None
    authenticated: bool = False


def confirm(world: World, intent: Json, method: Json | None, terms: Terms) -> Json:
    """The intent afterwards. Raises StripeError 402, with the effects kept, when the bank declines."""
    _check_state(intent)
    if method is None:
        raise unexpected_state(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
            "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
            "directly with a payment method or ConfirmationToken.",
        )
    _check_return_url(intent, terms)
    check_owner(intent, method)
    methods.check_unused(world, method)
    answer = outcome.charge(
        methods.test_card(world, method),
        off_session=terms.off_session,
        set_up=bool(world.store.hidden(method["id"]).get("set_up")),
        authenticated=terms.authenticated,
        requested=intent["payment_method_options"]["card"]["request_three_d_secure"] or "automatic",
        refuse_action=terms.refuse_action,
    )
    if answer == outcome.AUTHENTICATE:
        return _ask_for_authentication(world, intent, method, terms)
    if isinstance(answer, Decline):
        raise _declined(world, intent, method, answer)
    return _paid(world, intent, method, terms)


def _check_state(intent: Json) -> None:
    status = intent["status"]
    if status in OPEN:
        return
    reasons = {
        "succeeded": "it has already succeeded after being previously confirmed",
        "canceled": "it has been canceled",
        "requires_capture": "it has already been confirmed and is waiting to be captured",
    }
    because = reasons.get(status, f"its status is {status}")
    raise unexpected_state(intent, f"You cannot confirm this PaymentIntent because {because}.")


def _check_return_url(intent: Json, terms: Terms) -> None:
    automatic = intent["automatic_payment_methods"]
    if terms.off_session or terms.return_url or terms.authenticated or not automatic:
        return
    if automatic["allow_redirects"] == "always":
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because "
            "some of these payment methods might redirect your customer off of your page, you must provide "
            "a `return_url`. If you don't want to accept redirect-based payment methods, set "
            "`automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents and "
            "Payment Intents.",
            param="return_url",
        )


def check_owner(intent: Json, method: Json) -> None:
    """Raises when the payment method belongs to another customer than the intent."""
    owner, customer = method["customer"], intent["customer"]
    if owner == customer or owner is None:
        return
    if customer is None:
        raise invalid(
            "The provided PaymentMethod cannot be used with this PaymentIntent because it is attached to a "
            "customer; you must also provide that customer.",
            param="payment_method",
        )
    raise StripeError(
        f"The customer does not have a payment method with the ID {method['id']}. The payment method must "
        "be attached to the customer.",
        code="resource_missing",
        param="payment_method",
    )


def _ask_for_authentication(world: World, intent: Json, method: Json, terms: Terms) -> Json:
    page = f"{world.base_url}/3d_secure/{intent['id']}"
    if terms.return_url:
        action: Json = {
            "redirect_to_url": {"return_url": terms.return_url, "url": page},
            "type": "redirect_to_url",
        }
    else:
        action = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"source": new_id("src"), "stripe_js": page, "type": "three_d_secure_redirect"},
        }
    after = intent | {"status": "requires_action", "payment_method": method["id"], "next_action": action}
    world.put(after)
    world.store.hide(intent["id"], return_url=terms.return_url)
    world.emit("payment_intent.requires_action", after)
    return after


def _declined(world: World, intent: Json, method: Json, decline: Decline) -> StripeError:
    attempt = charge(world, intent, method, decline=decline, authenticated=False)
    about = methods.card_error(decline, charge=attempt["id"])
    after = intent | {
        "last_payment_error": about.body("", 0)["error"] | {"payment_method": method},
        "latest_charge": attempt["id"],
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    after["last_payment_error"].pop("request_log_url", None)
    world.put(after)
    world.emit("payment_intent.payment_failed", after)
    about.extra |= {"payment_intent": after, "payment_method": method}
    return about


def _paid(world: World, intent: Json, method: Json, terms: Terms) -> Json:
    if intent["setup_future_usage"]:
        method = _saved(world, intent, method, terms)
    elif method["customer"] is None:
        world.store.hide(method["id"], used=True)
    attempt = charge(world, intent, method, decline=None, authenticated=terms.authenticated)
    held = intent["capture_method"] == "manual"
    after = intent | {
        "amount_capturable": intent["amount"] if held else 0,
        "amount_received": 0 if held else intent["amount"],
        "last_payment_error": None,
        "latest_charge": attempt["id"],
        "next_action": None,
        "payment_method": method["id"],
        "status": "requires_capture" if held else "succeeded",
    }
    world.put(after)
    world.emit("payment_intent.amount_capturable_updated" if held else "payment_intent.succeeded", after)
    if held:
        world.later("expire_authorization", after["id"], seconds=7 * 86_400)
    card = methods.test_card(world, method)
    if card.dispute:
        world.later("open_dispute", attempt["id"])
    return after


def _saved(world: World, intent: Json, method: Json, terms: Terms) -> Json:
    """`setup_future_usage`: the card stays with the customer, authenticated for later if it was now."""
    if intent["setup_future_usage"] == "off_session" and terms.authenticated:
        world.store.hide(method["id"], set_up=True)
    return methods.save(world, method, intent["customer"]) if intent["customer"] else method
