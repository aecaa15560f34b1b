"""A second, naive way to price an item, with fractions, sharing no code with the engine."""

from collections.abc import Mapping
from fractions import Fraction
from math import floor

from catalog.pricing.types import Between, Item, Rate, When

MICRO = 1_000_000


def cost_in_micros(item: Item, given: Mapping[str, object]) -> int | None:
    """What the item costs for these parameters; None where no variant offers it."""
    values = {spec.name: spec.default for spec in item.parameters if spec.default is not None} | dict(given)
    price = _price(item.rate, values)
    if price is None:
        return None
    for modifier in item.rate.modifiers:
        if _matches(modifier.when, values):
            price = price * Fraction(str(modifier.times)) + Fraction(str(modifier.add))
    total = price
    for spec in item.parameters:
        if (spec.counts and spec.counts == item.rate.per) or spec.name in item.rate.times:
            total *= Fraction(str(values[spec.name]))
    micros = floor(total * MICRO + Fraction(1, 2))
    minimum = int(Fraction(str(item.minimum)) * MICRO)
    return minimum if 0 < micros < minimum else micros


def _price(rate: Rate, values: Mapping[str, object]) -> Fraction | None:
    for variant in rate.variants:
        if _matches(variant.when, values):
            return Fraction(str(variant.price))
    return None if rate.price is None else Fraction(str(rate.price))


def _matches(when: When, values: Mapping[str, object]) -> bool:
    for name, allowed in when.items():
        value = values.get(name)
        if isinstance(allowed, Between):
            number = Fraction(str(value))
            if allowed.min is not None and number < Fraction(str(allowed.min)):
                return False
            if allowed.max is not None and number > Fraction(str(allowed.max)):
                return False
        elif value not in allowed:
            return False
    return True
