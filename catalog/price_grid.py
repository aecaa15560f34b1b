"""A price book as a grid: models against operations, an input for each price. Operations and models that have nothing
to do with each other stand in blocks of their own, so that a grid is mostly prices and not mostly holes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from catalog.drafts import Entries, Entry, Key
from catalog.figures import OWN, Figures, Spot, figures, label, rates, spots
from catalog.models import AIModel, Operation, PriceBook
from catalog.pricing.rates import describe
from catalog.pricing.types import Modifier
from catalog.pricing.units import decimal_to_text

MOST_CELLS: Final = 600
"""More do not fit into one form; then the models come in pages."""


@dataclass(frozen=True, slots=True)
class Input:
    """One field of the form: its name, what stands in it, and what is wrong with it."""

    name: str
    label: str
    text: str
    error: str = ""
    low: "Input | None" = None
    high: "Input | None" = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A model × operation with its inputs; ``marks`` say what else belongs to the price."""

    name: str
    title: str
    inputs: tuple[Input, ...]
    offered: bool
    pipeline: bool = False
    per: str = ""
    marks: tuple[str, ...] = ()
    price: int | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A grid: the longer side runs down. ``corner`` names what the rows are."""

    corner: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Cell, ...]], ...]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    name: str
    per: str
    inputs: tuple[Input, ...]
    uses: str
    reserve: bool


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Phases that one or more prices are the sum of."""

    title: str
    rows: tuple[PhaseRow, ...]


@dataclass(frozen=True, slots=True)
class ModifierRow:
    """A modifier and how many prices it changes."""

    modifier: Modifier
    when: str
    used_by: int
    times: Input
    add: Input


