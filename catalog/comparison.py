"""Two versions of a price list side by side: price by price, modifiers and phases by name, and the plans."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from catalog.differences import Change, book_document, brief, differences
from catalog.models import Plan, PriceBook
from catalog.pricing.rates import describe
from catalog.pricing.rounding import half_up
from catalog.pricing.units import decimal_to_text
from catalog.rules import Document
from catalog.store import plan_document

_WHOLE: frozenset[str] = frozenset({"when", "implied", "choices", "times", "features", "monthly_limits"})
"""Parts that are shown whole, not key by key."""


@dataclass(frozen=True, slots=True)
class PriceChange:
    """What became of one model × operation; ``percent`` where one price became another."""

    kind: Literal["added", "changed", "removed"]
    what: str
    before: str
    after: str
    percent: str
    details: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is different in the newer version."""

    prices: tuple[PriceChange, ...]
    plans: tuple[str, ...]
    same: int

    def __bool__(self) -> bool:
        return bool(self.prices or self.plans)


def compare(old: PriceBook, new: PriceBook) -> Comparison:
    """The differences from one version to another of the same price list."""
    before, after = book_document(old), book_document(new)
    names = {**_labels(old), **_labels(new)}
    changes = tuple(_changes(before, after, names))
    same = sum(1 for key, document in after.items() if before.get(key) == document)
    return Comparison(changes, _plans(old, new), same)


def _labels(book: PriceBook) -> dict[str, str]:
    prices = book.prices.select_related("model", "operation")
    return {
        f"{price.model.slug}.{price.operation.slug}": f"{price.model.name}, {price.operation.name}"
        for price in prices
    }


def _changes(before: Document, after: Document, names: Mapping[str, str]) -> Iterator[PriceChange]:
    for key, document in after.items():
        old = before.get(key)
        if old is None:
            yield PriceChange("added", names[key], "", price_text(document), "", ())
        elif old != document:
            details = tuple(_sentence(change) for change in differences(by_name(old), by_name(document)))
            yield PriceChange(
                "changed",
                names[key],
                price_text(old),
                price_text(document),
                _percent(old, document),
                details,
            )
    for key, document in before.items():
        if key not in after:
            yield PriceChange("removed", names[key], price_text(document), "", "", ())


def by_name(document: Document) -> Document:
    """The price with its lists as mappings, so that a variant is compared with the variant of its name."""
    return {key: _named(key, part) for key, part in document.items()}


def _named(key: str, part: Any) -> Any:
    if isinstance(part, Mapping) and key not in _WHOLE:
        return by_name(dict(part))
    if isinstance(part, list) and part and all(isinstance(entry, Mapping) for entry in part):
        return {_name(entry): by_name({k: v for k, v in entry.items() if k != "name"}) for entry in part}
    return describe_value(part) if key in _WHOLE else part


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry.get("name") or entry.get("id") or describe_value(entry.get("when", {})))


def describe_value(value: Any) -> Any:
    """A condition as words, other values as they are."""
    if isinstance(value, Mapping):
        return describe({k: tuple(v) if isinstance(v, list) else v for k, v in value.items()})
    return value


def price_text(document: Document) -> str:
    """A price in one line: "5 per image", "18.75 to 128 per second", "5 phases"."""
    if document.get("phases"):
        return f"{len(document['phases'])} phases"
    rate = document.get("rate", {})
    found = [rate.get("price"), *(variant["price"] for variant in rate.get("variants", []))]
    prices = sorted(Decimal(price) for price in found if price is not None)
    if not prices:
        return ""
    low, high = decimal_to_text(prices[0]), decimal_to_text(prices[-1])
    if high == "0":
        return "free"
    return f"{low if low == high else f'{low} to {high}'} per {rate.get('per', 'request')}"


def _percent(old: Document, new: Document) -> str:
    before, after = old.get("rate", {}).get("price"), new.get("rate", {}).get("price")
    if before is None or after is None or before == after or Decimal(before) == 0:
        return ""
    share = half_up(Decimal(after) * 100 / Decimal(before) - 100, Decimal("0.1"))
    return f"{'+' if share > 0 else '−'}{decimal_to_text(abs(share))} %"


def _sentence(change: Change) -> str:
    path = change.path[1:] if change.path[:1] == ("rate",) else change.path
    where = " › ".join(path)
    if change.kind == "added":
        return f"{where}: {brief(change.new)} (new)"
    if change.kind == "removed":
        return f"{where}: {brief(change.old)} (gone)"
    return f"{where}: {brief(change.old)} → {brief(change.new)}"


def _plans(old: PriceBook, new: PriceBook) -> tuple[str, ...]:
    """Plans belong to the profile; a version notes them when it is published, a draft has today's."""
    return tuple(_sentence(change) for change in differences(_noted(old), _noted(new)))


def _noted(book: PriceBook) -> Document:
    if book.status == PriceBook.Status.DRAFT:
        plans = Plan.objects.filter(profile=book.profile_id, active=True)
        return {plan.slug: plan_document(plan) for plan in plans}
    return dict(book.plans)
