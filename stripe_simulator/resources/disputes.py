"""Disputes: opened by the published test cards, decided by the published evidence texts."""

from stripe_simulator.cards.methods import test_card
from stripe_simulator.jobs import job
from stripe_simulator.payments import balance
from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import invalid
from stripe_simulator.wire.merging import merged_metadata
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call, World

_URL = "/v1/disputes"
_ONE = _URL + "/{dispute}"
_DAYS_TO_ANSWER = 7
_EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation",
    "duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy",
    "refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation",
    "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation",
    "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip
_NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1", "general": "10"}


@job("open_dispute")
def open_dispute(world: World, charge_id: str) -> None:
    """A moment after the charge the cardholder complains at the bank, or asks about it."""
    charge = world.existing("charge", charge_id)
    method = world.existing("payment_method", charge["payment_method"])
    kind = test_card(world, method).dispute
    inquiry = kind == "inquiry"
    dispute = _build(world, charge, "fraudulent" if inquiry or kind is None else kind, inquiry=inquiry)
    if not inquiry:
        dispute["balance_transactions"] = [_moved(world, dispute, -charge["amount_captured"])]
    world.put(dispute)
    world.put(charge | {"disputed": True})
    world.emit("charge.dispute.created", dispute)
    if not inquiry:
        world.emit("charge.dispute.funds_withdrawn", dispute)


def _build(world: World, charge: Json, reason: str, *, inquiry: bool) -> Json:
    card = charge["payment_method_details"]["card"]
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": charge["amount_captured"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": world.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": world.now() + _DAYS_TO_ANSWER * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card["brand"],
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": card["network"],
                "network_reason_code": _NETWORK_REASONS[reason],
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def _moved(world: World, dispute: Json, amount: int) -> Json:
    """Money taken for a dispute (negative, with a fee), or given back."""
    return world.put(
        balance.build(
            kind="adjustment",
            amount=amount,
            currency=dispute["currency"],
            source=dispute["id"],
            now=world.now(),
            fee=balance.DISPUTE_FEE if amount < 0 else 0,
            description=f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
        )
    )


@route("GET", _URL, "DisputeListParams")
def index(call: Call) -> Json:
    return page(call, "dispute", _URL, charge=call.get("charge"), payment_intent=call.get("payment_intent"))


@route("GET", _ONE, "DisputeRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("dispute", call.path["dispute"], param="dispute")


@route("POST", _ONE, "DisputeUpdateParams")
def update(call: Call) -> Json:
    """Evidence is submitted at once unless `submit` is false."""
    before = retrieve(call)
    after = before | {"metadata": merged_metadata(before, call.params)}
    if call.get("evidence"):
        _check_open(before)
        given = {name: value for name, value in call["evidence"].items() if name in _EVIDENCE}
        after["evidence"] = before["evidence"] | given
        after["evidence_details"] = before["evidence_details"] | {"has_evidence": True}
        if call.get("submit", True):
            after = _submitted(call.world, after)
    call.world.put(after)
    call.world.changed("charge.dispute.updated", before, after)
    return after


def _check_open(dispute: Json) -> None:
    if dispute["status"] not in ("needs_response", "warning_needs_response"):
        raise invalid("This dispute is already closed or under review.", code="dispute_evidence_submitted")


def _submitted(world: World, dispute: Json) -> Json:
    details = dispute["evidence_details"]
    warning = dispute["status"].startswith("warning")
    world.later("decide_dispute", dispute["id"])
    return dispute | {
        "evidence_details": details | {"submission_count": details["submission_count"] + 1},
        "status": "warning_under_review" if warning else "under_review",
    }


@job("decide_dispute")
def decide(world: World, dispute_id: str) -> None:
    """`winning_evidence` and `losing_evidence` decide; anything else stays under review."""
    dispute = world.existing("dispute", dispute_id)
    text = dispute["evidence"]["uncategorized_text"]
    if text not in ("winning_evidence", "losing_evidence"):
        return
    won = text == "winning_evidence"
    if dispute["status"] == "warning_under_review":
        _closed(world, dispute, "warning_closed")
        return
    if won:
        dispute["balance_transactions"].append(_moved(world, dispute, dispute["amount"]))
        charge = world.existing("charge", dispute["charge"])
        world.put(charge | {"disputed": True})
    after = _closed(world, dispute, "won" if won else "lost")
    if won:
        world.emit("charge.dispute.funds_reinstated", after)


def _closed(world: World, dispute: Json, status: str) -> Json:
    after = world.put(dispute | {"status": status})
    world.emit("charge.dispute.closed", after)
    return after


@route("POST", _ONE + "/close", "DisputeCloseParams")
def close(call: Call) -> Json:
    """Accept the dispute: it is lost."""
    dispute = retrieve(call)
    _check_open(dispute)
    return _closed(
        call.world, dispute, "warning_closed" if dispute["status"].startswith("warning") else "lost"
    )
