"""What was used, by day and model, for charts and forecasts."""

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Q, Sum
from django.utils.timezone import get_current_timezone_name

from billing.ledger.models import Charge, Kind, Transaction
from billing.selectors.transactions import first_seq

PACE_DAYS: Final = 14
MOST_JOBS: Final = 100

BY_DAY_SQL: Final = """
SELECT (created_at AT TIME ZONE %(zone)s)::date, model,
       sum(CASE WHEN kind = 'usage' THEN -amount ELSE 0 END)::bigint, sum(-amount)::bigint
  FROM ledger_transaction
 WHERE account_id = %(account)s AND seq >= %(seq)s AND created_at >= %(since)s
   AND (kind = 'usage' OR kind = 'refund' AND charge_id IS NOT NULL)
 GROUP BY 1, 2
"""

ByModel = dict[str, dict[date, int]]


@dataclass(frozen=True, slots=True)
class DailyUsage:
    """Micros by model and day of the viewer's zone: ``used`` as charged, ``net`` less what was refunded."""

    used: ByModel
    net: dict[date, int]

    def spent_since(self, day: date) -> int:
        """Net micros from this day on; never negative."""
        return max(0, sum(micros for when, micros in self.net.items() if when >= day))


def daily(account_id: uuid.UUID, since: datetime) -> DailyUsage:
    """The account's usage since a moment."""
    used: ByModel = defaultdict(dict)
    net: dict[date, int] = defaultdict(int)
    with connection.cursor() as cursor:
        cursor.execute(
            BY_DAY_SQL,
            {
                "zone": get_current_timezone_name(),
                "account": account_id,
                "seq": first_seq(account_id, since),
                "since": since,
            },
        )
        for day, model, gross, netted in cursor.fetchall():
            if gross:
                used[model][day] = gross
            net[day] += netted
    return DailyUsage(dict(used), dict(net))


def spent_between(account_id: uuid.UUID, since: datetime, until: datetime) -> int:
    """Net micros used from ``since`` to before ``until``, by the ledger; never negative."""
    lines = Transaction.objects.filter(
        Q(kind=Kind.USAGE) | Q(kind=Kind.REFUND, charge__isnull=False),
        account_id=account_id,
        seq__gte=first_seq(account_id, since),
        seq__lt=first_seq(account_id, until),
    )
    return max(0, -(lines.aggregate(Sum("amount"))["amount__sum"] or 0))


def run_out(available: int, usage: DailyUsage, today: date) -> tuple[int, int] | None:
    """Days the available micros last at the 14-day pace, and that pace per day; None without use."""
    per_day = usage.spent_since(today - timedelta(days=PACE_DAYS - 1)) // PACE_DAYS
    if per_day <= 0 or available <= 0:
        return None
    return available // per_day, per_day


def open_jobs(account_id: uuid.UUID) -> list[Charge]:
    """The holds in force, oldest first; at most MOST_JOBS of them."""
    return list(
        Charge.objects.filter(account_id=account_id, status=Charge.Status.AUTHORIZED).order_by("id")[
            :MOST_JOBS
        ]
    )


def ever_used(account_id: uuid.UUID) -> bool:
    """Whether the account has made a request yet."""
    return Charge.objects.filter(account_id=account_id).exists()
