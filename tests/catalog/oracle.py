"""A second, naive way to price: with fractions, item by item, sharing no code with the engine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from catalog.pricing.types import Between, Discount, Item, ParameterSpec, Phase, Rate, When

MICRO = 1_000_000
Values = Mapping[str, object]
Items = Mapping[tuple[str, str], Item]


class Refused(Exception):
    """Nothing prices it."""


@dataclass(frozen=True)
class Bill:
    """Micros, and the bounds of an estimate."""

    cost: int
    low: int
    high: int

    def __add__(self, other: "Bill") -> "Bill":
        return Bill(self.cost + other.cost, self.low + other.low, self.high + other.high)


NOTHING = Bill(0, 0, 0)


def bill(
    items: Items,
    key: tuple[str, str],
    given: Values,
    *,
    offers: Iterable[Discount] = (),
    phases: Mapping[str, object] | None = None,
) -> Bill:
    """What an item costs. ``phases``: a report of a pipeline, as ``{"id": {outputs} | "failed"}``. Raises Refused."""
    item = items[key]
    mine = [offer for offer in offers if _covers(offer, item)]
    values = _with_defaults(item.parameters, given)
    if item.phases:
        found = _pipeline(items, item, values, phases, reported=phases is not None)
    else:
        agreed = [offer.price for offer in mine if offer.price is not None]
        rate = item.rate
        free = rate.price == 0 and not rate.variants
        found = _rated(rate, item.parameters, values, min(agreed) if agreed and not free else None)
    for offer in mine:
        found = Bill(*(_less(part, offer) for part in (found.cost, found.low, found.high)))
    least = int(fraction(item.minimum) * MICRO)
    return Bill(*(max(part, least) if part else 0 for part in (found.cost, found.low, found.high)))


def cost_in_micros(item: Item, given: Values) -> int | None:
    """What one item costs by itself; None where nothing prices it."""
    try:
        return bill({(item.model, item.operation): item}, (item.model, item.operation), given).cost
    except Refused:
        return None


def _pipeline(
    items: Items, item: Item, values: Values, report: Mapping[str, object] | None, *, reported: bool
) -> Bill:
    total = NOTHING
    for phase in item.phases:
        if not reported:
            total += _phase(items, phase, values, {})
        elif report is not None and phase.id in report:
            told = report[phase.id]
            if isinstance(told, dict) and "cost" in told:
                cost = int(Fraction(told["cost"]) * MICRO)
                total += Bill(cost, cost, cost)
            elif isinstance(told, dict):
                total += _phase(items, phase, values, told)
    return total


def _phase(items: Items, phase: Phase, values: Values, told: Values) -> Bill:
    if phase.rate is not None:
        passed = {spec.name: values[spec.name] for spec in phase.parameters if spec.name in values}
        return _rated(
            phase.rate, phase.parameters, _with_defaults(phase.parameters, {**passed, **told}), None
        )
    assert phase.uses is not None
    target = items[phase.uses.model, phase.uses.operation]
    inner = _with_defaults(target.parameters, {**phase.uses.parameters, **told})
    if target.phases:
        return _pipeline(items, target, inner, None, reported=False)
    return _rated(target.rate, target.parameters, inner, None)


def _rated(rate: Rate, specs: tuple[ParameterSpec, ...], values: Values, agreed: object) -> Bill:
    prices = _prices(rate, values, agreed)
    for modifier in rate.modifiers:
        if _matches(modifier.when, values):
            prices = [price * fraction(modifier.times) + fraction(modifier.add) for price in prices]
    quantity = Fraction(1)
    for spec in specs:
        if (spec.counts and spec.counts == rate.per) or spec.name in rate.times:
            quantity *= fraction(values[spec.name])
    return Bill(*(_rounded(price * quantity * MICRO) for price in prices))


def _prices(rate: Rate, values: Values, agreed: object) -> list[Fraction]:
    """The price of one, and its bounds: of the first variant that matches, or of the rate itself."""
    chosen = next((variant for variant in rate.variants if _matches(variant.when, values)), rate)
    if chosen.price is None:
        raise Refused
    if agreed is not None:
        return [fraction(agreed)] * 3
    low = chosen.price if chosen.low is None else chosen.low
    high = chosen.price if chosen.high is None else chosen.high
    return [fraction(chosen.price), fraction(low), fraction(high)]


def _less(micros: int, offer: Discount) -> int:
    return micros - _rounded(micros * fraction(offer.percent) / 100)


def _covers(offer: Discount, item: Item) -> bool:
    models, operations = offer.models or {item.model}, offer.operations or {item.operation}
    return item.model in models and item.operation in operations


def _with_defaults(specs: tuple[ParameterSpec, ...], given: Values) -> dict[str, object]:
    """What was said, what goes without saying, and what one of these says of another."""
    values = {spec.name: spec.default for spec in specs if spec.default is not None} | dict(given)
    for spec in specs:
        if spec.implied is not None and spec.name not in given:
            implied = spec.implied.values.get(str(values.get(spec.implied.by)))
            if implied is not None:
                values[spec.name] = implied
    return values


def _matches(when: When, values: Values) -> bool:
    for name, allowed in when.items():
        value = values.get(name)
        if isinstance(allowed, Between):
            number = fraction(value)
            if allowed.min is not None and number < fraction(allowed.min):
                return False
            if allowed.max is not None and number > fraction(allowed.max):
                return False
        elif value not in allowed:
            return False
    return True


def fraction(value: object) -> Fraction:
    return Fraction(str(value))


def _rounded(value: Fraction) -> int:
    """To the nearest whole number, halves up."""
    return floor(value + Fraction(1, 2))
