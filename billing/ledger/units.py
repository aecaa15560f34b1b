"""An account counted in another unit: what it has is put by, the empty balance changes its unit, and back again.

A balance has one unit. It changes only while there is nothing in it and nothing is held, so that every hold is settled
in the unit it was placed in and the running balance of the history never mixes two.
"""

import uuid
from datetime import UTC

from django.db import transaction
from django.db.models import Case, F, Sum, When

from billing.ledger import clock, grants
from billing.ledger.chart import SET_ASIDE
from billing.ledger.errors import NotEmpty
from billing.ledger.models import Balance, Charge, Transaction
from billing.ledger.post import lock


@transaction.atomic
def set_aside(account_id: uuid.UUID, *, description: str, key: str) -> Transaction | None:
    """Put by everything the account has, remembering of which grants; None when there is nothing.

    Raises NotEmpty while work is held or the account is in debt.
    """
    lock(account_id)
    grants.expire(account_id)
    row = Balance.objects.get(pk=account_id)
    if row.held or row.balance < 0:
        raise NotEmpty(row.balance, row.held)
    if not row.balance:
        return None
    return grants.withdraw(
        account_id=account_id,
        micros=row.balance,
        kind="adjustment",
        description=description,
        key=key,
        counterpart=SET_ASIDE,
    )


@transaction.atomic
def bring_back(put_by: Transaction, *, description: str, key: str) -> Transaction:
    """What was set aside is there again, in the grants it came from; what lapsed meanwhile lapses now."""
    lock(put_by.account_id)
    if (first := grants.posted(key)) is not None:
        return first
    back = grants.give_back(
        put_by,
        kind="adjustment",
        description=description,
        key=key,
        counterpart=SET_ASIDE,
        reference=put_by.public_id,
    )
    grants.expire(put_by.account_id)
    return back


@transaction.atomic
def change(account_id: uuid.UUID, unit: str) -> None:
    """Count the account in ``unit`` from now on. Raises NotEmpty unless balance and holds are zero.

    What was accepted this month in that unit counts against the limits again, whatever was in between.
    """
    row = lock(account_id)[account_id]
    if row.balance or row.held:
        raise NotEmpty(row.balance, row.held)
    month = clock.now().astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if row.spend_month is not None and row.spend_month > month.date():  # the clock was set back
        month = month.replace(year=row.spend_month.year, month=row.spend_month.month)
    spent = Charge.objects.filter(account_id=account_id, unit=unit, authorized_at__gte=month).aggregate(
        total=Sum(Case(When(status="authorized", then=F("amount")), default=F("cost") - F("refunded")))
    )["total"]
    Balance.objects.filter(pk=account_id).update(
        unit=unit,
        credit_limit=0,
        overdraft=0,
        spend_limit=None,
        spend_month=month.date(),
        spend_accepted=max(0, int(spent or 0)),
        recharge_below=None,
        recharge_after=None,
    )
