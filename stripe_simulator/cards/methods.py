"""Payment methods as all else uses them: making, finding, saving, and what the bank says of them."""

from typing import Any

from stripe_simulator.cards import numbers
from stripe_simulator.cards.declines import Decline
from stripe_simulator.cards.entry import EnteredCard, entered, fingerprint, from_token
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import StripeError, invalid, missing_param
from stripe_simulator.wire.merging import address, new_metadata
from stripe_simulator.world import World

_USED_UP = (
    "The provided PaymentMethod was previously used with a PaymentIntent without Customer attachment, "
    "shared with a connected account without Customer attachment, or was detached from a Customer. It may "
    "not be used again. To use a PaymentMethod multiple times, you must attach it to a Customer first."
)


def build(card: EnteredCard, params: Json, now: int) -> Json:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": params.get("allow_redisplay") or "unspecified",
        "billing_details": billing_details(params.get("billing_details")),
        "card": _card(card),
        "created": now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": new_metadata(params),
        "type": "card",
    }


def _card(entry: EnteredCard) -> Json:
    card = entry.card
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if entry.cvc is not None or entry.token else None,
        },
        "country": card.country,
        "display_brand": {"amex": "american_express", "diners": "diners_club"}.get(card.brand, card.brand),
        "exp_month": entry.exp_month,
        "exp_year": entry.exp_year,
        "fingerprint": fingerprint(card.number),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def billing_details(given: Json | None) -> Json:
    details = given or {}
    shown = address(details.get("address")) or address({"city": None})
    return {"address": shown, **{name: details.get(name) for name in ("email", "name", "phone", "tax_id")}}


def make(world: World, params: Json, prefix: str = "card") -> Json:
    """Create one from `{"type": "card", "card": {…}, "billing_details": {…}}`."""
    if params.get("type", "card") != "card":
        raise invalid(f"The simulator has cards only, not {params['type']}.", param="type")
    if not params.get("card"):
        raise missing_param("card")
    entry = _entry(world, params["card"], prefix)
    return world.put(
        build(entry, params, world.now()), hidden={"number": entry.card.number, "cvc": entry.cvc}
    )


def _entry(world: World, given: Json, prefix: str) -> EnteredCard:
    """Details, a test token, or a token made before, which serves once."""
    token = world.store.get(given["token"], "token") if given.get("token") else None
    if token is None:
        return entered(given, world.now(), prefix)
    if token["used"]:
        raise invalid(
            f"You cannot use a Stripe token more than once: {token['id']}.",
            param=f"{prefix}[token]",
            code="token_already_used",
        )
    world.put(token | {"used": True})
    return entered(world.store.hidden(token["id"]), world.now(), prefix)


def referenced(world: World, method_id: str, param: str = "payment_method") -> Json:
    """A payment method named by a parameter. `pm_card_visa` and its like become a new one each time."""
    if numbers.named(method_id):
        entry = from_token(method_id, world.now(), param)
        return world.put(build(entry, {}, world.now()), hidden={"number": entry.card.number})
    return world.referenced("payment_method", method_id, param)


def test_card(world: World, method: Json) -> numbers.TestCard:
    return numbers.card(world.store.hidden(method["id"])["number"])


def check_unused(world: World, method: Json) -> None:
    """Raises when it was used once without being saved, or detached."""
    if method["customer"] is None and world.store.hidden(method["id"]).get("used"):
        raise invalid(_USED_UP, param="payment_method")


def card_error(decline: Decline, **extra: Any) -> StripeError:
    """402; the request's effects stay: a declined payment is recorded."""
    about = {
        "advice_code": decline.advice,
        "decline_code": decline.reason,
        "network_decline_code": decline.network_code,
    }
    return StripeError(
        decline.message,
        status=402,
        type="card_error",
        code=decline.code,
        extra=about | extra,
        keeps_effects=True,
    )


def save(world: World, method: Json, customer_id: str) -> Json:
    """Attach without asking the bank. Emits payment_method.attached unless it was theirs already."""
    if method["customer"] == customer_id:
        return method
    checked = method["card"] | {"checks": passed_checks(world, method)}
    after = world.put(method | {"customer": customer_id, "card": checked})
    world.emit("payment_method.attached", after)
    return after


def passed_checks(world: World, method: Json) -> Json:
    """What the bank says to the security code and the postal code."""
    card = test_card(world, method)
    located = method["billing_details"]["address"] or {}
    checks = method["card"]["checks"]
    postal = "pass" if card.postal_code_passes else "fail"
    return {
        "address_line1_check": "pass" if located.get("line1") else None,
        "address_postal_code_check": postal if located.get("postal_code") else None,
        "cvc_check": checks["cvc_check"] and ("pass" if card.cvc_passes else "fail"),
    }


def attach_to(world: World, method_id: str, customer_id: str) -> Json:
    """Attach as a request asks for it: the bank may refuse. Raises StripeError."""
    method = referenced(world, method_id)
    if method["customer"] == customer_id:
        return method
    if method["customer"]:
        raise invalid("The payment method you provided has already been attached to a customer.")
    check_unused(world, method)
    card = test_card(world, method)
    if card.decline and not card.can_be_saved:
        raise card_error(card.decline)
    return save(world, method, customer_id)
