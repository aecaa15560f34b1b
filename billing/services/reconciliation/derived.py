"""What is kept beside the ledger to read it quickly: it must say what the ledger says."""

from typing import Final

from billing.ledger import usage_days
from billing.models import HistoryBlock
from billing.services.reconciliation.check import Check


def blocks_match(width: int) -> Check:
    """The check of the blocks of so many transactions or charges."""
    return Check(
        name="blocks_match",
        promise="The blocks by which long histories are searched say what is in them.",
        remedy="`manage.py fold_usage --rebuild --account …` makes them anew; pages of the past may have been wrong.",
        long=True,
        sql=f"""
        SELECT h.account_id::text || ' #' || h.number FROM billing_historyblock h
          LEFT JOIN LATERAL (
               SELECT max(abs(amount)) AS largest, count(*) AS times FROM ledger_transaction t
                WHERE t.account_id = h.account_id AND t.seq > h.number * {width}
                  AND t.seq <= (h.number + 1) * {width}) t ON true
         WHERE t.times <> {width} OR h.largest <> t.largest
         UNION ALL
        SELECT b.account_id::text || ' ' || b.first_id FROM (
            SELECT *, lag(last_id) OVER (PARTITION BY account_id ORDER BY number) AS before FROM billing_chargeblock) b
          LEFT JOIN LATERAL (
               SELECT count(*) AS times, min(authorized_at) AS since, max(finished_at) AS until,
                      bool_or(finished_at IS NULL) AS is_open
                 FROM ledger_charge c WHERE c.account_id = b.account_id AND c.id <= b.last_id
                  AND c.id > coalesce(b.before, '00000000-0000-0000-0000-000000000000')) c ON true
         WHERE c.times <> {width} OR c.since <> b.since
            OR b.until IS NOT NULL AND (c.is_open OR c.until <> b.until)""",  # noqa: S608 - constants of this program
    )


CHECKS: Final = (
    Check(
        name="usage_days_match",
        promise="The sums by day that pages and charts read are those of the ledger.",
        remedy="billing.ledger.usage_days.rebuild folds the account's days from the ledger again.",
        long=True,
        sql=usage_days.DIFFERENT_SQL,
    ),
    blocks_match(HistoryBlock.WIDTH),
)
