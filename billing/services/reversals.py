"""Money that goes back: refunds, also those made in Stripe's dashboard, and disputes.

Each is recorded under Stripe's id and takes credits back once: a refund what is unspent of the credits its
share of the money bought, a lost dispute that share in full, as a debt where it was spent. A refund that
fails later gives back what it took.
"""

import logging
import uuid
from typing import Final

from django.db import transaction

from billing.gateways import gateway
from billing.gateways.protocol import ReversalState
from billing.ledger import balances, grants
from billing.ledger.chart import STRIPE_CLEARING
from billing.ledger.models import Grant, Transaction
from billing.ledger.post import lock as lock_balances
from billing.models import Payment, RefundRequest, Reversal
from billing.services import payments, validity
from catalog import snapshot

log = logging.getLogger(__name__)

REFUND_UNDONE: Final = ("failed", "canceled")
DISPUTE_LOST: Final = "lost"


def record_refund(refund_id: str) -> Reversal | None:
    """Take over a refund as Stripe has it now. Raises GatewayError; None when the payment is not ours."""
    return take_over(Reversal.Kind.REFUND, gateway().refund_state(refund_id))


def record_refunds_of(charge_id: str) -> None:
    """Take over every refund of a charge. Raises GatewayError."""
    for state in gateway().refunds_of(charge_id):
        take_over(Reversal.Kind.REFUND, state)


def record_dispute(dispute_id: str) -> Reversal | None:
    """Take over a dispute as Stripe has it now. Raises GatewayError; None when the payment is not ours."""
    return take_over(Reversal.Kind.DISPUTE, gateway().dispute_state(dispute_id))


def take_over(kind: "Reversal.Kind", state: ReversalState) -> Reversal | None:
    """Record a refund or dispute in the state given, and take back or give back what that asks for."""
    payment = _payment(state)
    if payment is None:
        return None
    # A refund may be heard of before the payment it refunds.
    payments.refresh(payment.pk)
    with transaction.atomic():
        payment = payments.lock(payment.pk)
        reversal, _ = Reversal.objects.get_or_create(
            stripe_id=state.id,
            defaults={
                "payment": payment,
                "kind": kind,
                "status": state.status,
                "reason": state.reason,
                "cash_minor": state.amount_minor,
            },
        )
        reversal.payment = payment
        _adopt(reversal)
        if reversal.may_become(state.status):
            reversal.status, reversal.reason = state.status, state.reason
        _take_back(reversal)
        reversal.save()
        if payment.status == Payment.Status.SUCCEEDED:
            validity.follow(payment.account_id)
    return reversal


def _adopt(reversal: Reversal) -> None:
    """A refund that was asked for here: its credits are taken already, and it is done now. The payment is locked."""
    if reversal.kind != Reversal.Kind.REFUND or reversal.transaction_id is not None:
        return
    sent = reversal.payment.refund_requests.filter(
        status=RefundRequest.Status.SENT, cash_minor=reversal.cash_minor
    )
    if (mine := sent.first()) is not None:
        reversal.transaction_id, reversal.withdrawn = mine.transaction_id, mine.withdrawn
        mine.status, mine.stripe_id = RefundRequest.Status.DONE, reversal.stripe_id
        mine.save(update_fields=["status", "stripe_id"])


def _payment(state: ReversalState) -> Payment | None:
    reference = gateway().intent(state.intent_id).reference if state.intent_id else ""
    payment = payments.of_intent(state.intent_id, reference)
    if payment is None and state.charge_id:
        payment = Payment.objects.filter(stripe_charge_id=state.charge_id).first()
    return payment


def _take_back(reversal: Reversal) -> None:
    """Post what the reversal's state asks for, once each way."""
    if reversal.payment.status != Payment.Status.SUCCEEDED:
        return
    if reversal.kind == Reversal.Kind.DISPUTE:
        if reversal.status == DISPUTE_LOST and reversal.transaction_id is None:
            _withdraw(reversal, share(reversal), allow_debt=True)
    elif reversal.status in REFUND_UNDONE:
        _restore(reversal)
    elif reversal.transaction_id is None:
        _withdraw(reversal, min(share(reversal), _unspent(reversal.payment)), allow_debt=False)


