"""Refunds of purchases: within the profile's days the unused part goes back in full, used credits never.

The profile says who decides (``[terms.refunds]``): with ``staff`` a customer's request waits for them, otherwise it is
carried out at once. The credits are taken before Stripe is asked, so that nobody spends what is being refunded; Stripe
is asked under the request's own key until it answers, and the refund it tells of is matched to the request (``reversals``).
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from accounts.models import User
from billing.errors import InvalidRequest, InvalidState
from billing.gateways import gateway
from billing.gateways.protocol import GatewayError, Rejected, ReversalState
from billing.ledger import balances, clock, grants
from billing.ledger.chart import STRIPE_CLEARING
from billing.models import Payment, RefundRequest, Reversal
from billing.services import payments, reversals, validity
from catalog import snapshot

log = logging.getLogger(__name__)
Status = RefundRequest.Status
ASK_AGAIN: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Refundable:
    """What may go back of a purchase now: micros of credits and the cash for them with its tax, until when.

    ``request`` is the latest one. ``waits``: staff decide about a request.
    """

    cash_minor: int
    micros: int
    until: datetime
    waits: bool
    request: RefundRequest | None

    @property
    def asked(self) -> RefundRequest | None:
        """The request that is not decided or not paid out yet."""
        is_open = self.request is not None and self.request.status in (Status.ASKED, Status.SENT)
        return self.request if is_open else None

    @property
    def may_ask(self) -> bool:
        """Whether something is left to ask for, in time, and nothing is asked for yet."""
        return self.cash_minor > 0 and self.asked is None and clock.now() < self.until


def refundable(payment: Payment) -> Refundable | None:
    """What may be refunded; None where the profile refunds nothing or the payment bought nothing that could be."""
    terms = snapshot.current().terms(payment.account.profile)
    if not terms.refunds.window_days or payment.status != Payment.Status.SUCCEEDED:
        return None
    if payment.finished_at is None or balances.of(payment.account_id).unit != payment.unit:
        return None
    cash, micros = _unused(payment)
    return Refundable(
        cash_minor=cash,
        micros=micros,
        until=payment.finished_at + timedelta(days=terms.refunds.window_days),
        waits=terms.refunds.approval == "staff",
        request=payment.refund_requests.first(),
    )


def ask(payment_id: uuid.UUID, *, by: User | None, because: str = "") -> RefundRequest:
    """Ask for the unused part of a purchase; asking twice asks once. Raises InvalidState: none is left, or too late."""
    with transaction.atomic():
        payment = payments.lock(payment_id)
        found = refundable(payment)
        if found is not None and found.asked is not None:
            return found.asked
        if found is None or not found.may_ask:
            raise InvalidState("Nothing of this purchase can be refunded any more.")
        row = RefundRequest.objects.create(
            payment=payment, cash_minor=found.cash_minor, asked_by=by, asked_because=because.strip()[:200]
        )
    return row if found.waits else carry_out(row.pk, by=None)


def carry_out(request_id: uuid.UUID, *, by: User | None, reason: str = "") -> RefundRequest:
    """Take what is unused now and have Stripe send the money; once, whoever asks and however often.

    Where Stripe does not answer it stays on its way and the sweep asks again. Raises InvalidState where nothing is
    unused any more, it was declined, or Stripe refuses.
    """
    row = _take(request_id, by, reason)
    if row.status == Status.DONE:
        return row
    try:
        state = _sent(row)
        reversals.take_over(Reversal.Kind.REFUND, state)
    except GatewayError:
        log.warning("Stripe did not answer to refund %s; it is asked again", row.pk)
    row.refresh_from_db()
    return row


def _sent(row: RefundRequest) -> ReversalState:
    """Stripe's refund. Raises InvalidState where Stripe refuses, GatewayError where it does not answer."""
    try:
        return gateway().refund(
            key=f"refund:{row.pk.hex}",
            intent_id=row.payment.stripe_intent_id or "",
            amount_minor=row.cash_minor,
        )
    except Rejected as error:
        _give_back(row.pk, str(error))
        raise InvalidState(f"Stripe refuses this refund: {error}") from error


