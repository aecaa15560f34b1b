"""What the overview page shows, read in a handful of queries and handed over as plain values."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.db.models import Sum
from django.utils.formats import date_format
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing import charts
from billing.ledger import balances, clock
from billing.ledger.balances import BalanceView
from billing.ledger.models import Charge, Grant, Transaction
from billing.models import AutoRecharge, PaymentMethod
from billing.money_text import money_text
from billing.selectors import grants, low_balance, plans, recharges, transactions, usage
from billing.selectors.grants import SOON, Lot
from billing.selectors.limits import chosen, meter
from catalog import snapshot
from catalog.pricing.units import CREDIT, Amount

CHART_DAYS: Final = 30
MOST_LOTS: Final = 4
FAR: Final = 730
"""A balance that lasts longer than two years at today's pace is not forecast."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The balance card. ``worth`` is the cash value of the available credits where they have a price."""

    view: BalanceView
    jobs: list[Charge]
    worth: Amount | None
    as_of: datetime
    expiring: int
    """Micros of the next day (UTC) on which credits lapse, within 30 days; what the notices of expiry name."""
    expiring_in: int
    """Whole days until the first of them does; 0 on the last one."""
    is_low: bool

    @property
    def state(self) -> str:
        """ "negative", "empty" or "ok"."""
        if self.view.available < 0:
            return "negative"
        return "empty" if self.view.available == 0 else "ok"

    @property
    def many_jobs(self) -> bool:
        return len(self.jobs) >= usage.MOST_JOBS


@dataclass(frozen=True, slots=True)
class Forecast:
    """How long the balance lasts at the pace of the last 14 days; ``days`` None: longer than two years."""

    days: int | None
    per_day: int


@dataclass(frozen=True, slots=True)
class Spend:
    """This calendar month: micros spent, and the limit with how full it is in whole percent."""

    spent: int
    limit: int | None
    percent: int
    tone: str
    stops: bool


@dataclass(frozen=True, slots=True)
class Overview:
    standing: Standing
    forecast: Forecast | None
    spend: Spend
    recharge: AutoRecharge | None
    recharge_times: int | None
    recharge_capped: bool
    """Whether it is on and has charged as much this month as it may."""
    card: PaymentMethod | None
    chart: charts.Chart
    recent: list[Transaction]
    lots: list[Lot]
    is_new: bool
    offers_recharge: bool
    validity_months: int | None

    @property
    def recharges(self) -> bool:
        """Whether credits are added by themselves when the balance runs low."""
        on = self.recharge is not None and self.recharge.enabled and self.recharge.paused_at is None
        return on and not self.recharge_capped


def standing(account: BillingAccount) -> Standing:
    """Balance, holds, what the credits are worth, and what lapses next within 30 days.

    Plan credits are no news there: they go with their cycle and come again.
    """
    view = balances.of(account.pk)
    terms = snapshot.current().terms(account.profile)
    worth = None
    if account.unit == CREDIT and terms.credit_price is not None:
        worth = terms.cash_for(max(0, view.available))
    moment = clock.now()
    expiring, days = _expiring(account, moment)
    jobs = usage.open_jobs(account.pk) if view.held else []
    return Standing(view, jobs, worth, moment, expiring, days, low_balance.is_low(account, view.balance))


def _expiring(account: BillingAccount, moment: datetime) -> tuple[int, int]:
    """How much lapses on the next day on which something does, and in how many whole days."""
    usable = Grant.objects.filter(account_id=account.pk, is_spent=False).exclude(source=Grant.Source.PLAN)
    going = usable.filter(expires_at__gt=moment, expires_at__lte=moment + SOON)
    first = going.order_by("expires_at").values_list("expires_at", flat=True).first()
    if first is None:
        return 0, 0
    end = datetime.combine(first.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    micros = going.filter(expires_at__lt=end).aggregate(total=Sum("remaining"))["total"]
    return int(micros), (first - moment).days


def overview(account: BillingAccount, locale: str) -> Overview:
    """Everything on the page; days and months are those of UTC, as in limits and invoices."""
    today = usage.today()
    first_day = today - timedelta(days=CHART_DAYS - 1)
    month_start = today.replace(day=1)
    used = usage.daily(account.pk, min(first_day, month_start))
    here = standing(account)
    lots = grants.lots(account.pk, moment=here.as_of)
    recharge = AutoRecharge.objects.filter(pk=account.pk).first()
    terms = snapshot.current().terms(account.profile)
    days = [first_day + timedelta(days=number) for number in range(CHART_DAYS)]
    names = snapshot.current().book(account.profile, now(), mode=account.mode).models
    by_name = {
        names.get(model, model): micros
        for model, per_day in used.used.items()
        if (micros := {day: spent for day, spent in per_day.items() if day >= first_day})
    }
    return Overview(
        standing=here,
        forecast=_forecast(here, lots, used, today),
        spend=_spend(here.view, used.spent_since(month_start)),
        recharge=recharge,
        recharge_times=_times_a_month(recharge),
        recharge_capped=recharge is not None
        and recharge.enabled
        and recharges.is_capped(recharge, here.as_of),
        card=PaymentMethod.objects.filter(account=account, is_default=True).first(),
        chart=charts.stacked(
            days,
            by_name,
            amount_text=lambda micros: money_text(micros, account.unit, locale, rounded=True),
            tick_text=lambda micros: money_text(
                micros, account.unit, locale, short=True, bare=account.unit == CREDIT
            ),
        ),
        recent=transactions.recent(account.pk),
        lots=lots[:MOST_LOTS],
        offers_recharge=plans.offers_recharge(account.profile),
        validity_months=terms.validity.months if terms.validity else None,
        is_new=not by_name and not usage.ever_used(account.pk),
    )


def month_name() -> str:
    """The month it is in UTC: "November 2026"."""
    return date_format(usage.today(), "F Y")


def _times_a_month(recharge: AutoRecharge | None) -> int | None:
    """How often the monthly cap allows the set amount; None without a cap."""
    if recharge is None or recharge.monthly_cap_minor is None:
        return None
    return recharge.monthly_cap_minor // recharge.amount_minor


def _forecast(here: Standing, lots: list[Lot], used: usage.DailyUsage, today: date) -> Forecast | None:
    """Plan credits go with their cycle and come again, so they count as if they stayed."""
    left = [
        (grant.remaining, grant.expires_at - here.as_of)
        if grant.expires_at and grant.source != Grant.Source.PLAN
        else (grant.remaining, None)
        for grant in (lot.grant for lot in lots)
    ]
    found = usage.run_out(here.view.available, used, today, left)
    if found is None:
        return None
    days, per_day = found
    return Forecast(days if days <= FAR else None, per_day)


def _spend(view: BalanceView, spent: int) -> Spend:
    limit, mode = chosen(view)
    if limit is None:
        return Spend(spent, None, 0, "", stops=True)
    return Spend(view.spent, limit, *meter(view.spent, limit), stops=mode == "hard")
