"""How the portal is doing, in figures for a monitoring system."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.utils.timezone import now

from billing.models import ReconciliationRun

COUNTS_SQL: Final = """
SELECT (SELECT count(*) FROM billing_outboxmessage WHERE sent_at IS NULL AND parked_at IS NULL),
       (SELECT count(*) FROM billing_outboxmessage WHERE sent_at IS NULL AND parked_at IS NOT NULL),
       (SELECT count(*) FROM billing_webhookinbox WHERE done_at IS NULL AND parked_at IS NULL),
       (SELECT count(*) FROM billing_webhookinbox WHERE done_at IS NULL AND parked_at IS NOT NULL),
       (SELECT count(*) FROM ledger_charge WHERE status = 'authorized'),
       (SELECT count(*) FROM billing_payment
         WHERE status = 'unknown' OR status = 'submitted' AND route <> 'checkout'),
       (SELECT count(*) FROM ledger_balance WHERE balance < 0)
"""


ONLY_WHAT_IS_NEW: Final = frozenset({"chain_intact", "history_without_gaps", "transactions_posted"})
"""Checks that read a history from where it was last verified, in a look that is not at everything."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What waits and what stands out, now."""

    outbox_unsent: int
    outbox_parked: int
    inbox_unfinished: int
    inbox_parked: int
    holds_open: int
    payments_unknown: int
    balances_negative: int


def counts() -> Counts:
    """The figures, each from a partial index or a small table."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS_SQL)
        return Counts(*cursor.fetchone())


def last_look(*, everything: bool) -> ReconciliationRun | None:
    """The newest finished look at the books of that thoroughness."""
    done = ReconciliationRun.objects.filter(finished_at__isnull=False, everything=everything)
    return done.order_by("-finished_at").first()


def breaches(looks: list[ReconciliationRun]) -> dict[str, int]:
    """Breaches by check, each as the newest of the looks that made this check found it.

    What a look at everything found in the history stays until another one finds it mended: to a look at what is
    new the old rows are verified.
    """
    found: dict[str, int] = {}
    for look in sorted(looks, key=_finished):
        for finding in look.findings:
            name, count = finding["name"], finding["breaches"]
            stays = not look.everything and name in ONLY_WHAT_IS_NEW
            found[name] = max(count, found.get(name, 0)) if stays else count
    return found


def _finished(look: ReconciliationRun) -> datetime:
    return look.finished_at or now()
