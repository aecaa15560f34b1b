"""The plans of a profile side by side, and pay-per-use beside them: figures, gates, rates, and what the last
30 days would have cost.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.money_text import NARROW_SPACE, count_text, money_text
from billing.selectors import plan_costs
from billing.selectors.plan_costs import Cost, LastDays
from catalog import snapshot
from catalog.pricing.book import CompiledItem
from catalog.pricing.types import GENERATE, Modifier, Variant
from catalog.pricing.units import CREDIT, decimal_to_micros
from catalog.terms import Plan, Terms

MOST_NAMED = 4
NEVER = "–"


@dataclass(frozen=True, slots=True)
class Column:
    """One plan, or with ``plan`` None pay-per-use. ``price`` is micros of cash a month."""

    name: str
    plan: Plan | None
    price: int
    is_current: bool
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure, or where ``has`` says so a tick (True) or nothing (False)."""

    text: str = ""
    has: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    cells: tuple[Cell, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """``days`` None: nobody's, so without the costs of the last 30 days."""

    currency: str
    unit: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    days: LastDays | None

    @property
    def has_examples(self) -> bool:
        return any(column.plan is not None and column.plan.example for column in self.columns)


def of(profile: str, locale: str, account: BillingAccount | None = None) -> Comparison | None:
    """The comparison for anybody, or for an account; None where the profile has no plans.

    A plan that is no longer offered is shown only to who has it. Raises snapshot.UnknownProfile.
    """
    terms = snapshot.current().terms(profile)
    if not terms.plans:
        return None
    columns = tuple(_columns(terms, account))
    days = plan_costs.last_days(account) if account is not None else None
    if account is not None and days is not None and days.charges:
        columns = tuple(_with_cost(column, account, terms, days) for column in columns)
    return Comparison(
        terms.cash_currency, terms.unit, columns, tuple(_rows(terms, columns, locale)), days if days else None
    )


def _columns(terms: Terms, account: BillingAccount | None) -> Iterator[Column]:
    paying = account.mode if account is not None else ""
    mine = account.plan if account is not None and paying not in ("metered", "postpaid") else ""
    for plan in sorted(terms.plans, key=lambda plan: plan.rank):
        if plan.active or plan.slug == mine:
            yield Column(plan.name, plan, plan.price, plan.slug == mine)
    if "metered" in terms.modes:
        yield Column("Pay-per-use", None, 0, paying == "metered")


def _with_cost(column: Column, account: BillingAccount, terms: Terms, days: LastDays) -> Column:
    if column.plan is None:
        return replace(column, cost=plan_costs.under_mode(account, "metered", terms, days))
    return replace(column, cost=plan_costs.under_plan(account, column.plan, terms, days))


def _rows(terms: Terms, columns: tuple[Column, ...], locale: str) -> Iterator[Row]:
    plans = [column.plan for column in columns]

    def row(label: str, texts: list[str], note: str = "") -> Row:
        return Row(label, tuple(Cell(text or NEVER) for text in texts), note)

    def each(amount: str) -> list[str]:
        found = [0 if plan is None else int(getattr(plan, amount)) for plan in plans]
        return [money_text(micros, terms.unit, locale) if micros else "" for micros in found]

    if any(plan is not None and plan.credits for plan in plans):
        note = "Set anew each cycle; unused ones lapse." if terms.cycle.reset else ""
        yield row("Included a month", each("credits"), note)
    if any(plan is not None and plan.credits_once for plan in plans):
        yield row("Once at sign-up", each("credits_once"))
    if any(plan is not None and plan.trial_days for plan in plans):
        yield row(
            "Free to try",
            [
                f"{count_text(plan.trial_days, locale)} days" if plan and plan.trial_days else ""
                for plan in plans
            ],
        )
    if any(plan is not None and plan.key_slots is not None for plan in plans):
        yield row("API keys", [_keys(terms if plan is None else plan, locale) for plan in plans])
    for name in dict.fromkeys(name for plan in plans if plan is not None for name in plan.monthly_limits):
        label = f"{name.replace('-', ' ').capitalize()} a month"
        yield row(label, [_limit(plan, name, locale) for plan in plans])
    yield row("A request costs", [_rates(terms, plan, locale) for plan in plans])
    yield from _gated(terms, columns)
    yield from _features(plans)


def _keys(of: Plan | Terms, locale: str) -> str:
    if of.key_slots is None:
        return "Any number"
    return count_text(of.key_slots, locale) if of.key_slots else "None"


def _limit(plan: Plan | None, name: str, locale: str) -> str:
    if plan is None or name not in plan.monthly_limits:
        return "Any number"
    most = plan.monthly_limits[name]
    return count_text(most, locale) if most else "None"


def _sold(terms: Terms, plan: Plan | None) -> tuple[list[CompiledItem], str]:
    """What is sold today under a plan, or by use, and the unit it is priced in."""
    state = snapshot.current()
    book = state.book(terms.slug, now(), "metered" if plan is None else "subscription")
    return list(state.sold(book).values()), book.unit


def _rates(terms: Terms, plan: Plan | None, locale: str) -> str:
    """The cheapest and the dearest listed price that this column opens."""
    items, unit = _sold(terms, plan)
    rank = -1 if plan is None else plan.rank
    prices = [
        item.spec.rate.price
        for item in items
        if item.spec.rate.price and (item.tier is None or item.tier.rank <= rank)
    ]
    if not prices:
        return ""
    low, high = (decimal_to_micros(price) for price in (min(prices), max(prices)))
    if any(item.phases or item.spec.rate.variants or item.spec.rate.modifiers for item in items):
        return f"From {money_text(low, unit, locale)}"
    if low == high:
        return money_text(low, unit, locale)
    return f"{money_text(low, unit, locale)} to {money_text(high, unit, locale)}"


def _gated(terms: Terms, columns: tuple[Column, ...]) -> Iterator[Row]:
    """What needs a plan: the models and options that each plan opens first."""
    items, _ = _sold(terms, next(column.plan for column in columns if column.plan is not None))
    found = [need for item in items for need in _needs(item)]
    often = Counter(name for _, _, name in found)
    opened: dict[str, dict[str, None]] = {}
    for slug, model, name in found:
        what = name if often[name] > 1 or name == model else f"{model}: {name}"
        opened.setdefault(slug, {})[what] = None
    for plan in sorted(terms.plans, key=lambda plan: plan.rank):
        names = list(opened.get(plan.slug, ()))
        if names:
            shown = " · ".join(names[:MOST_NAMED])
            more = f" · {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            cells = tuple(
                Cell(has=column.plan is not None and column.plan.rank >= plan.rank) for column in columns
            )
            yield Row(f"{shown}{more}", cells)


