"""The monthly spending limit as the page shows it: how much of it is used, what was said about that, and what a
fitting one would be.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from accounts.models import BillingAccount
from billing.ledger import balances, clock
from billing.models import Notice, SpendingLimit
from billing.selectors import usage
from billing.selectors.api import next_month
from catalog import snapshot
from catalog.pricing.rounding import whole_units_up
from catalog.pricing.units import CREDIT

LEVELS: Final = (50, 80, 100)
"""Percent of the limit at which the account is told."""
WARNS_AT: Final = 80


@dataclass(frozen=True, slots=True)
class MonthLimit:
    """A calendar month (UTC) under its limit, micros of the account's unit; ``limit`` None: there is none.

    ``spent`` is what was accepted, holds included; ``last_spent`` the net usage of the month before, by the
    ledger. ``most`` bounds the limit and ``required`` keeps it from being removed, where the profile says so.
    A limit that ``stops`` is hard; the other kind only alerts. ``told`` are this month's notices.
    """

    unit: str
    limit: int | None
    spent: int
    month: date
    resets: date
    last_month: date
    last_spent: int
    most: int | None
    required: bool
    stops: bool
    told: dict[int, Notice]
    refused: datetime | None

    @property
    def ticks(self) -> list[tuple[int, Notice | None]]:
        """Each percentage that is said, with the notice that said so this month."""
        return [(level, self.told.get(level)) for level in LEVELS]

    @property
    def mode(self) -> str:
        return SpendingLimit.Mode.HARD if self.stops else SpendingLimit.Mode.ALERT

    @property
    def percent(self) -> int:
        return 0 if self.limit is None else meter(self.spent, self.limit)[0]

    @property
    def tone(self) -> str:
        return "" if self.limit is None else meter(self.spent, self.limit)[1]

    @property
    def left(self) -> int:
        """What may still be accepted this month; 0 without a limit."""
        return max(0, (self.limit or 0) - self.spent)

    @property
    def over(self) -> int:
        """How far the month is past a limit that only alerts."""
        return max(0, self.spent - (self.limit or 0))

    @property
    def suggested(self) -> int | None:
        """Half as much again as last month; None without use then, or where this month has passed it."""
        proposed = whole_units_up(self.last_spent * 3 // 2)
        if self.most is not None:
            proposed = min(proposed, self.most)
        return proposed if proposed > self.spent else None

    def with_limit(self, limit: int | None, mode: str) -> "MonthLimit":
        """The same month under another limit."""
        return replace(self, limit=limit, stops=mode == SpendingLimit.Mode.HARD)


def of(account: BillingAccount) -> MonthLimit:
    """The account's month at this moment."""
    standing, moment = balances.of(account.pk), clock.now().astimezone(UTC)
    start = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    before = (start - timedelta(days=1)).replace(day=1)
    rule = snapshot.current().terms(account.profile).spending_limit
    bound = rule if account.unit != CREDIT else None
    limit, mode = chosen(standing)
    return MonthLimit(
        unit=standing.unit,
        limit=limit,
        spent=standing.spent,
        month=start.date(),
        resets=next_month(moment).date(),
        last_month=before.date(),
        last_spent=usage.spent_between(account.pk, before, start),
        most=bound.max if bound else None,
        required=bool(bound and bound.required and account.mode == BillingAccount.Mode.METERED),
        stops=mode == SpendingLimit.Mode.HARD,
        told=_told(account, start.date()),
        refused=_refused(account, start.date()),
    )


def chosen(standing: balances.BalanceView) -> tuple[int | None, str]:
    """The limit in force and its mode: the balance row's is hard, one that only alerts is nowhere else."""
    if standing.spend_limit is not None:
        return standing.spend_limit, SpendingLimit.Mode.HARD
    row = SpendingLimit.objects.filter(pk=standing.account_id, mode=SpendingLimit.Mode.ALERT).first()
    return (None, SpendingLimit.Mode.HARD) if row is None else (row.amount, SpendingLimit.Mode.ALERT)


def subject(month: date, level: int) -> str:
    """What a notice of this percentage in this month is about."""
    return f"{month:%Y-%m}:{level}"


def _told(account: BillingAccount, month: date) -> dict[int, Notice]:
    about = {subject(month, level): level for level in LEVELS}
    rows = Notice.objects.filter(
        account=account, kind=Notice.Kind.LIMIT_THRESHOLD, subject__in=about, ended_at=None
    )
    return {about[row.subject]: row for row in rows}


def _refused(account: BillingAccount, month: date) -> datetime | None:
    """When a request was first stopped by the limit in force this month."""
    row = Notice.objects.filter(
        account=account, kind=Notice.Kind.LIMIT_STOPPED, subject=f"{month:%Y-%m}", ended_at=None
    ).first()
    return row.created_at if row else None


def meter(spent: int, limit: int) -> tuple[int, str]:
    """How full a limit is in whole percent, and the meter's tone: it warns at 80 and fails at 100."""
    percent = 100 if limit == 0 else min(100, spent * 100 // limit)
    return percent, "bad" if percent >= 100 else "warn" if percent >= WARNS_AT else ""