def share(reversal: Reversal) -> int:
    """The credits that the money going back bought; all shares of a payment together never exceed its
    credits.

    Shares are cut from the running total of what goes back, so that they add up without a rounding of their
    own.
    """
    payment = reversal.payment
    total = payment.cash_minor + payment.tax_minor
    others = [
        other
        for other in payment.reversals.exclude(pk=reversal.pk)
        if other.transaction_id is not None and other.restored_id is None
    ]
    before = sum(other.cash_minor for other in others)
    upto = min(total, before + reversal.cash_minor)
    mine = payment.credits * upto // total - payment.credits * min(total, before) // total
    return min(mine, payment.credits - sum(other.withdrawn for other in others))


def lot(payment: Payment) -> Grant | None:
    """The grant the payment's credits are in."""
    if payment.transaction_id is None:
        return None
    return Grant.objects.filter(transaction_id=payment.transaction_id).first()


def _unspent(payment: Payment) -> int:
    """What is left of the credits a payment bought, as far as no open hold needs it."""
    lock_balances(payment.account_id)
    grants.expire(payment.account_id)
    found = lot(payment)
    standing = balances.of(payment.account_id)
    return max(0, min(found.remaining if found else 0, standing.balance - standing.held))


def _withdraw(reversal: Reversal, micros: int, *, allow_debt: bool) -> None:
    if micros <= 0:
        return
    payment = reversal.payment
    taken_from = None if allow_debt else lot(payment)
    posted = grants.withdraw(
        account_id=payment.account_id,
        micros=_in_unit_of_account(payment, micros),
        kind="dispute" if reversal.kind == Reversal.Kind.DISPUTE else "refund",
        description=f"{reversal.get_kind_display()} of {payment.get_purpose_display().lower()}",
        key=f"{reversal.kind}:{reversal.stripe_id}",
        counterpart=None if allow_debt else STRIPE_CLEARING,
        grant_id=taken_from.pk if taken_from else None,
        reference=payment.public_id,
        details={"payment": payment.public_id, "cash_minor": reversal.cash_minor},
        allow_debt=allow_debt,
    )
    reversal.transaction_id, reversal.withdrawn = posted.pk, micros


def _in_unit_of_account(payment: Payment, micros: int) -> int:
    """So many micros of what the payment bought, in what its account is counted in by now."""
    counted_in = lock_balances(payment.account_id)[payment.account_id].unit
    if counted_in == payment.unit:
        return micros
    terms = snapshot.current().terms(payment.account.profile)
    return terms.credits_for(terms.cash_for(micros, payment.unit), counted_in)


def _restore(reversal: Reversal) -> None:
    """The refund did not reach the card: the credits it took come back, good as long as they were."""
    if reversal.transaction_id is None or reversal.restored_id is not None:
        return
    key = f"refund_undone:{reversal.stripe_id}"
    reversal.restored_id = give_again(reversal.payment, reversal.transaction_id, key=key)


def give_again(payment: Payment, taken_id: uuid.UUID, *, key: str) -> uuid.UUID:
    """Credits that a refund took come back, once per key, to the grant they came from; the transaction's id.

    Where the account changed its unit meanwhile they come as a grant of their own, good as long as they were.
    """
    taken = Transaction.objects.get(pk=taken_id)
    counted_in = lock_balances(payment.account_id)[payment.account_id].unit
    words = "Refund did not go through: credits returned"
    details = {"payment": payment.public_id}
    if counted_in == taken.unit:
        back = grants.give_back(
            taken, kind="topup", description=words, key=key, reference=payment.public_id, details=details
        )
        return back.pk
    terms, found = snapshot.current().terms(payment.account.profile), lot(payment)
    posted = grants.add(
        account_id=payment.account_id,
        micros=terms.credits_for(terms.cash_for(-taken.amount, taken.unit), counted_in),
        source="topup",
        kind="topup",
        description=words,
        key=key,
        expires_at=found.expires_at if found else None,
        reference=payment.public_id,
        details=details,
    )
    return posted.pk