def _needs(item: CompiledItem) -> Iterator[tuple[str, str, str]]:
    """Plan, model and name of what needs one: the item, or single options of it."""
    spec = item.spec
    if spec.requires:
        yield (
            spec.requires,
            spec.model_name,
            spec.model_name if spec.operation == GENERATE else spec.operation_name,
        )
        return
    options: tuple[Variant | Modifier, ...] = (*spec.rate.variants, *spec.rate.modifiers)
    for option in options:
        if option.requires:
            yield option.requires, spec.model_name, option.name or spec.operation_name


def _features(plans: list[Plan | None]) -> Iterator[Row]:
    """Further lines of the plans, unless they merely repeat a figure. A higher plan has what lower ones have."""
    wanted = dict.fromkeys(feature for plan in plans if plan is not None for feature in plan.features)
    told = {_plain(text) for plan in plans if plan is not None for text in _figures(plan)}
    for feature in wanted:
        if _plain(feature) not in told:
            lowest = min(plan.rank for plan in plans if plan is not None and feature in plan.features)
            cells = tuple(Cell(has=plan is not None and plan.rank >= lowest) for plan in plans)
            yield Row(feature, cells)


def _figures(plan: Plan) -> Iterator[str]:
    """The plan's figures as a feature line would say them, in English."""
    yield f"{money_text(plan.credits, CREDIT, 'en')} a month"
    yield f"{money_text(plan.credits_once, CREDIT, 'en')} once at sign-up"
    if plan.key_slots is not None:
        yield (
            f"{plan.key_slots} API key{'' if plan.key_slots == 1 else 's'}"
            if plan.key_slots
            else "No API keys"
        )
    for name, most in plan.monthly_limits.items():
        yield f"{most} {name.replace('-', ' ')} a month"


def _plain(text: str) -> str:
    return text.replace(NARROW_SPACE, " ").casefold()
