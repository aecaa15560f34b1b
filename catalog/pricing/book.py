"""A price book built for pricing: every item compiled once, then only read."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from catalog.pricing.errors import InvalidBook, NotOffered, UnknownModel, UnknownOperation
from catalog.pricing.parameters import Parameters, Test, Values, compile_test
from catalog.pricing.rates import CompiledRate
from catalog.pricing.types import MAX_PRICE, OPEN, BalanceTier, Gate, Item, Phase, PlanTier, Quote, Rate
from catalog.pricing.units import decimal_to_micros, decimal_to_text

Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BookInfo:
    """Which price book this is: version ``id`` is what charges keep."""

    id: UUID
    profile: str
    price_list: str
    version: int
    unit: str
    effective_at: datetime | None = None
    plans: tuple[PlanTier, ...] = ()
    balance_tiers: tuple[BalanceTier, ...] = ()


class CompiledPhase:
    """One phase of a pipeline: its own rate, or another item with fixed parameters."""

    __slots__ = ("parameters", "rate", "spec", "target")

    def __init__(self, spec: Phase, plans: Mapping[str, PlanTier]) -> None:
        self.spec = spec
        self.parameters = Parameters(spec.name, spec.parameters)
        self.rate = None if spec.rate is None else CompiledRate(spec.rate, spec.name, spec.parameters, plans)
        self.target: CompiledItem | None = None


class CompiledItem:
    """One model x operation, ready to be priced."""

    __slots__ = (
        "_always",
        "_gates",
        "_tests",
        "minimum",
        "parameters",
        "phases",
        "quoted",
        "rate",
        "spec",
        "tier",
    )

    def __init__(self, spec: Item, plans: Mapping[str, PlanTier], tiers: tuple[BalanceTier, ...]) -> None:
        self.spec = spec
        self.parameters = Parameters(spec.label, spec.parameters)
        self.rate = CompiledRate(spec.rate, spec.label, spec.parameters, plans)
        self.phases = tuple(CompiledPhase(phase, plans) for phase in spec.phases)
        self.tier = plans.get(spec.requires)
        self.minimum = decimal_to_micros(spec.minimum)
        self.quoted: dict[str, Quote] = {}
        """Estimates without offers, by ``request_key``: the same few requests are priced over and over."""
        self._gates: dict[tuple[str, int], Gate] = {}
        mine = sorted(
            (tier for tier in tiers if not tier.tiers or spec.tier in tier.tiers),
            key=lambda tier: tier.available,
        )
        self._tests: tuple[tuple[int, Test], ...] = tuple(
            (decimal_to_micros(tier.available), compile_test(tier.when)) for tier in mine if tier.when
        )
        always = [tier.available for tier in mine if not tier.when]
        highest = max((tier.available for tier in tiers), default=Decimal(0))
        self._always = decimal_to_micros(min(always, default=highest))

    def gate(self, tier: PlanTier | None, values: Values) -> Gate:
        """What opens this request: the plan, the balance that must be available, the monthly count."""
        needs = self._always
        for available, test in self._tests:
            if available < needs and test(values):
                needs = available
        key = (tier.slug if tier else "", needs)
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = self._new_gate(tier, needs)
        return gate

    def _new_gate(self, tier: PlanTier | None, needs: int) -> Gate:
        limit = self.spec.monthly_limit or None
        if tier is None:
            return Gate(needs_available=needs, monthly_limit=limit) if needs or limit else OPEN
        return Gate(tier.slug, tier.rank, tier.name, needs, limit)


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every price in force at a moment, for one profile and unit. Immutable; share it between threads."""

    info: BookInfo
    items: Mapping[Key, CompiledItem]
    models: Mapping[str, str]
    operations: Mapping[str, str]
    _repriced: dict[tuple[Key, Decimal], CompiledItem] = field(default_factory=dict, repr=False)

    @property
    def id(self) -> UUID:
        return self.info.id

    @property
    def unit(self) -> str:
        return self.info.unit

    def item(self, model: str, operation: str) -> CompiledItem:
        """The compiled item. Raises UnknownModel, UnknownOperation or NotOffered, saying what is near."""
        item = self.items.get((model, operation))
        if item is None:
            raise self._missing(model, operation)
        return item

    def repriced(self, item: CompiledItem, price: Decimal) -> CompiledItem:
        """The same item at an account's committed unit price: for every variant, with its modifiers and gates.

        What is free stays free, and what no variant offers stays refused.
        """
        rate = item.spec.rate
        if rate.price == 0 and not rate.variants:
            return item
        key = ((item.spec.model, item.spec.operation), price)
        found = self._repriced.get(key)
        if found is None:
            committed = replace(
                rate,
                price=None if rate.price is None else price,
                low=None,
                high=None,
                approximate=False,
                variants=tuple(
                    replace(variant, price=price, low=None, high=None, approximate=False)
                    for variant in rate.variants
                ),
            )
            found = self._repriced[key] = CompiledItem(
                replace(item.spec, rate=committed), _ranks(self.info.plans), self.info.balance_tiers
            )
        return found

    def _missing(self, model: str, operation: str) -> NotOffered:
        if model not in self.models:
            return UnknownModel(f"There is no model {model!r}.{nearest(model, self.models)}")
        mine = [o for m, o in self.items if m == model]
        if operation not in self.operations:
            return UnknownOperation(f"There is no operation {operation!r}.{nearest(operation, mine)}")
        name, what = self.models[model], self.operations[operation]
        others = [self.models[m] for m, o in self.items if o == operation]
        return NotOffered(
            f"{what} is not offered with {name}. It is offered with {_listed(others)}; "
            f"{name} offers {_listed([self.operations[o] for o in mine])}."
        )


