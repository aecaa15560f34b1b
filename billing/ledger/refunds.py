"""Giving a charge back: the opposite is posted, and the credits return to the grants they came from."""

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Greatest

from billing.ledger import clock, key_limits
from billing.ledger.errors import OtherUnit
from billing.ledger.grants import create_lot, lots_total, note_next_expiry
from billing.ledger.models import Balance, Charge, Grant, GrantUse, KeyLimit, Transaction
from billing.ledger.post import Entry, lock, post
from billing.ledger.reports import TIMED_OUT

GRACE = timedelta(days=30)
"""How long credits stay good that come back after the grant they were taken from had expired."""


class NotRefundable(Exception):
    """The charge is not settled, or less than the amount is left of it (``refundable`` micros)."""

    def __init__(self, status: str, refundable: int) -> None:
        super().__init__(status)
        self.status = status
        self.refundable = refundable


@transaction.atomic
def refund_charge(*, charge_id: uuid.UUID, micros: int | None, reason: str) -> Transaction:
    """Post a refund of a settled charge, whole (``micros=None``) or in part; amounts in micros.

    Credits go back to the grants they came from, last used first; where a grant has expired meanwhile they
    come back as a new grant that is good for 30 days, and what had been a debt as one without an end.
    Raises NotRefundable, OtherUnit, Charge.DoesNotExist.
    """
    account_id = Charge.objects.values_list("account_id", flat=True).get(pk=charge_id)
    balance = lock(account_id)[account_id]
    charge = Charge.objects.get(pk=charge_id)
    if charge.unit != balance.unit:
        raise OtherUnit(charge.unit, balance.unit)
    left = (charge.cost or 0) - charge.refunded
    amount = left if micros is None else micros
    if charge.status != Charge.Status.SETTLED or amount > left or (amount <= 0 and left > 0):
        raise NotRefundable(charge.status, left if charge.status == Charge.Status.SETTLED else 0)
    entry = Entry(
        account_id=account_id,
        kind="refund",
        amount=amount,
        description=charge.description,
        charge_id=charge.pk,
        reference=charge.reference,
        model=charge.model,
        api_key_id=charge.api_key_id,
        details={"reason": reason},
    )
    post([entry])
    charge.refunded += amount
    charge.status = Charge.Status.REFUNDED if charge.refunded == charge.cost else Charge.Status.SETTLED
    if (
        charge.reason != TIMED_OUT
    ):  # how it came to its cost explains the charge; the refund keeps its own reason
        charge.reason = reason
    charge.save(update_fields=["refunded", "status", "reason"])
    _give_back_spend(balance, charge, amount)
    _restore_lots(balance, charge, entry)
    return Transaction.objects.get(pk=entry.id)


def _give_back_spend(balance: Balance, charge: Charge, amount: int) -> None:
    """What came back no longer counts against the month it was accepted in, nor against its key's budget."""
    now = clock.now().date().replace(day=1)
    month = max(now, balance.spend_month or now)
    this_month = charge.authorized_at.date() >= month
    if balance.spend_month == month and this_month:
        Balance.objects.filter(pk=balance.pk).update(spend_accepted=max(0, balance.spend_accepted - amount))
    key = charge.api_key_id and key_limits.counted_as(charge.api_key_id)
    limit = KeyLimit.objects.filter(api_key_id__in=[key])
    limit.update(accepted=Greatest(0, F("accepted") - amount))
    if this_month:
        limit.filter(month=month).update(month_accepted=Greatest(0, F("month_accepted") - amount))


def _restore_lots(balance: Balance, charge: Charge, entry: Entry) -> None:
    moment = clock.now()
    balance.refresh_from_db()
    left = min(entry.amount, max(0, balance.balance - lots_total(balance.account_id)))
    uses = (
        GrantUse.objects.filter(transaction__charge_id=charge.pk)
        .values("grant_id")
        .annotate(net=Sum("amount"))
        .filter(net__gt=0)
    )
    grants = Grant.objects.in_bulk([use["grant_id"] for use in uses])
    expired = 0
    for use in sorted(uses, key=lambda use: use["grant_id"], reverse=True):
        grant = grants[use["grant_id"]]
        if grant.expires_at is not None and grant.expires_at <= moment:
            expired += int(use["net"])
            continue
        if left == 0:
            break
        back = min(left, int(use["net"]))
        grant.remaining += back
        grant.is_spent = False
        grant.save(update_fields=["remaining", "is_spent"])
        GrantUse.objects.create(transaction_id=entry.id, grant_id=grant.pk, amount=-back)
        left -= back
    expired = min(expired, left)
    for micros, expires_at in ((expired, moment + GRACE), (left - expired, None)):
        if micros > 0:
            create_lot(balance, entry, source=Grant.Source.REFUND, expires_at=expires_at, micros=micros)
    note_next_expiry(balance.account_id)
