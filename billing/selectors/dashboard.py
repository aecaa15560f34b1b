"""What staff see first in the admin: money by unit, and what waits for somebody.

Nothing here reads the ledger's history: months are read from the folded days (exact up to the last fold, some seconds ago),
open work from partial indexes, and only the liability adds up a whole table: ``ledger_balance``, one row an account.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection

from billing.models import AdjustmentRequest, AutoRecharge, Payment, RefundRequest
from catalog import snapshot
from catalog.pricing.units import Amount
from config.ids import first_id

RECENT: Final = timedelta(days=7)
"""How far back a failed recharge is still news."""

# What a purchase gives back is a ``refund`` too, but of no model: no revenue was made with it.
MONTHS_SQL: Final = """
SELECT unit, date_trunc('month', day)::date AS month,
       coalesce(-sum(amount) FILTER (WHERE kind = 'usage' OR kind = 'refund' AND model <> ''), 0)::bigint,
       coalesce(-sum(amount) FILTER (WHERE kind IN ('expiry', 'reset')), 0)::bigint
  FROM ledger_usageday
 WHERE day >= %s AND day < %s AND kind IN ('usage', 'refund', 'expiry', 'reset')
 GROUP BY 1, 2
"""
OWED_SQL: Final = """
SELECT b.unit, a.profile, coalesce(sum(b.balance) FILTER (WHERE b.balance > 0), 0)::bigint,
       coalesce(-sum(b.balance) FILTER (WHERE b.balance < 0), 0)::bigint
  FROM ledger_balance b JOIN accounts_billingaccount a ON a.id = b.account_id
 WHERE b.balance <> 0 AND b.is_open
 GROUP BY 1, 2
"""
HOLDS_SQL: Final = """
SELECT unit, count(*), sum(amount)::bigint, min(authorized_at), count(*) FILTER (WHERE expires_at < ledger_now())
  FROM ledger_charge WHERE status = 'authorized' GROUP BY 1 ORDER BY 2 DESC
"""


@dataclass(slots=True)
class Unit:
    """One unit's figures in micros; ``cash`` is what its unspent credits would cost to buy, where they have a price."""

    unit: str
    revenue: int = 0
    revenue_before: int = 0
    breakage: int = 0
    breakage_before: int = 0
    liability: int = 0
    owed: int = 0
    cash: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def cash_amounts(self) -> list[Amount]:
        return [Amount(micros, currency) for currency, micros in sorted(self.cash.items())]


@dataclass(frozen=True, slots=True)
class Holds:
    """The open holds of one unit: how many, how much, since when the oldest, and how many are past their time."""

    unit: str
    count: int
    amount: int
    oldest: datetime
    late: int


@dataclass(frozen=True, slots=True)
class Recharges:
    """Automatic recharges that failed in the last days, and those that rest until the customer does something."""

    failed: int
    paused: int


@dataclass(frozen=True, slots=True)
class Approvals:
    """What somebody has to decide."""

    adjustments: int
    refunds: int


def money(today: date) -> list[Unit]:
    """Each unit that anything happened in, or that somebody has some of; the largest revenue first."""
    this = today.replace(day=1)
    before, after = (this - timedelta(days=1)).replace(day=1), (this + timedelta(days=31)).replace(day=1)
    units: dict[str, Unit] = {}
    for unit, month, revenue, breakage in _rows(MONTHS_SQL, [before, after]):
        row = units.setdefault(unit, Unit(unit))
        if month == this:
            row.revenue, row.breakage = revenue, breakage
        else:
            row.revenue_before, row.breakage_before = revenue, breakage
    _add_liability(units)
    return sorted(units.values(), key=lambda row: (-row.revenue, -row.revenue_before, row.unit))


def _add_liability(units: dict[str, Unit]) -> None:
    current = snapshot.current()
    for unit, profile, unspent, owed in _rows(OWED_SQL):
        row = units.setdefault(unit, Unit(unit))
        row.liability += unspent
        row.owed += owed
        if unit == "credit" and profile in current.profiles:
            terms = current.terms(profile)
            if terms.credit_price is not None:
                row.cash[terms.cash_currency] += terms.cash_for(unspent, unit).micros


def holds() -> list[Holds]:
    """The open holds by unit, the most first; as many rows are read as are open."""
    return [Holds(*row) for row in _rows(HOLDS_SQL)]


def recharges(moment: datetime) -> Recharges:
    """Ids begin with their time, so that a week of payments is a range of the primary key."""
    failed = Payment.objects.filter(
        pk__gte=first_id(moment - RECENT), purpose=Payment.Purpose.AUTO_RECHARGE, status=Payment.Status.FAILED
    )
    paused = AutoRecharge.objects.filter(enabled=True, paused_at__isnull=False)
    return Recharges(failed.count(), paused.count())


def approvals() -> Approvals:
    return Approvals(
        AdjustmentRequest.objects.filter(status="pending").count(),
        RefundRequest.objects.filter(status="asked").count(),
    )


def _rows(sql: str, parameters: Iterable[Any] = ()) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return list(cursor.fetchall())
