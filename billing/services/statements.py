"""Sealing months: a closed month of an account is summed up once, signed and never different again."""

import logging
import uuid
from datetime import date
from typing import Final

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.ledger import clock
from billing.ledger.post import lock
from billing.models import Statement
from billing.selectors import statements as read
from billing.services import signing

log = logging.getLogger(__name__)

DUE_SQL: Final = """
SELECT b.account_id, coalesce(s.month + interval '1 month', date_trunc('month', t.created_at AT TIME ZONE 'UTC'))::date
  FROM ledger_balance b
  JOIN ledger_transaction t ON t.account_id = b.account_id AND t.seq = 1
  LEFT JOIN LATERAL (SELECT max(month) AS month FROM billing_statement WHERE account_id = b.account_id) s ON true
 WHERE coalesce(s.month + interval '1 month', date_trunc('month', t.created_at AT TIME ZONE 'UTC')) < %s
 ORDER BY b.account_id
"""
"""Accounts with months to seal, and the first of them."""


class NotOver(Exception):
    """The month still runs: its statement would not be the last word."""


def seal(account_id: uuid.UUID, month: date) -> Statement:
    """The account's signed statement of a month that is over; the first call makes it. Raises NotOver."""
    known = Statement.objects.filter(account_id=account_id, month=month).first()
    if known is not None:
        return known
    if read.following(month) > read.month_of(clock.now()):
        raise NotOver(f"{month:%Y-%m} is not over.")
    with transaction.atomic():
        # Whoever has the lock may be posting a transaction of the month's last moment: it is there when we have it.
        lock(account_id)
    account = BillingAccount.objects.get(pk=account_id)
    statement = read.draft(account_id, account.unit, month)
    statement.key = signing.current()
    statement.content = read.content(statement, account, issued=now(), key=statement.key.pk)
    statement.signature = signing.sign(statement.content)
    Statement.objects.bulk_create([statement], ignore_conflicts=True)
    return Statement.objects.get(account_id=account_id, month=month)


def seal_due() -> int:
    """Seal every closed month that has no statement yet; returns how many. One account's trouble stops no other's."""
    current = read.month_of(clock.now())
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, [read.begins(current).replace(tzinfo=None)])
        due: list[tuple[uuid.UUID, date]] = cursor.fetchall()
    sealed = 0
    for account_id, month in due:
        try:
            sealed += _seal_from(account_id, month, current)
        except Exception:
            log.exception("the statement of an account could not be sealed", extra={"account": account_id})
    return sealed


def _seal_from(account_id: uuid.UUID, month: date, current: date) -> int:
    sealed = 0
    while month < current:
        seal(account_id, month)
        month = read.following(month)
        sealed += 1
    return sealed
