"""The invariants of the books, each as one query that finds what breaks it (docs/reconcile.md explains them)."""

from typing import Final

from django.db import connection

from billing.services.reconciliation import (
    accounts,
    adjustments,
    credit,
    derived,
    grants,
    history,
    limits,
    payments,
    transitions,
    waiting,
)
from billing.services.reconciliation.check import START, Check, Finding

__all__ = ["CHECKS", "Check", "Finding", "run"]

CHECKS: Final = (
    *history.CHECKS,
    *accounts.CHECKS,
    *grants.CHECKS,
    *limits.CHECKS,
    *payments.CHECKS,
    *credit.CHECKS,
    *adjustments.CHECKS,
    *transitions.CHECKS,
    *derived.CHECKS,
    *waiting.CHECKS,
)


def run(checks: tuple[Check, ...] = CHECKS, *, everything: bool = True, examples: int = 5) -> list[Finding]:
    """Run the checks; for one consistent view of the books call it as ``runs.look`` does.

    Without ``everything`` the history is verified from each account's checkpoint on and the long checks are left out.
    """
    return [_run(check, everything, examples) for check in checks if everything or not check.long]


def _run(check: Check, everything: bool, examples: int) -> Finding:
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH start AS ({START}), breach (what) AS ({check.sql})"  # noqa: S608 - both are constants of this program
            " SELECT count(*), (array_agg(what))[1:%(examples)s] FROM breach",
            {"everything": everything, "examples": examples},
        )
        count, found = cursor.fetchone()
    return Finding(check.name, check.promise, check.remedy, count, tuple(found or ()))
