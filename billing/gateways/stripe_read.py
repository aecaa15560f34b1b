"""Stripe's objects read into the gateway's values. The objects are plain dicts of the pinned API version."""

from typing import Any

from billing.gateways.protocol import Outcome, ReversalState, Standing

Json = dict[str, Any]

_INTENT_OUTCOMES = {
    "succeeded": Outcome.SUCCEEDED,
    "processing": Outcome.PROCESSING,
    "requires_action": Outcome.REQUIRES_ACTION,
    "canceled": Outcome.CANCELED,
    "requires_confirmation": Outcome.OPEN,
    "requires_capture": Outcome.PROCESSING,
}


def id_of(value: Any) -> str | None:
    """The id of a reference that may be expanded or not."""
    if isinstance(value, dict):
        value = value.get("id")
    return value or None


def intent_standing(intent: Json) -> Standing:
    """Where a PaymentIntent stands; a failed attempt leaves ``requires_payment_method`` and an error."""
    error = intent.get("last_payment_error") or {}
    code = error.get("decline_code") or error.get("code") or ""
    outcome = _INTENT_OUTCOMES.get(intent["status"])
    if outcome is None:
        outcome = _outcome_of_error(error)
    charge = intent.get("latest_charge")
    details = charge if isinstance(charge, dict) else {}
    succeeded = outcome is Outcome.SUCCEEDED
    return Standing(
        outcome=outcome,
        amount_minor=intent["amount_received"] if succeeded else intent["amount"],
        currency=intent["currency"].upper(),
        customer_id=id_of(intent.get("customer")) or "",
        reference=(intent.get("metadata") or {}).get("payment", ""),
        sent=intent.get("metadata") or {},
        intent_id=intent["id"],
        charge_id=id_of(charge) if succeeded else None,
        card=card_label(details.get("payment_method_details") or {}),
        receipt_url=details.get("receipt_url") or "",
        action_url=_action_url(intent),
        failure_code="" if succeeded else code,
        failure_message="" if succeeded else error.get("message") or "",
    )


def _outcome_of_error(error: Json) -> Outcome:
    if not error:
        return Outcome.OPEN
    wants_customer = "authentication_required" in (error.get("code"), error.get("decline_code"))
    return Outcome.REQUIRES_ACTION if wants_customer else Outcome.FAILED


def _action_url(intent: Json) -> str:
    redirect = (intent.get("next_action") or {}).get("redirect_to_url") or {}
    return redirect.get("url") or ""


def checkout_standing(session: Json) -> Standing:
    """Where a Checkout session stands. A declined card leaves the page open: the customer may try another."""
    # Tax within the price leaves both equal; a discount nobody offered would show as too small an amount.
    tax = max(0, session["amount_total"] - session["amount_subtotal"])
    raw_intent = session.get("payment_intent")
    intent = intent_standing(raw_intent) if isinstance(raw_intent, dict) else None
    outcome = _checkout_outcome(session, intent)
    paid = outcome is Outcome.SUCCEEDED and intent is not None
    return Standing(
        outcome=outcome,
        # What was really received, where Stripe says so: the session only says what was asked.
        amount_minor=(intent.amount_minor if paid and intent else session["amount_total"]) - tax,
        tax_minor=tax,
        currency=session["currency"].upper(),
        customer_id=id_of(session.get("customer")) or "",
        reference=session.get("client_reference_id") or "",
        intent_id=id_of(raw_intent),
        checkout_id=session["id"],
        charge_id=intent.charge_id if intent else None,
        card=intent.card if intent else "",
        receipt_url=intent.receipt_url if intent else "",
        action_url=session.get("url") or "",
        failure_code=intent.failure_code if intent else "",
        failure_message=intent.failure_message if intent else "",
    )


def _checkout_outcome(session: Json, intent: Standing | None) -> Outcome:
    if session["status"] == "expired":
        return Outcome.CANCELED
    if session["status"] == "open":
        return Outcome.OPEN
    if session["payment_status"] == "paid":
        return Outcome.SUCCEEDED
    # Complete but unpaid: a slow payment method, which may fail days later.
    return Outcome.FAILED if intent and intent.outcome is Outcome.FAILED else Outcome.PROCESSING


def card_label(details: Json) -> str:
    """``Visa •••• 4242`` of a charge's payment method details; empty when it was no card."""
    card = details.get("card") or {}
    if not card.get("last4"):
        return ""
    return f"{str(card.get('brand') or 'card').replace('_', ' ').title()} •••• {card['last4']}"


def reversal_state(thing: Json) -> ReversalState:
    """A refund or dispute; both carry the same fields under the same names."""
    return ReversalState(
        id=thing["id"],
        intent_id=id_of(thing.get("payment_intent")),
        charge_id=id_of(thing.get("charge")),
        amount_minor=thing["amount"],
        currency=thing["currency"].upper(),
        status=thing.get("status") or "",
        reason=thing.get("reason") or "",
    )