def build_book(info: BookInfo, items: Iterable[Item]) -> PriceBook:
    """Compile a price list. Raises InvalidBook with every problem at once."""
    specs = list(items)
    problems = book_problems(info, specs)
    if problems:
        raise InvalidBook(tuple(problems))
    plans = _ranks(info.plans)
    compiled = {(spec.model, spec.operation): CompiledItem(spec, plans, info.balance_tiers) for spec in specs}
    for item in compiled.values():
        for phase in item.phases:
            if phase.spec.uses is not None:
                phase.target = compiled[phase.spec.uses.model, phase.spec.uses.operation]
    return PriceBook(
        info,
        compiled,
        {spec.model: spec.model_name for spec in specs},
        {spec.operation: spec.operation_name for spec in specs},
    )


def book_problems(info: BookInfo, specs: list[Item]) -> list[str]:
    """What only the whole list shows: doubles, missing plans, dangling and circular phases; and absurd figures."""
    plans = {plan.slug for plan in info.plans}
    keys: set[Key] = set()
    problems = []
    for spec in specs:
        key = (spec.model, spec.operation)
        if key in keys:
            problems.append(f"{spec.label} is priced twice.")
        keys.add(key)
    uses = {
        (s.model, s.operation): [(p.uses.model, p.uses.operation) for p in s.phases if p.uses] for s in specs
    }
    for spec in specs:
        rates = [spec.rate, *(phase.rate for phase in spec.phases if phase.rate is not None)]
        named = [spec.requires, *(name for rate in rates for name in _required(rate))]
        problems += [
            f"{spec.label} requires the plan {n!r}, which is missing." for n in named if n and n not in plans
        ]
        figures = [spec.minimum, *(figure for rate in rates for figure in _figures(rate))]
        if not all(0 <= figure <= MAX_PRICE for figure in figures):
            problems.append(f"{spec.label} has a figure below 0 or above {decimal_to_text(MAX_PRICE)}.")
        for target in uses[spec.model, spec.operation]:
            if target not in keys:
                problems.append(f"{spec.label} uses {target[0]}.{target[1]}, which has no price.")
        if reaches((spec.model, spec.operation), uses):
            problems.append(f"{spec.label} is composed of itself.")
    return problems


def _required(rate: Rate) -> list[str]:
    return [*(variant.requires for variant in rate.variants), *(change.requires for change in rate.modifiers)]


def _figures(rate: Rate) -> list[Decimal]:
    """Every number that makes a price."""
    priced = [rate.price, rate.low, rate.high]
    for variant in rate.variants:
        priced += (variant.price, variant.low, variant.high)
    changes = [figure for modifier in rate.modifiers for figure in (modifier.times, modifier.add)]
    return [figure for figure in (*priced, *changes) if figure is not None]


def reaches(start: Key, uses: Mapping[Key, list[Key]]) -> bool:
    """Whether an item is, through its phases, composed of itself."""
    seen: set[Key] = set()
    todo = list(uses.get(start, ()))
    while todo:
        key = todo.pop()
        if key == start:
            return True
        if key not in seen:
            seen.add(key)
            todo += uses.get(key, ())
    return False


def _ranks(plans: tuple[PlanTier, ...]) -> dict[str, PlanTier]:
    return {plan.slug: plan for plan in plans}


def nearest(wrong: str, known: Iterable[str]) -> str:
    """A sentence with the names that are nearly this one; empty where none is."""
    close = difflib.get_close_matches(wrong[:64], list(known), n=3, cutoff=0.5)
    return f" Did you mean {_listed(close, 'or')}?" if close else ""


def _listed(names: list[str], word: str = "and") -> str:
    unique = list(dict.fromkeys(names))
    if len(unique) > 6:
        unique = [*unique[:6], f"{len(unique) - 6} more"]
    return unique[0] if len(unique) == 1 else f"{', '.join(unique[:-1])} {word} {unique[-1]}"
