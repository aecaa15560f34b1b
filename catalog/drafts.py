"""The prices of a draft as values: read whole, changed whole, stored whole or not at all."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import AIModel, Operation, Price, PriceBook
from catalog.pricing.book import BookInfo, book_problems
from catalog.pricing.types import Item, PlanTier, Rate
from catalog.resolve import ListedItem, derived_rate
from catalog.rules import to_document
from catalog.store import item_of, price_row
from catalog.versions import CannotPublish

Key = tuple[str, str]
"""Slug of the model, slug of the operation."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One price: the complete item, and the provider's cost it is derived from, if it is."""

    item: Item
    cost: Decimal | None = None


Entries = dict[Key, Entry]


def entries(book: PriceBook) -> Entries:
    """Every price of a version in its order."""
    prices = book.prices.select_related("model", "operation").order_by("position", "id")
    return {
        (price.model.slug, price.operation.slug): Entry(item_of(price), price.provider_cost)
        for price in prices
    }


def fingerprint(found: Entries) -> str:
    """A short text that is another one when any price is another one."""
    text = repr([(key, to_document(entry.item), entry.cost) for key, entry in sorted(found.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def problems(book: PriceBook, wanted: Entries) -> list[str]:
    """What only the whole shows: gates on missing plans, dangling and circular phases, nothing at all."""
    plans = book.price_list.profile.plans.all()
    info = BookInfo(
        id=book.id,
        profile=book.profile_id,
        price_list=book.price_list.slug,
        version=book.version,
        unit=book.price_list.unit,
        plans=tuple(PlanTier(slug=plan.slug, name=plan.name, rank=plan.rank) for plan in plans),
    )
    found = book_problems(info, [entry.item for entry in wanted.values()])
    return found if wanted else ["Nothing would have a price; a price book needs at least one."]


def store(book: PriceBook, wanted: Entries, *, seen: str | None = None) -> int:
    """Make the draft's prices these; returns how many changed. Raises CannotPublish.

    ``seen`` is the fingerprint of what the changes were made from: a draft that somebody changed meanwhile is left
    alone. What stayed keeps its row.
    """
    with transaction.atomic():
        book = PriceBook.objects.select_for_update().select_related("price_list__profile").get(pk=book.pk)
        if book.status != PriceBook.Status.DRAFT:
            raise CannotPublish(f"{book} is {book.status}; only drafts are edited.")
        present = entries(book)
        if seen is not None and seen != fingerprint(present):
            raise CannotPublish(
                "Somebody else changed this draft meanwhile. Your figures are still here; look again."
            )
        if wrong := problems(book, wanted):
            raise CannotPublish(*wrong)
        return _write(book, present, wanted)


def _write(book: PriceBook, present: Entries, wanted: Entries) -> int:
    position = {key: number for number, key in enumerate(wanted)}
    changed = [key for key, entry in wanted.items() if present.get(key) != entry]
    gone = [key for key in present if key not in wanted]
    models = {row.slug: row for row in AIModel.objects.filter(profile=book.profile_id)}
    operations = {row.slug: row for row in Operation.objects.filter(profile=book.profile_id)}
    outdated = {(models[m].pk, operations[o].pk) for m, o in (*changed, *gone)}
    old = book.prices.values_list("pk", "model_id", "operation_id")
    Price.objects.filter(pk__in=[pk for pk, *key in old if tuple(key) in outdated]).delete()
    Price.objects.bulk_create(
        [
            price_row(
                book,
                ListedItem(wanted[key].item, wanted[key].cost, ()),
                models[key[0]],
                operations[key[1]],
                position[key],
            )
            for key in changed
        ],
        batch_size=2000,
    )
    return len(changed) + len(gone)


class Templates:
    """What a new price takes over from its neighbours: parameters, modifiers, gates, when it is charged."""

    def __init__(self, found: Entries) -> None:
        self._by_operation: dict[str, Item] = {}
        self._first: Item | None = None
        for (_, operation), entry in found.items():
            if not entry.item.phases:
                self._by_operation.setdefault(operation, entry.item)
                self._first = self._first or entry.item

    def item(self, model: AIModel, operation: Operation, price: Decimal) -> tuple[Item, str]:
        """A new item at this price, and the label of the one it is modelled on ("" where there is none)."""
        like = self._by_operation.get(operation.slug)
        names: Mapping[str, Any] = {
            "model": model.slug,
            "model_name": model.name,
            "description": model.description,
            "tier": model.tier,
            "operation": operation.slug,
            "operation_name": operation.name,
        }
        if like is not None:
            rate = replace(like.rate, price=price, low=None, high=None, variants=())
            return replace(like, **names, rate=rate, minimum=Decimal(0)), like.label
        item = Item(**names, rate=Rate(price=price))
        if self._first is not None:
            item = replace(item, charge_on=self._first.charge_on, hold_ttl=self._first.hold_ttl)
        return item, ""


def derived(book: PriceBook, model: AIModel) -> Decimal:
    """The rate that follows the model's provider cost. Raises ValueError where there is nothing to follow."""
    row = book.price_list
    if row.markup is None or not row.round_to:
        raise ValueError("this price list derives no rates: it has no markup and rounding.")
    if model.provider_cost is None:
        raise ValueError(f"{model.name} has no provider cost to derive a rate from.")
    return derived_rate(model.provider_cost, row.markup, row.round_to)


def repeated(keys: Iterable[Key]) -> set[Key]:
    """The keys that come more than once."""
    return {key for key, count in Counter(keys).items() if count > 1}
