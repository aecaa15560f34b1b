"""Keeping what long histories are searched by (``models/blocks.py``): blocks of what does not change any more.

Transactions are numbered without gaps, so a block of them is whole once the next one has begun. Charges are ordered by their
ids, which the caller's clock made: a block takes only those that are an hour old, when no earlier one can come between.
"""

import time
import uuid
from datetime import timedelta
from typing import Final

from django.db import connection, transaction

from billing.models import ChargeBlock, HistoryBlock

SETTLED_AFTER: Final = timedelta(hours=1)
MOST: Final = 100
"""Blocks made in one transaction."""

DUE_SQL: Final = """
SELECT b.account_id FROM ledger_balance b
  LEFT JOIN LATERAL (SELECT max(number) + 1 AS done FROM billing_historyblock WHERE account_id = b.account_id) h ON true
 WHERE b.seq / %(width)s > coalesce(h.done, 0)
"""

HISTORY_SQL: Final = """
WITH done AS (SELECT coalesce(max(number) + 1, 0) AS blocks FROM billing_historyblock WHERE account_id = %(account)s),
     upto AS (SELECT least(b.seq / %(width)s, done.blocks + %(most)s) AS blocks
                FROM ledger_balance b, done WHERE b.account_id = %(account)s)
INSERT INTO billing_historyblock (account_id, number, largest)
SELECT t.account_id, (t.seq - 1) / %(width)s, max(abs(t.amount)) FROM done, upto, ledger_transaction t
 WHERE t.account_id = %(account)s AND t.seq > done.blocks * %(width)s AND t.seq <= upto.blocks * %(width)s
 GROUP BY 1, 2 ON CONFLICT DO NOTHING
"""

BUSY_SQL: Final = """
SELECT b.account_id FROM ledger_balance b
 CROSS JOIN LATERAL (
       SELECT c.id FROM ledger_charge c
        WHERE c.account_id = b.account_id AND c.id < %(settled)s AND c.id > coalesce((
              SELECT last_id FROM billing_chargeblock
               WHERE account_id = b.account_id ORDER BY number DESC LIMIT 1), %(zero)s)
        ORDER BY c.id OFFSET %(width)s - 1 LIMIT 1) enough
"""

CHARGES_SQL: Final = """
WITH last AS (SELECT number + 1 AS blocks, last_id FROM billing_chargeblock
               WHERE account_id = %(account)s ORDER BY number DESC LIMIT 1),
     next AS (SELECT id, authorized_at, finished_at, row_number() OVER (ORDER BY id) - 1 AS place FROM (
              SELECT id, authorized_at, finished_at FROM ledger_charge
               WHERE account_id = %(account)s AND id < %(settled)s
                 AND id > coalesce((SELECT last_id FROM last), %(zero)s)
               ORDER BY id LIMIT %(width)s * %(most)s) charge)
INSERT INTO billing_chargeblock (account_id, number, first_id, last_id, since, until)
SELECT %(account)s, coalesce((SELECT blocks FROM last), 0) + place / %(width)s,
       (array_agg(id ORDER BY id))[1], (array_agg(id ORDER BY id DESC))[1], min(authorized_at),
       CASE WHEN bool_and(finished_at IS NOT NULL) THEN max(finished_at) END
  FROM next GROUP BY place / %(width)s HAVING count(*) = %(width)s
    ON CONFLICT DO NOTHING
"""

ENDED_SQL: Final = """
UPDATE billing_chargeblock b SET until = c.until FROM (
    SELECT o.account_id, o.number, max(c.finished_at) AS until
      FROM billing_chargeblock o
      JOIN ledger_charge c ON c.account_id = o.account_id AND c.id BETWEEN o.first_id AND o.last_id
     WHERE o.until IS NULL GROUP BY 1, 2 HAVING bool_and(c.finished_at IS NOT NULL)) c
 WHERE b.account_id = c.account_id AND b.number = c.number
"""

ZERO: Final = uuid.UUID(int=0)


def keep_up() -> int:
    """Make the blocks that can be made by now; returns how many."""
    made = 0
    for account_id in _accounts(DUE_SQL, width=HistoryBlock.WIDTH):
        made += _repeat(HISTORY_SQL, account=account_id, width=HistoryBlock.WIDTH)
    old = {"settled": _settled(), "zero": ZERO, "width": ChargeBlock.WIDTH}
    for account_id in _accounts(BUSY_SQL, **old):
        made += _repeat(CHARGES_SQL, account=account_id, **old)
    with connection.cursor() as cursor:
        cursor.execute(ENDED_SQL)
    return made


@transaction.atomic
def forget(account_id: uuid.UUID) -> None:
    """Drop an account's blocks, for repair; ``keep_up`` makes them anew, and until then it is all read row by row."""
    HistoryBlock.objects.filter(account_id=account_id).delete()
    ChargeBlock.objects.filter(account_id=account_id).delete()


def _accounts(sql: str, **values: object) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)  # type: ignore[arg-type]  # the stubs know only the plainest parameters
        return [row[0] for row in cursor.fetchall()]


def _repeat(sql: str, **values: object) -> int:
    """Make an account's blocks, so many at a time, until there are no more; two workers at it make each block once."""
    total = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(sql, {**values, "most": MOST})  # type: ignore[dict-item]
            made: int = cursor.rowcount
        total += made
        if made < MOST:
            return total


def _settled() -> uuid.UUID:
    """The smallest time-ordered id (UUIDv7) of an hour ago: ids are made by this clock, whatever the ledger's says."""
    milliseconds = int((time.time() - SETTLED_AFTER.total_seconds()) * 1000)
    return uuid.UUID(int=max(0, milliseconds) << 80)
