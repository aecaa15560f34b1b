"""Looking at the books: on one consistent view, remembered as a row, starting where the last look ended."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import Final

from django.db import OperationalError, connection, transaction
from django.db.models import Q
from django.utils.timezone import now

from billing.models import ReconciliationRun
from billing.services.reconciliation import history, run
from billing.services.reconciliation.check import Finding

KEPT: Final = timedelta(days=90)
PATIENCE: Final = timedelta(hours=2)
"""A run that was started so long ago and has not ended died with its worker; it is done again."""
_VERIFIED: Final = frozenset(check.name for check in history.CHECKS)

CHECKPOINT_SQL: Final = """
INSERT INTO billing_chaincheckpoint AS c (account_id, seq, head, balance, checked_at)
SELECT account_id, seq, head, balance, clock_timestamp() FROM ledger_balance WHERE seq > 0
    ON CONFLICT (account_id) DO UPDATE
   SET seq = excluded.seq, head = excluded.head, balance = excluded.balance, checked_at = excluded.checked_at
 WHERE c.seq < excluded.seq
"""


def look(*, everything: bool = True) -> list[Finding]:
    """All checks on the books as they are at one instant; where the history is in order, remembers how far."""
    with _one_view():
        findings = run(everything=everything)
        if not any(finding.breaches for finding in findings if finding.name in _VERIFIED):
            _remember()
    return findings


@contextmanager
def _one_view() -> Iterator[None]:
    """A transaction whose queries all see the same moment, whatever is posted meanwhile."""
    alone = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if alone:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        yield


def _remember() -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(CHECKPOINT_SQL)
    except OperationalError:
        """Another look has just remembered the same."""


def ask(asked: str, *, everything: bool) -> ReconciliationRun:
    """Leave a look for the worker to do."""
    return ReconciliationRun.objects.create(asked=asked, everything=everything)


def record(asked: str, *, everything: bool) -> ReconciliationRun:
    """Look now, and keep what was found. The look is this one's own from its first moment: no other worker takes it."""
    own = ReconciliationRun.objects.create(asked=asked, everything=everything, started_at=now())
    return _carry_out(own)


def run_waiting() -> int:
    """Do the looks that were asked for and that nobody has begun; returns how many."""
    done = 0
    while (waiting := _claim()) is not None:
        _carry_out(waiting)
        done += 1
    return done


def forget_old() -> None:
    """Let go of looks of long ago."""
    ReconciliationRun.objects.filter(requested_at__lt=now() - KEPT).delete()


@transaction.atomic
def _claim() -> ReconciliationRun | None:
    idle = Q(started_at__isnull=True) | Q(started_at__lt=now() - PATIENCE)
    waiting = ReconciliationRun.objects.select_for_update(skip_locked=True).filter(
        idle, finished_at__isnull=True
    )
    first = waiting.order_by("requested_at").first()
    if first is not None:
        first.started_at = now()
        first.save(update_fields=["started_at"])
    return first


def _carry_out(asked: ReconciliationRun) -> ReconciliationRun:
    """Look for a run that was claimed; where another worker has taken it over meanwhile, what that one finds is kept."""
    findings = look(everything=asked.everything)
    asked.findings = [asdict(finding) for finding in findings]
    asked.breaches = sum(finding.breaches for finding in findings)
    asked.finished_at = now()
    mine = ReconciliationRun.objects.filter(pk=asked.pk, started_at=asked.started_at, finished_at=None)
    mine.update(finished_at=asked.finished_at, findings=asked.findings, breaches=asked.breaches)
    return asked
