"""Reading a filled-in price grid: every mistake at its field, nothing taken over until there is none.

An empty input is "not offered", 0 is free, "=" follows the provider's cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from catalog import drafts
from catalog.drafts import Entries, Entry, Key
from catalog.figures import OWN, Figures, Spot, figures, parse, spots, with_figures, with_modifier
from catalog.models import AIModel, Operation, PriceBook
from catalog.price_grid import (
    cell_name,
    field_name,
    modifiers,
    pipeline_name,
    pipelines,
    used_models,
    used_operations,
)
from catalog.pricing.types import Item
from catalog.pricing.units import decimal_to_text

DERIVE: Final = "="


@dataclass(slots=True)
class Edited:
    """What a form asks for: the prices, the mistakes by field, and remarks on what was filled in."""

    entries: Entries
    errors: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read(book: PriceBook, found: Entries, data: Mapping[str, str]) -> Edited:
    """The prices a filled-in form asks for. Fields that were not on the page leave what is there."""
    edited = Edited(dict(found))
    templates = drafts.Templates(found)
    operations = used_operations(book, found, everything=True)
    for model in used_models(book, found, everything=True):
        for operation in operations:
            _read_cell(book, model, operation, data, edited, templates)
    _read_phases(found, data, edited)
    _read_modifiers(found, data, edited)
    order = {key: number for number, key in enumerate(found)}
    edited.entries = dict(sorted(edited.entries.items(), key=lambda pair: order.get(pair[0], len(order))))
    return edited


def _read_cell(
    book: PriceBook,
    model: AIModel,
    operation: Operation,
    data: Mapping[str, str],
    edited: Edited,
    templates: drafts.Templates,
) -> None:
    key, cell = (model.slug, operation.slug), cell_name(model, operation)
    entry = edited.entries.get(key)
    if entry is not None and entry.item.phases:
        if f"{cell}-shown" in data and f"{cell}-offered" not in data:
            del edited.entries[key]
        return
    text = data.get(field_name(cell, OWN, "price"), "").strip()
    if text == DERIVE:
        _derive(book, model, operation, edited, templates)
    elif entry is None:
        _read_new(model, operation, text, edited, templates)
    else:
        _read_known(key, cell, entry, data, edited)


def _derive(
    book: PriceBook, model: AIModel, operation: Operation, edited: Edited, templates: drafts.Templates
) -> None:
    key = (model.slug, operation.slug)
    try:
        rate = drafts.derived(book, model)
    except ValueError as error:
        edited.errors[field_name(cell_name(model, operation), OWN, "price")] = str(error)
        return
    entry = edited.entries.get(key)
    item = templates.item(model, operation, rate)[0] if entry is None else entry.item
    changed = with_figures(item, {OWN: Figures(rate)})
    assert changed is not None  # it has a price
    edited.entries[key] = Entry(changed, model.provider_cost)


def _read_new(
    model: AIModel, operation: Operation, text: str, edited: Edited, templates: drafts.Templates
) -> None:
    name = field_name(cell_name(model, operation), OWN, "price")
    try:
        price = parse(text)
    except ValueError as error:
        edited.errors[name] = str(error)
        return
    if price is None:
        return
    item, like = templates.item(model, operation, price)
    edited.entries[model.slug, operation.slug] = Entry(item)
    if like:
        edited.remarks.append(f"{item.label} takes its parameters, modifiers and gate from {like}.")


def _read_known(key: Key, cell: str, entry: Entry, data: Mapping[str, str], edited: Edited) -> None:
    changes = _read_spots(entry.item, cell, data, edited)
    new = with_figures(entry.item, changes)
    if new is None:
        del edited.entries[key]
    elif new != entry.item:
        moved = figures(new, OWN) != figures(entry.item, OWN)
        edited.entries[key] = Entry(new, None if moved else entry.cost)
    if new is not None and new.rate.price == 0 and new.rate.variants:
        edited.errors[field_name(cell, OWN, "price")] = (
            "is 0 beside variants; give the variants their prices."
        )


def _read_spots(item: Item, cell: str, data: Mapping[str, str], edited: Edited) -> dict[Spot, Figures | None]:
    changes: dict[Spot, Figures | None] = {}
    for spot in spots(item):
        if field_name(cell, spot, "price") not in data:
            continue
        values = {}
        for part in ("price", "low", "high"):
            name = field_name(cell, spot, part)
            try:
                values[part] = parse(data.get(name, ""))
            except ValueError as error:
                edited.errors[name] = str(error)
        if len(values) < 3:
            continue
        asked = Figures(**values)
        for part, problem in asked.problems().items():
            edited.errors[field_name(cell, spot, part)] = problem
        changes[spot] = asked
    return changes


def _read_phases(found: Entries, data: Mapping[str, str], edited: Edited) -> None:
    for keys in pipelines(found).values():
        item, cell = found[keys[0]].item, pipeline_name(keys)
        changes = _read_spots(item, cell, data, edited)
        for spot, asked in changes.items():
            if asked == Figures():
                edited.errors[field_name(cell, spot, "price")] = "is needed; 0 is free."
        for key in keys:
            if key in edited.entries and changes:
                entry = edited.entries[key]
                edited.entries[key] = replace(entry, item=with_figures(entry.item, changes) or entry.item)


def _read_modifiers(found: Entries, data: Mapping[str, str], edited: Edited) -> None:
    for number, (modifier, _) in enumerate(modifiers(found)):
        values: dict[str, Decimal] = {}
        for part in ("times", "add"):
            name = f"m{number}-{part}"
            text = data.get(name, decimal_to_text(getattr(modifier, part))).strip()
            try:
                figure = parse(text)
            except ValueError as error:
                edited.errors[name] = str(error)
                continue
            if figure is None:
                edited.errors[name] = "is needed: 1 for times, 0 for add change nothing."
            else:
                values[part] = figure
        if len(values) < 2:
            continue
        new = replace(modifier, times=values["times"], add=values["add"])
        if new != modifier:
            for key, entry in list(edited.entries.items()):
                edited.entries[key] = replace(entry, item=with_modifier(entry.item, modifier, new))