@transaction.atomic
def decline(request_id: uuid.UUID, *, by: User | None, reason: str) -> RefundRequest:
    """Nothing goes back; the customer reads the reason. Raises InvalidRequest without one, InvalidState once decided."""
    if not reason.strip():
        raise InvalidRequest(
            "Say why; the customer reads it.", [{"field": "reason", "message": "is required"}]
        )
    row = _locked(request_id)
    if row.status != Status.ASKED:
        raise InvalidState(f"This request is {row.get_status_display().lower()} already.")
    row.status, row.decided_by, row.decided_at, row.reason = Status.DECLINED, by, now(), reason.strip()[:200]
    row.save()
    return row


def finish_sent() -> int:
    """Look for refunds that Stripe did not answer to, and ask again where it has none; returns how many those were.

    What exists is looked for first: Stripe forgets keys after a day.
    """
    waiting = RefundRequest.objects.filter(status=Status.SENT, decided_at__lt=now() - ASK_AGAIN)
    tried = list(waiting.values_list("pk", "payment__stripe_charge_id"))
    for request_id, charge_id in tried:
        try:
            if charge_id:
                reversals.record_refunds_of(charge_id)
            carry_out(request_id, by=None)
        except (InvalidState, GatewayError) as error:
            log.warning("refund %s: %s", request_id, error)
    return len(tried)


@transaction.atomic
def _take(request_id: uuid.UUID, by: User | None, reason: str) -> RefundRequest:
    """Take the credits and note, before Stripe hears of it, what goes back."""
    row = _locked(request_id)
    if row.status in (Status.SENT, Status.DONE):
        return row
    if row.status != Status.ASKED:
        raise InvalidState(f"This request is {row.get_status_display().lower()}.")
    grants.expire(row.payment.account_id)
    cash, micros = _unused(row.payment)
    lot = reversals.lot(row.payment)
    if not cash or lot is None:
        raise InvalidState("Nothing of this purchase is unused any more.")
    posted = grants.withdraw(
        account_id=row.payment.account_id,
        micros=micros,
        kind="refund",
        description=f"Refund of {row.payment.get_purpose_display().lower()}",
        key=f"refund:{row.pk.hex}",
        counterpart=STRIPE_CLEARING,
        grant_id=lot.pk,
        reference=row.payment.public_id,
        details={"payment": row.payment.public_id, "cash_minor": cash},
    )
    row.status, row.cash_minor, row.withdrawn, row.transaction_id = Status.SENT, cash, micros, posted.pk
    row.decided_by, row.decided_at, row.reason = by, now(), reason.strip()[:200]
    row.save()
    return row


@transaction.atomic
def _give_back(request_id: uuid.UUID, why: str) -> None:
    """Stripe will not send the money: the credits come back, good as long as they were."""
    row = _locked(request_id)
    if row.status != Status.SENT or row.transaction_id is None:
        return
    restored = reversals.give_again(row.payment, row.transaction_id, key=f"refund_undone:{row.pk.hex}")
    row.status, row.restored_id, row.reason = Status.FAILED, restored, why[:200]
    row.save()
    validity.follow(row.payment.account_id)


def _locked(request_id: uuid.UUID) -> RefundRequest:
    """The request, locked after its payment and before the balance, as everywhere."""
    payments.lock(RefundRequest.objects.values_list("payment_id", flat=True).get(pk=request_id))
    return (
        RefundRequest.objects.select_for_update(of=("self",))
        .select_related("payment__account")
        .get(pk=request_id)
    )


def _unused(payment: Payment) -> tuple[int, int]:
    """Cash (with its tax, rounded down) and micros of what is unspent, unlapsed and held by no open work."""
    lot, standing = reversals.lot(payment), balances.of(payment.account_id)
    if lot is None or (lot.expires_at is not None and lot.expires_at <= clock.now()):
        return 0, 0
    unspent = max(0, min(lot.remaining, standing.balance - standing.held))
    total = payment.cash_minor + payment.tax_minor
    gone = sum(each.cash_minor for each in payment.reversals.all() if each.went_back)
    cash = min(total - gone, total * unspent // payment.credits)
    micros = min(unspent, reversals.share(Reversal(payment=payment, cash_minor=cash)))
    return (cash, micros) if cash > 0 and micros > 0 else (0, 0)
