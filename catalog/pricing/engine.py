"""What a request should cost, and what it did cost. Pure and exact; see docs/profiles.md for the rules.

``estimate`` prices the parameters a customer asks with; ``effective`` prices the outputs that came
back, by the price book of the moment of authorization. Both give a Quote whose lines add up.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from catalog.pricing import pipelines
from catalog.pricing.book import CompiledItem, PriceBook, build_book
from catalog.pricing.parameters import Values, request_key
from catalog.pricing.rates import Priced, higher
from catalog.pricing.rounding import EXACT, to_micros
from catalog.pricing.types import Discount, Line, PlanTier, Quote
from catalog.pricing.units import micros_to_decimal

__all__ = ["PriceBook", "build_book", "effective", "estimate", "told"]

MOST_QUOTED = 100
"""How many different requests an item remembers the estimate of."""
_ONE = Decimal(1)
_Sum = tuple[int, int, int, tuple[Line, ...]]
"""Micros as quoted, at least and at most, and the lines they add up from."""


def estimate(
    book: PriceBook,
    model: str,
    operation: str,
    parameters: Mapping[str, object],
    *,
    discounts: Iterable[Discount] = (),
) -> Quote:
    """The expected cost of a request, in the book's unit.

    Raises UnknownModel, UnknownOperation or NotOffered where nothing prices it, InvalidParameter where a
    parameter is unknown, of the wrong type or out of bounds.
    """
    mine, item = _offers(book, book.item(model, operation), discounts)
    key = None if mine else request_key(parameters)
    if key is None:
        return _estimated(book, item, parameters, mine)
    if (quote := item.quoted.get(key)) is None:
        if len(item.quoted) >= MOST_QUOTED:
            item.quoted.clear()
        quote = item.quoted[key] = _estimated(book, item, parameters, mine)
    return quote


def _estimated(
    book: PriceBook, item: CompiledItem, parameters: Mapping[str, object], discounts: tuple[Discount, ...]
) -> Quote:
    values = item.parameters.of_request(parameters)
    parts = pipelines.estimated(item, values) if item.phases else (item.rate.price(values),)
    asked = item.parameters.asked(parameters, values)
    return _quote(book, item, values, asked, parts, discounts, exact=False)


def effective(
    book: PriceBook,
    model: str,
    operation: str,
    parameters: Mapping[str, object],
    outputs: Mapping[str, object],
    *,
    discounts: Iterable[Discount] = (),
    unfinished: bool = False,
) -> Quote:
    """The cost of what was delivered: ``outputs`` where they say something, ``parameters`` where not.

    A pipeline's outputs may carry ``phases``, each with its ``id``, an optional ``status`` ("succeeded",
    "failed", "skipped") and what it produced. Then only the phases reported as succeeded are charged; without
    ``phases`` the work counts as delivered as asked. ``unfinished``: what it should come to by its end, the phases that are
    not reported at their expected cost. Raises as estimate.
    """
    item = book.item(model, operation)
    mine, item = _offers(book, item, discounts)
    parts: tuple[Priced, ...]
    if item.phases:
        own = {name: value for name, value in outputs.items() if name != "phases"}
        values = item.parameters.of_outputs(parameters, own)
        parts = pipelines.delivered(item, values, outputs.get("phases"), unfinished=unfinished)
    else:
        values = item.parameters.of_outputs(parameters, outputs)
        parts = (item.rate.price(values),)
    return _quote(book, item, values, values, parts, mine, exact=True)


def told(
    book: PriceBook, model: str, operation: str, outputs: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """What outputs say of which phases, in one form (``pipelines.told``). Raises InvalidParameter, and as estimate."""
    return pipelines.told(book.item(model, operation), outputs.get("phases"))


def _offers(
    book: PriceBook, item: CompiledItem, discounts: Iterable[Discount]
) -> tuple[tuple[Discount, ...], CompiledItem]:
    """The discounts that cover the item, and the item at its committed price where one is agreed."""
    if not discounts:
        return (), item
    mine = tuple(offer for offer in discounts if offer.covers(item.spec.model, item.spec.operation))
    agreed = [offer.price for offer in mine if offer.price is not None]
    if agreed and not item.phases:
        item = book.repriced(item, min(agreed))
    return mine, item


def _quote(
    book: PriceBook,
    item: CompiledItem,
    values: Values,
    asked: Values,
    parts: tuple[Priced, ...],
    discounts: tuple[Discount, ...],
    *,
    exact: bool,
) -> Quote:
    spec = item.spec
    tier: PlanTier | None = item.tier
    for part in parts:
        tier = higher(tier, part.tier)
    micros, low, high, lines = _discounted(_summed(parts), discounts)
    if 0 < micros < item.minimum:
        missing = item.minimum - micros
        lines = (*lines, Line("Minimum charge", _ONE, micros_to_decimal(missing), missing))
        micros = item.minimum
    return Quote(
        micros=micros,
        low=micros if exact else _at_least(low, item.minimum),
        high=micros if exact else _at_least(high, item.minimum),
        lines=lines,
        approximate=not exact and any(part.approximate for part in parts),
        charge_on=spec.charge_on,
        hold_ttl=spec.hold_ttl,
        gate=item.gate(tier, values),
        unit=book.unit,
        requires_confirmation=spec.confirm,
        parameters=asked,
    )


def _summed(parts: tuple[Priced, ...]) -> _Sum:
    if len(parts) == 1:
        part = parts[0]
        return part.line.micros, part.low, part.high, (part.line,)
    lines = tuple(part.line for part in parts)
    return (
        sum(line.micros for line in lines),
        sum(part.low for part in parts),
        sum(part.high for part in parts),
        lines,
    )


def _discounted(full: _Sum, discounts: tuple[Discount, ...]) -> _Sum:
    """Percentages are taken off one after the other, each rounded; each is a line."""
    micros, low, high, lines = full
    for offer in discounts:
        if offer.percent:
            line = _off(micros, offer)
            low, high = low + _off(low, offer).micros, high + _off(high, offer).micros
            lines, micros = (*lines, line), micros + line.micros
    return micros, low, high, lines


def _off(micros: int, offer: Discount) -> Line:
    share = EXACT.multiply(micros_to_decimal(micros), offer.percent)
    off = -to_micros(share.scaleb(-2, EXACT))
    return Line(offer.label, _ONE, micros_to_decimal(off), off)


def _at_least(micros: int, minimum: int) -> int:
    return minimum if 0 < micros < minimum else micros
