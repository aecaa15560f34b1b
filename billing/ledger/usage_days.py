"""What happened by day: sums of transactions, folded from the ledger some seconds after they were posted.

Nothing of it is on the way of a charge. ``ledger_days`` (``sql/usage_days.sql``) is how it is read: folded days and
what came since, in one statement, so that the figures are always the ledger's.
"""

import uuid
from typing import Final

from django.db import connection, models, transaction

BATCH: Final = 20_000
"""Transactions folded at a time: a fraction of a second, and a lock that only another fold waits for."""


class UsageDay(models.Model):
    """One account's transactions of one day (UTC) that share unit, kind, model, operation and key.

    ``amount`` is signed micros as in the ledger; all of them lie between ``first_seq`` and ``last_seq``.
    """

    account = models.ForeignKey(
        "accounts.BillingAccount",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    day = models.DateField()
    unit = models.CharField(max_length=8)
    kind = models.CharField(max_length=16)
    model = models.CharField(max_length=80, blank=True)
    operation = models.CharField(max_length=80, blank=True)
    api_key_id = models.UUIDField(null=True)
    count = models.BigIntegerField()
    amount = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()

    class Meta:
        app_label = "ledger"
        # A day of a row never changes, so its updates stay within the page, for all accounts' days together too.
        indexes = [models.Index(fields=["day"], name="usageday_day")]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "day", "unit", "kind", "model", "operation", "api_key_id"],
                name="usageday_unique",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.model} {self.operation}: {self.amount}"


class UsageFold(models.Model):
    """Up to which transaction an account's days are folded."""

    account = models.OneToOneField(
        "accounts.BillingAccount",
        on_delete=models.PROTECT,
        db_constraint=False,
        primary_key=True,
        related_name="+",
    )
    seq = models.BigIntegerField(default=0)

    class Meta:
        app_label = "ledger"

    def __str__(self) -> str:
        return f"{self.account_id}: {self.seq}"


MOVED_SQL: Final = """
SELECT b.account_id FROM ledger_balance b LEFT JOIN ledger_usagefold f ON f.account_id = b.account_id
 WHERE b.seq > coalesce(f.seq, 0)
"""

DIFFERENT_SQL: Final = """
SELECT coalesce(d.account_id, t.account_id)::text || ' ' || coalesce(d.day, t.day)
  FROM ledger_usageday d
  FULL JOIN (SELECT t.account_id, (t.created_at AT TIME ZONE 'UTC')::date AS day, t.unit, t.kind, t.model,
                    coalesce(c.operation, '') AS operation, t.api_key_id, count(*) AS count, sum(t.amount) AS amount,
                    min(t.seq) AS first_seq, max(t.seq) AS last_seq
               FROM ledger_transaction t JOIN ledger_usagefold f ON f.account_id = t.account_id AND t.seq <= f.seq
               LEFT JOIN ledger_charge c ON c.id = t.charge_id
              GROUP BY 1, 2, 3, 4, 5, 6, 7) t
    ON d.account_id = t.account_id AND d.day = t.day AND d.unit = t.unit AND d.kind = t.kind AND d.model = t.model
       AND d.operation = t.operation AND coalesce(d.api_key_id::text, '') = coalesce(t.api_key_id::text, '')
 WHERE (d.count, d.amount, d.first_seq, d.last_seq) IS DISTINCT FROM (t.count, t.amount, t.first_seq, t.last_seq)
"""
"""The days that are not what the ledger says of the transactions they stand for; a check of ``reconcile``."""


def fold(account_id: uuid.UUID, most: int = BATCH) -> int:
    """Fold the account's next transactions, at most ``most``; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_fold(%s, %s)", [account_id, most])
        return int(cursor.fetchone()[0])


def fold_up(account_id: uuid.UUID) -> int:
    """Fold all of the account's transactions there are by now, some at a time; returns how many."""
    total = 0
    while (folded := fold(account_id)) > 0:
        total += folded
        if folded < BATCH:
            break
    return total


def fold_all() -> int:
    """Fold every account that moved since the last time; returns how many transactions that were."""
    with connection.cursor() as cursor:
        cursor.execute(MOVED_SQL)
        moved = [row[0] for row in cursor.fetchall()]
    return sum(fold_up(account_id) for account_id in moved)


@transaction.atomic
def rebuild(account_id: uuid.UUID) -> int:
    """Fold the account's whole history again, for repair; readers see the old days until it is done."""
    UsageFold.objects.get_or_create(account_id=account_id)
    UsageFold.objects.select_for_update().get(account_id=account_id)
    UsageDay.objects.filter(account_id=account_id).delete()
    UsageFold.objects.filter(account_id=account_id).update(seq=0)
    return fold_up(account_id)
