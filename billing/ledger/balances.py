"""What an account has: opening its balance row, reading it, and the rules that sit on it."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from billing.ledger import clock
from billing.ledger.errors import NoSuchAccount
from billing.ledger.models import Balance, UnfoldedHold
from billing.ledger.post import lock


@dataclass(frozen=True)
class BalanceView:
    """An account's standing in micros. ``available`` leaves out holds and lapsed credits, and counts the credit limit."""

    account_id: uuid.UUID
    unit: str
    balance: int
    held: int
    available: int
    credit_limit: int
    spend_limit: int | None
    spent: int
    """Accepted this calendar month (UTC)."""


READ_SQL = """
SELECT b.account_id, b.unit, b.balance - l.lapsed, b.held + l.unfolded,
       b.balance - b.held - l.unfolded - l.lapsed + b.credit_limit,
       b.credit_limit, b.spend_limit,
       CASE WHEN b.spend_month >= date_trunc('month', ledger_now() AT TIME ZONE 'UTC')::date
            THEN b.spend_accepted ELSE 0 END
  FROM ledger_balance b
 CROSS JOIN LATERAL (
       SELECT CASE WHEN b.next_expiry <= ledger_now() THEN ledger_lapsed(b.account_id, ledger_now()) ELSE 0 END AS lapsed,
              ledger_unfolded(b.account_id) AS unfolded
 ) l
 WHERE b.account_id = ANY (%s)
"""


def of(account_id: uuid.UUID) -> BalanceView:
    """The account's standing at this moment. Raises NoSuchAccount."""
    with connection.cursor() as cursor:
        cursor.execute(READ_SQL, [[account_id]])
        row = cursor.fetchone()
    if row is None:
        raise NoSuchAccount(str(account_id))
    return BalanceView(*row)


def with_lapsed() -> list[uuid.UUID]:
    """The accounts with credits that may have lapsed by now, those that wait longest first."""
    due = Balance.objects.filter(next_expiry__lte=clock.now()).order_by("next_expiry")
    return list(due.values_list("account_id", flat=True))


def open_row(account_id: uuid.UUID, *, unit: str, credit_limit: int = 0) -> None:
    """Create the account's balance row; a second call changes nothing."""
    Balance.objects.get_or_create(
        account_id=account_id, defaults={"unit": unit, "credit_limit": credit_limit}
    )


def close_row(account_id: uuid.UUID) -> None:
    """From now on nothing is authorized on the account and nothing recharged; what it has stays as it is."""
    Balance.objects.filter(account_id=account_id).update(
        is_open=False, recharge_below=None, comfort_above=None, comfort_share=None
    )


def set_recharge_rule(account_id: uuid.UUID, *, below: int | None, after: datetime | None = None) -> None:
    """From when on authorize asks for an auto-recharge: balance under ``below`` micros, not before ``after``.

    ``below=None`` switches it off.
    """
    Balance.objects.filter(account_id=account_id).update(recharge_below=below, recharge_after=after)


def set_spend_limit(account_id: uuid.UUID, limit: int | None) -> None:
    """The most that may be accepted per calendar month (UTC), micros; None for no limit."""
    Balance.objects.filter(account_id=account_id).update(spend_limit=limit)


COMFORT_SLOTS: Final = 16
"""How many calls may skip an account's lock at once (``ledger_comfort_slot``)."""


def set_comfort(account_id: uuid.UUID, *, above: int | None, overshoot: int = 0) -> None:
    """While ``above`` micros stay available, holds are placed without waiting for the account's lock.

    Together they can take the account at most ``overshoot`` micros below its means; None: every hold waits.
    """
    share = None if above is None else overshoot // COMFORT_SLOTS
    row = Balance.objects.filter(account_id=account_id)
    row.exclude(comfort_above=above, comfort_share=share).update(comfort_above=above, comfort_share=share)


def fold_holds() -> int:
    """Add the holds that were placed without a lock to their balance rows; returns how many accounts had some."""
    waiting = list(UnfoldedHold.objects.values_list("account_id", flat=True).distinct())
    for account_id in waiting:
        with transaction.atomic():
            lock(account_id)
    return len(waiting)


@transaction.atomic
def set_credit_limit(account_id: uuid.UUID, limit: int) -> None:
    """How far below zero the account may go, micros. What is used beyond a lowered limit is recorded as overdraft."""
    row = lock(account_id)[account_id]
    row.credit_limit = limit
    row.overdraft = max(0, row.held - row.balance - limit)
    row.save(update_fields=["credit_limit", "overdraft"])