class Grid:
    """One version of a price list laid out for a page; ``data`` is what was typed, where it has to be kept."""

    def __init__(
        self,
        book: PriceBook,
        found: Entries,
        *,
        everything: bool = False,
        page: int = 1,
        data: Mapping[str, str] | None = None,
        errors: Mapping[str, str] | None = None,
    ) -> None:
        self.book = book
        self.found = found
        self._data = data
        self._errors = errors or {}
        self._rows = {
            (price.model.slug, price.operation.slug): price.pk
            for price in book.prices.select_related("model", "operation")
        }
        self.models = used_models(book, found, everything)
        self.operations = used_operations(book, found, everything)
        each = max(1, MOST_CELLS // max(1, len(self.operations)))
        self.pages = (
            -(-len(self.models) // each) if len(self.models) * len(self.operations) > MOST_CELLS else 1
        )
        self.page = min(max(page, 1), self.pages)
        if self.pages > 1:
            self.models = self.models[(self.page - 1) * each : self.page * each]
        self._everything = everything or self.pages > 1

    def blocks(self) -> list[Block]:
        """The grids; one for all where everything is shown."""
        groups = [(self.models, self.operations)]
        if not self._everything:
            groups = list(_connected(self.models, self.operations, self.found))
        return [self._block(models, operations) for models, operations in groups]

    def _block(self, models: list[AIModel], operations: list[Operation]) -> Block:
        if len(operations) > len(models):
            rows = tuple(
                (operation.name, "", tuple(self._cell(model, operation) for model in models))
                for operation in operations
            )
            return Block("Operation", tuple(model.name for model in models), rows)
        rows = tuple(
            (model.name, model.tier, tuple(self._cell(model, operation) for operation in operations))
            for model in models
        )
        return Block("Model", tuple(operation.name for operation in operations), rows)

    def _cell(self, model: AIModel, operation: Operation) -> Cell:
        name = cell_name(model, operation)
        title = f"{model.name}, {operation.name}"
        entry = self.found.get((model.slug, operation.slug))
        if entry is None:
            return Cell(name, title, (self._input(name, OWN, "", Figures()),), offered=False)
        item = entry.item
        row = self._rows.get((model.slug, operation.slug))
        if item.phases:
            kept = self._data is None or f"{name}-offered" in self._data
            return Cell(name, title, (), kept, pipeline=True, marks=_marks(entry), price=row)
        inputs = tuple(
            self._input(name, spot, label(item, spot), figures(item, spot)) for spot in spots(item)
        )
        return Cell(name, title, inputs, True, per=item.rate.per, marks=_marks(entry), price=row)

    def _input(self, cell: str, spot: Spot, text: str, values: Figures) -> Input:
        bounds = [
            self._plain(field_name(cell, spot, part), part, getattr(values, part))
            if values.low is not None or values.high is not None
            else None
            for part in ("low", "high")
        ]
        own = self._plain(field_name(cell, spot, "price"), text, values.price)
        return replace(own, low=bounds[0], high=bounds[1])

    def _plain(self, name: str, text: str, value: object) -> Input:
        stored = "" if value is None else decimal_to_text(value)  # type: ignore[arg-type]  # a Decimal
        shown = stored if self._data is None else self._data.get(name, stored)
        return Input(name, text, shown, self._errors.get(name, ""))

    def pipelines(self) -> list[Pipeline]:
        """The phases of composite prices, each set of them once."""
        return [self._pipeline(keys) for keys in pipelines(self.found).values()]

    def _pipeline(self, keys: list[Key]) -> Pipeline:
        item = self.found[keys[0]].item
        cell = pipeline_name(keys)
        rows = []
        for number, phase in enumerate(item.phases):
            mine = [spot for spot in spots(item) if spot.phase == number]
            inputs = tuple(
                self._input(cell, spot, label(item, spot).partition(": ")[2], figures(item, spot))
                for spot in mine
            )
            uses = phase.uses
            text = "" if uses is None else f"{uses.model}.{uses.operation}"
            if uses is not None and uses.parameters:
                text += f" with {describe({k: (v,) for k, v in uses.parameters.items()})}"
            per = phase.rate.per if phase.rate is not None else ""
            rows.append(PhaseRow(phase.name, per, inputs, text, phase.only_reported))
        return Pipeline(" and ".join(self.found[key].item.label for key in keys), tuple(rows))

    def modifiers(self) -> list[ModifierRow]:
        """Every modifier of the book once, with its figures."""
        return [
            ModifierRow(
                modifier,
                describe(modifier.when),
                used,
                self._plain(f"m{number}-times", "", modifier.times),
                self._plain(f"m{number}-add", "", modifier.add),
            )
            for number, (modifier, used) in enumerate(modifiers(self.found))
        ]


def cell_name(model: AIModel, operation: Operation) -> str:
    return f"c{model.pk}o{operation.pk}"


def pipeline_name(keys: list[Key]) -> str:
    return "phases-" + ".".join(keys[0])


def field_name(cell: str, spot: Spot, part: str) -> str:
    return f"{cell}-{spot.key}-{part}"


def pipelines(found: Entries) -> dict[object, list[Key]]:
    """Keys of composite prices by what their phases are."""
    groups: dict[object, list[Key]] = {}
    for key, entry in found.items():
        if entry.item.phases:
            groups.setdefault(repr(entry.item.phases), []).append(key)
    return groups


def modifiers(found: Entries) -> list[tuple[Modifier, int]]:
    counted: dict[str, tuple[Modifier, int]] = {}
    for entry in found.values():
        for modifier in {repr(each): each for rate in rates(entry.item) for each in rate.modifiers}.values():
            counted[repr(modifier)] = (modifier, counted.get(repr(modifier), (modifier, 0))[1] + 1)
    return list(counted.values())


def _marks(entry: Entry) -> tuple[str, ...]:
    item = entry.item
    marks = [f"needs {item.requires}"] if item.requires else []
    if item.rate.approximate or any(variant.approximate for variant in item.rate.variants):
        marks.append("≈ approximate")
    if entry.cost is not None:
        marks.append(f"derived from {decimal_to_text(entry.cost)}")
    marks += [modifier.name for modifier in item.rate.modifiers]
    if item.minimum:
        marks.append(f"at least {decimal_to_text(item.minimum)}")
    if item.monthly_limit:
        marks.append(f"counts as {item.monthly_limit}")
    if item.confirm:
        marks.append("asks to confirm")
    return tuple(marks)


def used_models(book: PriceBook, found: Entries, everything: bool) -> list[AIModel]:
    used = {model for model, _ in found}
    rows = AIModel.objects.filter(profile=book.profile_id).order_by("position", "pk")
    return [row for row in rows if row.slug in used or (everything and row.active)]


def used_operations(book: PriceBook, found: Entries, everything: bool) -> list[Operation]:
    used = {operation for _, operation in found}
    rows = Operation.objects.filter(profile=book.profile_id).order_by("position", "pk")
    return [row for row in rows if row.slug in used or (everything and row.active)]


def _connected(
    models: list[AIModel], operations: list[Operation], found: Entries
) -> Iterator[tuple[list[AIModel], list[Operation]]]:
    """Models and operations in groups that share prices with each other and with nobody else."""
    left = [model.slug for model in models]
    while left:
        mine, theirs = {left[0]}, set[str]()
        grown = -1
        while grown != len(mine) + len(theirs):
            grown = len(mine) + len(theirs)
            theirs |= {operation for model, operation in found if model in mine}
            mine |= {model for model, operation in found if operation in theirs}
        left = [slug for slug in left if slug not in mine]
        for groups in _dense(mine, theirs, found):
            yield (
                [model for model in models if model.slug in groups[0]],
                [operation for operation in operations if operation.slug in groups[1]],
            )


def _dense(
    models: set[str], operations: set[str], found: Entries
) -> list[tuple[frozenset[str], frozenset[str]]]:
    """The group itself, or where it is mostly holes, one group for each set of models that offer the same."""
    offered_by = {
        operation: frozenset(model for model in models if (model, operation) in found)
        for operation in sorted(operations)
    }
    filled = sum(len(offering) for offering in offered_by.values())
    if 2 * filled >= len(models) * len(operations):
        return [(frozenset(models), frozenset(operations))]
    alike: dict[frozenset[str], set[str]] = {}
    for operation, offering in offered_by.items():
        alike.setdefault(offering, set()).add(operation)
    return sorted(
        ((offering, frozenset(shared)) for offering, shared in alike.items()), key=lambda pair: -len(pair[0])
    )
