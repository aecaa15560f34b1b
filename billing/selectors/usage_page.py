"""The Usage page: what was used in a period, by day and by model, operation or key, and what that comes to."""

import uuid
from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from django.utils.timezone import now

from accounts.models import ApiKey, BillingAccount
from billing import charts
from billing.selectors import usage
from billing.selectors.usage import NO_KEY, Only, Use
from catalog import snapshot
from config.ids import public_id

GROUPS: Final = {"model": "Model", "operation": "Operation", "key": "API key"}
PERIODS: Final = {
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "month": "This month",
    "last-month": "Last month",
}
USUAL: Final = "30d"
WITHOUT_KEY: Final = "none"
"""How the URL names work that was asked for without a customer's key."""
GONE: Final = "Deleted key"


@dataclass(frozen=True, slots=True)
class Period:
    """Days of UTC, both included."""

    slug: str
    first: date
    last: date

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    @property
    def after(self) -> date:
        """The first day that is not in it any more."""
        return self.last + timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model, operation or key in the period; amounts in micros, ``share`` of the total in whole percent."""

    value: str
    name: str
    used: int
    net: int
    requests: int
    share: int

    @property
    def refunded(self) -> int:
        return self.used - self.net

    @property
    def average(self) -> int:
        """What one request was charged, rounded down to a ten-thousandth of the unit where it is more than that."""
        average = self.used // self.requests if self.requests else 0
        return average // 100 * 100 or average


@dataclass(frozen=True, slots=True, kw_only=True)
class UsagePage:
    """``projected``: this calendar month to its end at the pace of the last 14 days; None for a month that is over."""

    period: Period
    rows: list[Row]
    chart: charts.Chart
    total: int
    refunded: int
    requests: int
    per_day: int
    projected: int | None
    ever: bool


def period(slug: str, today: date) -> Period:
    """The period of that name; the usual one for any other name."""
    month = today.replace(day=1)
    if slug == "month":
        return Period(slug, month, today)
    if slug == "last-month":
        last = month - timedelta(days=1)
        return Period(slug, last.replace(day=1), last)
    known = slug if slug in PERIODS else USUAL
    return Period(known, today - timedelta(days=int(known[:-1]) - 1), today)


def page(
    account: BillingAccount,
    wanted: Period,
    group: str,
    only: Only,
    *,
    amount_text: Callable[[int], str],
    tick_text: Callable[[int], str],
    url_of: Callable[[str], str],
) -> UsagePage:
    """Everything on the page but the estimates; ``url_of`` is where a click on a bar of that value leads."""
    today = usage.today()
    month = today.replace(day=1)
    since = min(wanted.first, month, today - timedelta(days=usage.PACE_DAYS - 1))
    uses = usage.by_day(account.pk, since, today + timedelta(days=1), group, only=only)
    mine = [use for use in uses if wanted.first <= use.day <= wanted.last]
    names = _names(account, group, {use.names[0] for use in mine})
    rows = _rows(mine, names)
    total = sum(row.net for row in rows)
    return UsagePage(
        period=wanted,
        rows=rows,
        chart=_chart(wanted, mine, rows, amount_text, tick_text, url_of),
        total=total,
        refunded=sum(row.refunded for row in rows),
        requests=sum(row.requests for row in rows),
        per_day=total // len(wanted.days),
        projected=None if wanted.slug == "last-month" else _projected(uses, today),
        ever=bool(rows) or usage.ever_used(account.pk),
    )


def lines(account: BillingAccount, wanted: Period, only: Only) -> Iterable[tuple[Use, str]]:
    """The period's use by day, model, operation and key, each with the key's name; for the export."""
    uses = usage.by_day(account.pk, wanted.first, wanted.after, "model", "operation", "key", only=only)
    names = _names(account, "key", {use.names[2] for use in uses})
    return [(use, names[use.names[2]]) for use in uses]


def shown_value(group: str, name: str) -> str:
    """How the URL names a value of a group."""
    if group != "key":
        return name
    return public_id("key", uuid.UUID(name)) if name else WITHOUT_KEY


def shown_name(account: BillingAccount, group: str, name: str) -> str:
    """What people call a value of a group."""
    return _names(account, group, {name})[name]


def _names(account: BillingAccount, group: str, values: set[str]) -> Mapping[str, str]:
    if group == "key":
        kept = ApiKey.objects.filter(account=account, pk__in=[value for value in values if value])
        known = {str(key_id): name for key_id, name in kept.values_list("pk", "name")}
        return {value: known.get(value, GONE) if value else "No key" for value in values}
    book = snapshot.current().book(account.profile, now(), mode=account.mode)
    labels = book.models if group == "model" else book.operations
    return {value: labels.get(value, value) for value in values}


def _rows(uses: list[Use], names: Mapping[str, str]) -> list[Row]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for use in uses:
        mine = sums[use.names[0]]
        mine[0] += use.used
        mine[1] += use.net
        mine[2] += use.requests
    whole = sum(used for used, _, _ in sums.values())
    rows = [
        Row(
            value=value,
            name=names[value],
            used=used,
            net=net,
            requests=requests,
            share=(used * 200 + whole) // (whole * 2) if whole else 0,
        )
        for value, (used, net, requests) in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row.used, row.name))


def _chart(
    wanted: Period,
    uses: list[Use],
    rows: list[Row],
    amount_text: Callable[[int], str],
    tick_text: Callable[[int], str],
    url_of: Callable[[str], str],
) -> charts.Chart:
    names = {row.value: row.name for row in rows}
    values: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for use in uses:
        if use.used:
            values[names[use.names[0]]][use.day] += use.used
    urls = {row.name: url_of(row.value) for row in rows}
    return charts.stacked(wanted.days, values, amount_text=amount_text, tick_text=tick_text, urls=urls)


def _projected(uses: list[Use], today: date) -> int:
    """This month so far, and its remaining days at the pace of the last 14."""
    month, pace_from = today.replace(day=1), today - timedelta(days=usage.PACE_DAYS - 1)
    so_far = sum(use.net for use in uses if use.day >= month)
    pace = max(0, sum(use.net for use in uses if use.day >= pace_from)) // usage.PACE_DAYS
    return max(0, so_far) + pace * (monthrange(today.year, today.month)[1] - today.day)


def only_of(model: str, operation: str, key_id: uuid.UUID | None, *, without_key: bool) -> Only:
    """The filter the URL names."""
    return Only(model=model, operation=operation, key_id=NO_KEY if without_key else key_id)
