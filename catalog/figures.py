"""The numbers of a price that staff edit: where they stand in an item, and the item with other numbers.

An item has one price, or one for each variant, or for each phase those of the phase. Everything else about
it (parameters, modifiers, gates) stays as it is when its figures change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from catalog.pricing.rates import describe
from catalog.pricing.types import MAX_PRICE, Item, Modifier, Phase, Rate, Variant
from catalog.values import exact


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """Which of an item's prices: its own, a variant's, a phase's or a phase's variant's; counted from 0."""

    phase: int | None = None
    variant: int | None = None

    @property
    def key(self) -> str:
        """The spot as a form field writes it: "", "v0", "p1", "p1v2"."""
        phase = "" if self.phase is None else f"p{self.phase}"
        return phase + ("" if self.variant is None else f"v{self.variant}")


OWN = Spot()


@dataclass(frozen=True, slots=True)
class Figures:
    """A price and its bounds where it is approximate, in whole units."""

    price: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None

    def problems(self) -> dict[str, str]:
        """What does not fit together, by the name of the figure."""
        if self.price is None:
            return {"price": "is missing beside its bounds."} if self.low or self.high else {}
        found = {}
        if self.low is not None and self.low > self.price:
            found["low"] = "is above the price."
        if self.high is not None and self.high < self.price:
            found["high"] = "is below the price."
        return found


def parse(text: str) -> Decimal | None:
    """A price as typed; None for nothing. Raises ValueError with the reason."""
    text = text.strip()
    if not text:
        return None
    if "," in text:
        raise ValueError("must be written with a point, such as 0.054.")
    try:
        number = exact(text)
    except ValueError as error:
        raise ValueError(
            f"{error}." if text.lstrip("-").isdigit() else "must be a number, such as 0.054."
        ) from error
    if number < 0:
        raise ValueError("must not be negative.")
    if number > MAX_PRICE:
        raise ValueError(f"must be at most {MAX_PRICE:,}.")
    return number


def spots(item: Item) -> list[Spot]:
    """Every spot of an item that has a price of its own, in the order people read them."""
    if item.phases:
        return [
            spot
            for number, phase in enumerate(item.phases)
            if phase.rate is not None
            for spot in _spots(phase.rate, number)
        ]
    return _spots(item.rate, None)


def _spots(rate: Rate, phase: int | None) -> list[Spot]:
    variants = [Spot(phase, number) for number in range(len(rate.variants))]
    return variants if rate.price is None and variants else [Spot(phase), *variants]


def figures(item: Item, spot: Spot) -> Figures:
    """The figures at a spot; without any where the item has none there."""
    rate = _rate(item, spot)
    if rate is None:
        return Figures()
    if spot.variant is None:
        return Figures(rate.price, rate.low, rate.high)
    variant = rate.variants[spot.variant]
    return Figures(variant.price, variant.low, variant.high)


def label(item: Item, spot: Spot) -> str:
    """What the price at a spot is for: "", "relaxed queue", "hero-image", "hero-image: hero_resolution HD"."""
    phase = "" if spot.phase is None else item.phases[spot.phase].id
    rate = _rate(item, spot)
    if spot.variant is None or rate is None:
        return phase
    variant = rate.variants[spot.variant]
    name = variant.name or describe(variant.when)
    return f"{phase}: {name}" if phase else name


def with_figures(item: Item, changes: Mapping[Spot, Figures | None]) -> Item | None:
    """The item with other figures. None at a variant takes it away; an item left without a price is None."""
    if item.phases:
        return replace(
            item, phases=tuple(_phase(phase, number, changes) for number, phase in enumerate(item.phases))
        )
    rate = _changed(item.rate, None, changes)
    if rate.price is None and not rate.variants:
        return None
    return replace(item, rate=rate)


def _phase(phase: Phase, number: int, changes: Mapping[Spot, Figures | None]) -> Phase:
    return phase if phase.rate is None else replace(phase, rate=_changed(phase.rate, number, changes))


def _changed(rate: Rate, phase: int | None, changes: Mapping[Spot, Figures | None]) -> Rate:
    variants: list[Variant] = []
    for number, variant in enumerate(rate.variants):
        new = changes.get(Spot(phase, number), Figures(variant.price, variant.low, variant.high))
        if new is not None and new.price is not None:
            variants.append(replace(variant, price=new.price, low=new.low, high=new.high))
    own = changes.get(Spot(phase), Figures(rate.price, rate.low, rate.high)) or Figures()
    return replace(rate, price=own.price, low=own.low, high=own.high, variants=tuple(variants))


def _rate(item: Item, spot: Spot) -> Rate | None:
    if spot.phase is None:
        return item.rate
    return item.phases[spot.phase].rate if spot.phase < len(item.phases) else None


def rates(item: Item) -> list[Rate]:
    """Every rate of an item: its own and its phases'."""
    return [item.rate, *(phase.rate for phase in item.phases if phase.rate is not None)]


def with_modifier(item: Item, old: Modifier, new: Modifier) -> Item:
    """The item with one modifier replaced wherever it stands."""
    return replace(
        item,
        rate=_modified(item.rate, old, new),
        phases=tuple(
            phase if phase.rate is None else replace(phase, rate=_modified(phase.rate, old, new))
            for phase in item.phases
        ),
    )


def _modified(rate: Rate, old: Modifier, new: Modifier) -> Rate:
    if old not in rate.modifiers:
        return rate
    return replace(rate, modifiers=tuple(new if each == old else each for each in rate.modifiers))
