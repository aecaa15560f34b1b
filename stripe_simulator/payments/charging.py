"""Charges: built from a payment intent and a payment method, settled onto the balance."""

from stripe_simulator.cards.declines import Decline
from stripe_simulator.cards.methods import passed_checks, test_card
from stripe_simulator.cards.numbers import TestCard
from stripe_simulator.jobs import job
from stripe_simulator.payments import balance
from stripe_simulator.values import Json, new_id, random_digits, random_text
from stripe_simulator.world import World

_WEEK = 7 * 86_400
_STATEMENT = "SIMULATED STRIPE"


def charge(world: World, intent: Json, method: Json, *, decline: Decline | None, authenticated: bool) -> Json:
    """Record the attempt, paid or declined, and emit charge.succeeded or charge.failed."""
    body = _build(world, intent, method, decline, authenticated=authenticated)
    world.put(body)
    if decline:
        world.emit("charge.failed", body)
        return body
    if intent["capture_method"] == "automatic":
        body = settle(world, body)
    world.emit("charge.succeeded", body)
    if intent["capture_method"] == "automatic_async":
        world.later("settle_charge", body["id"])
    return body


def settle(world: World, body: Json) -> Json:
    """Book a captured charge on the balance."""
    entry = balance.build(
        kind="charge",
        amount=body["amount_captured"],
        currency=body["currency"],
        source=body["id"],
        now=world.now(),
        fee=balance.processing_fee(body["amount_captured"], body["currency"]),
        description=body["description"],
    )
    world.put(entry)
    return world.put(body | {"balance_transaction": entry["id"]})


@job("settle_charge")
def settle_later(world: World, charge_id: str) -> None:
    """Automatic asynchronous capture: the balance transaction comes a moment after the charge."""
    before = world.store.get(charge_id, "charge")
    if before is None or before["balance_transaction"]:
        return
    world.changed("charge.updated", before, settle(world, before))


def _build(world: World, intent: Json, method: Json, decline: Decline | None, *, authenticated: bool) -> Json:
    card = test_card(world, method)
    captured = decline is None and intent["capture_method"] != "manual"
    charge_id = new_id("ch")
    return {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if captured else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": intent["statement_descriptor"] or _STATEMENT,
        "captured": captured,
        "created": world.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": _outcome(card, decline),
        "paid": decline is None,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _details(world, intent, method, decline, authenticated=authenticated),
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None if decline else f"{world.base_url}/receipts/{charge_id}",
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "failed" if decline else "succeeded",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def _outcome(card: TestCard, decline: Decline | None) -> Json:
    level, score = card.risk
    known = {"advice_code": None, "network_advice_code": None, "network_decline_code": None}
    if decline is None:
        return known | {
            "network_status": "approved_by_network",
            "reason": "elevated_risk_level" if level == "elevated" else None,
            "risk_level": level,
            "risk_score": score,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return known | {
        "advice_code": decline.advice,
        "network_decline_code": decline.network_code,
        "network_status": "not_sent_to_network" if decline.blocked else "declined_by_network",
        "reason": "highest_risk_level" if decline.blocked else decline.reason,
        "risk_level": level,
        "risk_score": score,
        "seller_message": "Stripe blocked this payment as too risky."
        if decline.blocked
        else "The bank did not return any further details with this decline.",
        "type": "blocked" if decline.blocked else "issuer_declined",
    }


def _details(
    world: World, intent: Json, method: Json, decline: Decline | None, *, authenticated: bool
) -> Json:
    card = method["card"]
    details = {
        "amount_authorized": None if decline else intent["amount"],
        "authorization_code": random_digits(6),
        "brand": card["brand"],
        "checks": passed_checks(world, method),
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": random_digits(15),
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": card["regulated_status"],
        "three_d_secure": _three_d_secure() if authenticated else None,
        "wallet": None,
    }
    if intent["capture_method"] == "manual" and decline is None:
        details["capture_before"] = world.now() + _WEEK
    return {"card": details, "type": "card"}


def _three_d_secure() -> Json:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "exemption_indicator_applied": False,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": random_text(36),
        "version": "2.2.0",
    }
