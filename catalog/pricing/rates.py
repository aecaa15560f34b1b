"""A rate made ready to be evaluated: first matching variant, then modifiers, times the quantity."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from catalog.pricing.errors import InvalidParameter, NotOffered
from catalog.pricing.parameters import Test, Values, compile_test
from catalog.pricing.rounding import EXACT, to_micros
from catalog.pricing.types import Line, ParameterSpec, PlanTier, Rate, Variant

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Priced:
    """The outcome of one rate: a line, its bounds in micros, and the plan its parts require."""

    line: Line
    low: int
    high: int
    approximate: bool
    tier: PlanTier | None


@dataclass(frozen=True, slots=True)
class _Choice:
    price: Decimal
    low: Decimal
    high: Decimal
    approximate: bool
    tier: PlanTier | None
    what: str


class CompiledRate:
    """One rate of a price list, compiled into tests and exact numbers."""

    __slots__ = ("_base", "_counts", "_label", "_modifiers", "_rate", "_variants")

    def __init__(
        self, rate: Rate, label: str, parameters: tuple[ParameterSpec, ...], plans: Mapping[str, PlanTier]
    ) -> None:
        self._rate = rate
        self._label = label
        self._base = None if rate.price is None else _base(rate, rate.price, label)
        self._variants: tuple[tuple[Test, _Choice], ...] = tuple(
            (compile_test(variant.when), _variant(variant, rate, label, plans)) for variant in rate.variants
        )
        self._modifiers = tuple(
            (compile_test(m.when), m.times, m.add, f", {m.name}", plans.get(m.requires))
            for m in rate.modifiers
        )
        counted = [spec.name for spec in parameters if spec.counts and spec.counts == rate.per]
        self._counts = (*counted, *rate.times)

    def price(self, values: Values) -> Priced:
        """The priced line for checked values. Raises NotOffered where no variant matches."""
        choice = self._choose(values)
        unit, low, high, what, tier = choice.price, choice.low, choice.high, choice.what, choice.tier
        ranged = low is not unit or high is not unit
        for test, times, add, name, requires in self._modifiers:
            if test(values):
                unit = _modified(unit, times, add)
                if ranged:
                    low, high = _modified(low, times, add), _modified(high, times, add)
                what += name
                tier = higher(tier, requires)
        quantity = self._quantity(values)
        micros = to_micros(EXACT.multiply(unit, quantity))
        line = Line(what, quantity, unit, micros)
        if not ranged:
            return Priced(line, micros, micros, choice.approximate, tier)
        lowest = to_micros(EXACT.multiply(low, quantity))
        return Priced(line, lowest, to_micros(EXACT.multiply(high, quantity)), choice.approximate, tier)

    def _choose(self, values: Values) -> _Choice:
        for test, choice in self._variants:
            if test(values):
                return choice
        if self._base is None:
            raise NotOffered(self._no_variant(values))
        return self._base

    def _quantity(self, values: Values) -> Decimal:
        quantity = _ONE
        for name in self._counts:
            value = values.get(name)
            if value is None:
                raise InvalidParameter(name, f"is needed: the price is per {self._rate.per}.")
            quantity = EXACT.multiply(quantity, value)  # type: ignore[arg-type]  # counted ones are numbers
        return quantity

    def _no_variant(self, values: Values) -> str:
        names = dict.fromkeys(name for variant in self._rate.variants for name in variant.when)
        asked = " and ".join(f"{name} {values[name]}" for name in names if name in values)
        offered = "; ".join(describe(variant.when) for variant in self._rate.variants)
        return f"{self._label} is not offered with {asked or 'these parameters'}. Offered: {offered}."


def describe(when: Mapping[str, object]) -> str:
    """A condition in words: "queue hd, resolution 2K or 4K"."""
    parts = []
    for name, allowed in when.items():
        if isinstance(allowed, tuple):
            parts.append(f"{name} {' or '.join(str(value) for value in allowed)}")
        else:
            low, high = getattr(allowed, "min", None), getattr(allowed, "max", None)
            span = [f"from {low}"] * (low is not None) + [f"up to {high}"] * (high is not None)
            parts.append(f"{name} {' '.join(span)}")
    return ", ".join(parts)


def higher(left: PlanTier | None, right: PlanTier | None) -> PlanTier | None:
    """The one of two plan requirements that includes the other."""
    if left is None or right is None:
        return left or right
    return right if right.rank > left.rank else left


def _base(rate: Rate, price: Decimal, label: str) -> _Choice:
    low = price if rate.low is None else rate.low
    high = price if rate.high is None else rate.high
    return _Choice(price, low, high, rate.approximate, None, label)


def _variant(variant: Variant, rate: Rate, label: str, plans: Mapping[str, PlanTier]) -> _Choice:
    low = variant.price if variant.low is None else variant.low
    high = variant.price if variant.high is None else variant.high
    what = f"{label}, {variant.name}" if variant.name else label
    approximate = rate.approximate or variant.approximate
    return _Choice(variant.price, low, high, approximate, plans.get(variant.requires), what)


def _modified(price: Decimal, times: Decimal, add: Decimal) -> Decimal:
    return EXACT.add(EXACT.multiply(price, times), add)
