"""What changes between two states of a profile: added, changed and removed, old beside new."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from catalog.loader import LoadedProfile
from catalog.models import AIModel, PriceBook, PriceList, Profile
from catalog.pricing.units import decimal_to_text
from catalog.profile_file import ModelEntry, PriceListEntry, ProfileHead
from catalog.resolve import ListedItem
from catalog.rules import Document
from catalog.store import item_of, plan_document, price_document
from catalog.terms import PlanEntry, Settings


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``old`` and ``new`` are JSON values; None on the side that has nothing."""

    kind: Literal["added", "changed", "removed"]
    where: str
    old: Any = None
    new: Any = None
    path: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "added":
            return f"+ {self.where}: {brief(self.new)}"
        if self.kind == "removed":
            return f"- {self.where}: {brief(self.old)}"
        return f"~ {self.where}: {brief(self.old)} → {brief(self.new)}"

    def as_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "where": self.where, "old": self.old, "new": self.new}


def differences(old: Document, new: Document) -> list[Change]:
    """Every difference, in the order of the newer state, removals last."""
    return list(_differences(old, new, ()))


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[Change]:
    for key, value in new.items():
        where = (*path, key)
        if key not in old:
            yield from _one_sided("added", value, where)
        elif isinstance(value, Mapping) and isinstance(old[key], Mapping):
            yield from _differences(old[key], value, where)
        elif value != old[key]:
            yield Change("changed", " ".join(where), old[key], value, where)
    for key, value in old.items():
        if key not in new:
            yield from _one_sided("removed", value, (*path, key))


def _one_sided(kind: Literal["added", "removed"], value: Any, where: tuple[str, ...]) -> Iterator[Change]:
    """A whole section that came or went is listed entry by entry, an entry in one line."""
    deep = {"price": 3, "profile": 2, "terms": 2, "plan": 2, "model": 2, "operation": 2, "price_list": 2}
    if isinstance(value, Mapping) and len(where) < deep.get(where[0], 1):
        for key, part in value.items():
            yield from _one_sided(kind, part, (*where, key))
    elif kind == "added":
        yield Change(kind, " ".join(where), new=value, path=where)
    else:
        yield Change(kind, " ".join(where), old=value, path=where)


def brief(value: Any) -> str:
    """A value in one short line: a price as "5 per image", other documents as their keys and values."""
    if isinstance(value, Mapping):
        rate = value.get("rate")
        if isinstance(rate, Mapping) and "price" in rate:
            return f"{rate['price']} per {rate.get('per', 'request')}"
        text = ", ".join(
            f"{key} {brief(part)}" for key, part in value.items() if part not in (None, "", [], {})
        )
    elif isinstance(value, list):
        text = "; ".join(brief(part) for part in value)
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "none" if value is None else str(value)
    return text if len(text) <= 100 else text[:99] + "…"


def file_document(loaded: LoadedProfile) -> Document:
    """The state a file describes."""
    file = loaded.file
    return {
        "profile": _profile(file.profile),
        "terms": file.terms.model_dump(mode="json"),
        "plan": {plan.slug: plan.model_dump(mode="json") for plan in file.plan},
        "model": {model.id: _model(model) for model in file.model},
        "operation": {operation.id: {"name": operation.name} for operation in file.operation},
        "price_list": {entry.id: _price_list(entry) for entry in file.price_list},
        "price": {slug: _listed(items) for slug, items in loaded.lists.items()},
    }


def stored_document(slug: str) -> Document:
    """The state that is stored: what is active, and the latest published version of each price list."""
    profile = Profile.objects.filter(slug=slug).first()
    if profile is None:
        return {}
    lists = list(profile.price_lists.filter(active=True))
    return {
        "profile": _profile(profile),
        "terms": Settings.model_validate(profile.settings).model_dump(mode="json"),
        "plan": {
            plan.slug: PlanEntry.model_validate(plan_document(plan)).model_dump(mode="json")
            for plan in profile.plans.filter(active=True)
        },
        "model": {model.slug: _model(model) for model in profile.ai_models.filter(active=True)},
        "operation": {
            operation.slug: {"name": operation.name} for operation in profile.operations.filter(active=True)
        },
        "price_list": {row.slug: _price_list(row) for row in lists},
        "price": {row.slug: book_document(row.books.filter(status="published").first()) for row in lists},
    }


def book_document(book: PriceBook | None) -> Document:
    """The prices of one version by ``model.operation``; none where there is no version."""
    if book is None:
        return {}
    prices = book.prices.select_related("model", "operation").order_by("position", "id")
    return {
        f"{price.model.slug}.{price.operation.slug}": price_document(item_of(price), price.provider_cost)
        for price in prices
    }


def _text(value: Any) -> str | None:
    return None if value is None else decimal_to_text(value)


def _profile(of: Profile | ProfileHead) -> Document:
    return {"name": of.name, "cash_currency": of.cash_currency, "credit_price": _text(of.credit_price)}


def _model(of: AIModel | ModelEntry) -> Document:
    return {
        "name": of.name,
        "tier": of.tier,
        "description": of.description,
        "provider_cost": _text(of.provider_cost),
    }


def _price_list(of: PriceList | PriceListEntry) -> Document:
    return {
        "name": of.name,
        "unit": of.unit,
        "modes": list(of.modes),
        "markup": _text(of.markup),
        "round_to": _text(of.round_to),
    }


def _listed(items: Iterable[ListedItem]) -> Document:
    return {
        f"{entry.item.model}.{entry.item.operation}": price_document(entry.item, entry.provider_cost)
        for entry in items
    }
