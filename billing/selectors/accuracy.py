"""How far estimates were from what the work did cost, by model and operation.

The error of a request is |effective − estimate| ÷ estimate, where the effective cost is what was charged and what could
not be collected. Work charged on acceptance, free work and work that was not delivered says nothing about it.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection

RECENT: Final = 1_000
"""An account's own figures are of its last so many requests."""
WHOLE: Final = 1_000_000
"""Shares are counted in millionths of the estimate."""

# The figures of any set of charges; the columns are those of Accuracy. The inner query names where they are from.
FIGURES_SQL: Final = """
SELECT {by}, count(*), sum(estimate)::bigint, sum(effective)::bigint,
       percentile_disc(0.5) WITHIN GROUP (ORDER BY abs(difference)),
       percentile_disc(0.95) WITHIN GROUP (ORDER BY abs(difference)),
       percentile_disc(0.95) WITHIN GROUP (ORDER BY difference),
       count(*) FILTER (WHERE effective > held)
  FROM (SELECT *, round(least((effective - estimate) * 1000000.0 / estimate, 1e15))::bigint AS difference
          FROM (SELECT c.*, cost + uncollected AS effective
                  FROM (SELECT {keep}, status, cost, uncollected, authorized_at, finished_at,
                               CASE WHEN reports IS NULL THEN amount
                                    ELSE ledger_held_at(amount, reports, '-infinity') END AS held,
                               coalesce(estimate, amount) AS estimate FROM {source}) c) c
         WHERE status IN ('settled', 'refunded') AND estimate > 0 AND finished_at > authorized_at) c
 GROUP BY {by}
"""

OWN_SQL: Final = FIGURES_SQL.format(
    by="model, operation",
    keep="model, operation",
    source="(SELECT * FROM ledger_charge WHERE account_id = %s ORDER BY id DESC LIMIT %s) recent",
)

ALL_SQL: Final = FIGURES_SQL.format(
    by="profile, model, operation",
    keep="profile, model, operation",
    source="(SELECT a.profile, c.* FROM ledger_charge c JOIN accounts_billingaccount a ON a.id = c.account_id"
    " WHERE c.id >= %s AND c.authorized_at >= %s) recent",
)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of ``count`` settled requests: sums in micros; errors and the largest excess in millionths of the estimate.

    ``excess`` is the 95th percentile of (effective − estimate) ÷ estimate, negative where nearly all cost less.
    ``over_hold`` counts those that cost more than was held for them.
    """

    model: str
    operation: str
    count: int
    estimated: int
    effective: int
    median: int
    p95: int
    excess: int
    over_hold: int

    @property
    def over_share(self) -> int:
        """Millionths of the requests."""
        return self.over_hold * WHOLE // self.count


def by_profile(since: datetime) -> dict[str, list[Accuracy]]:
    """The figures of everybody's charges since a moment, by profile.

    Ids are ordered by the time they were made, which is at most a little before the work was accepted.
    """
    oldest = int((since - timedelta(days=1)).timestamp()) * 1000 << 80
    found: dict[str, list[Accuracy]] = {}
    with connection.cursor() as cursor:
        cursor.execute(ALL_SQL, [uuid.UUID(int=oldest), since])
        for profile, *figures in cursor.fetchall():
            found.setdefault(profile, []).append(Accuracy(*figures))
    return found


def of_account(account_id: uuid.UUID) -> list[Accuracy]:
    """The account's own figures, most requests first."""
    with connection.cursor() as cursor:
        cursor.execute(OWN_SQL, [account_id, RECENT])
        found = [Accuracy(*row) for row in cursor.fetchall()]
    return sorted(found, key=lambda one: (-one.count, one.model, one.operation))
