"""What was used by day (UTC), for charts, figures and forecasts: from the folded days and what came since."""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection
from django.utils.timezone import now

from billing.ledger.models import Charge

PACE_DAYS: Final = 14
MOST_JOBS: Final = 100
DAY_SECONDS: Final = 86_400

# What work cost: what was charged for it, and of that what came back. Only those lines name a model.
USE_SQL: Final = """
SELECT day{columns}, (sum(-amount) FILTER (WHERE kind = 'usage'))::bigint, sum(-amount)::bigint,
       (sum(count) FILTER (WHERE kind = 'usage'))::bigint
  FROM ledger_days(%(account)s, %(since)s, %(until)s)
 WHERE kind IN ('usage', 'refund') AND model <> ''
   AND (%(model)s = '' OR model = %(model)s) AND (%(operation)s = '' OR operation = %(operation)s)
   AND (%(key)s::uuid IS NULL OR coalesce(api_key_id, %(none)s) = %(key)s::uuid)
 GROUP BY {numbers} ORDER BY {numbers}
"""
COLUMNS: Final = {"model": "model", "operation": "operation", "key": "api_key_id::text"}
NO_KEY: Final = uuid.UUID(int=0)
"""Stands for work that was asked for by naming the account."""

ByModel = dict[str, dict[date, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Only:
    """What of the usage is wanted; empty values do not filter."""

    model: str = ""
    operation: str = ""
    key_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """One day of what shares ``names`` (as asked: models, operations, ids of keys or ""), amounts in micros.

    ``used`` is what was charged, ``net`` less what was refunded that day.
    """

    day: date
    names: tuple[str, ...]
    used: int
    net: int
    requests: int


@dataclass(frozen=True, slots=True)
class DailyUsage:
    """Micros by model and day: ``used`` as charged, ``net`` less what was refunded."""

    used: ByModel
    net: dict[date, int]

    def spent_since(self, day: date) -> int:
        """Net micros from this day on; never negative."""
        return max(0, sum(micros for when, micros in self.net.items() if when >= day))


def today() -> date:
    """The day it is in UTC; usage is counted by these."""
    return now().astimezone(UTC).date()


def by_day(
    account_id: uuid.UUID, since: date, until: date, *names: str, only: Only | None = None
) -> list[Use]:
    """The use from one day to before another, by day and the named columns (see COLUMNS)."""
    only = only or Only()
    numbers = ", ".join(str(number) for number in range(1, len(names) + 2))
    sql = USE_SQL.format(columns="".join(f", {COLUMNS[name]}" for name in names), numbers=numbers)
    values: dict[str, str | date | uuid.UUID | None] = {
        "account": account_id,
        "since": since,
        "until": until,
        "model": only.model,
        "operation": only.operation,
        "key": only.key_id,
        "none": NO_KEY,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [
            Use(day, tuple(name or "" for name in found), used or 0, net, requests or 0)
            for day, *found, used, net, requests in cursor.fetchall()
        ]


def daily(account_id: uuid.UUID, since: date) -> DailyUsage:
    """The account's usage since a day."""
    used: ByModel = defaultdict(dict)
    net: dict[date, int] = defaultdict(int)
    for use in by_day(account_id, since, date.max, "model"):
        if use.used:
            used[use.names[0]][use.day] = use.used
        net[use.day] += use.net
    return DailyUsage(dict(used), dict(net))


def spent_between(account_id: uuid.UUID, since: datetime, until: datetime) -> int:
    """Net micros used from midnight (UTC) to before another, by the ledger; never negative."""
    days = by_day(account_id, since.astimezone(UTC).date(), until.astimezone(UTC).date(), "model")
    return max(0, sum(use.net for use in days))


def run_out(
    available: int, usage: DailyUsage, today: date, lots: Iterable[tuple[int, timedelta | None]] = ()
) -> tuple[int, int] | None:
    """Days the available micros last at the 14-day pace, and that pace per day; None without use.

    ``lots``: what is left of each grant in the order of use, and how long until it lapses: what the pace does not come
    to by then is not counted.
    """
    per_day = usage.spent_since(today - timedelta(days=PACE_DAYS - 1)) // PACE_DAYS
    if per_day <= 0 or available <= 0:
        return None
    used = lost = 0
    for remaining, left in lots:
        by_then = None if left is None else per_day * (left // timedelta(seconds=1)) // DAY_SECONDS
        usable = remaining if by_then is None else min(remaining, max(0, by_then - used))
        used += usable
        lost += remaining - usable
    return max(0, available - lost) // per_day, per_day


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
