"""Prices as CSV: written so that no cell is a formula, read whole with every problem by its line.

One row for each price: a model × operation, or one ``part`` of it (a variant, a phase). Rows change figures and
add prices; how a price is measured, its modifiers and gates stay as the draft has them.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from catalog import drafts
from catalog.drafts import Entries, Entry, Key
from catalog.figures import OWN, Figures, Spot, figures, label, parse, spots, with_figures
from catalog.models import AIModel, Operation, PriceBook
from catalog.pricing.book import nearest
from catalog.pricing.types import Item
from catalog.pricing.units import decimal_to_text
from catalog.problems import Problem

COLUMNS: Final = ("model", "operation", "part", "price", "low", "high", "derived", "per", "unit")
_NEEDED: Final = ("model", "operation", "price")
LARGEST: Final = 8_000_000
MOST_ROWS: Final = 50_000
MOST_PROBLEMS: Final = 1_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_LONGEST_FIELD: Final = 1_000


class InvalidPrices(Exception):
    """A file that cannot be read as prices of this list; nothing of it was taken over."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.line or 0, problem.where))[
            :MOST_PROBLEMS
        ]
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(slots=True)
class _Row:
    """One line of the file: its cells by column."""

    line: int
    cells: dict[str, str]

    @property
    def key(self) -> Key:
        return self.cells["model"], self.cells["operation"]

    def problem(self, column: str, message: str) -> Problem:
        return Problem(self.line, column, message)


def write(book: PriceBook) -> str:
    """The prices of a version as CSV (RFC 4180, with a byte order mark for spreadsheets)."""
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for (model, operation), entry in drafts.entries(book).items():
        for spot in spots(entry.item):
            values = figures(entry.item, spot)
            numbers = (
                "" if value is None else decimal_to_text(value)
                for value in (values.price, values.low, values.high)
            )
            derived = "yes" if entry.cost is not None and spot == OWN else ""
            part = _plain(label(entry.item, spot))
            writer.writerow(
                (model, operation, part, *numbers, derived, _per(entry.item, spot), book.price_list.unit)
            )
    return buffer.getvalue()


def read(book: PriceBook, data: bytes, *, complete: bool = False) -> Entries:
    """The prices a file asks for, on top of the draft's. Raises InvalidPrices with every problem.

    ``complete``: the file is the whole list, and what it leaves out is no longer offered.
    """
    rows = list(_rows(data))
    problems: list[Problem] = []
    reading = _Reading(book, problems)
    for row in rows:
        reading.take(row)
    wanted = reading.result(complete)
    if not problems:
        problems += [Problem(None, "prices", problem) for problem in drafts.problems(book, wanted)]
    if problems:
        raise InvalidPrices(problems)
    return wanted


def _rows(data: bytes) -> Iterator[_Row]:
    text = _text(data)
    delimiter = ";" if text.partition("\n")[0].count(";") > text.partition("\n")[0].count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _check_head(names)
        for cells in reader:
            if reader.line_num > MOST_ROWS + 1:
                raise InvalidPrices([Problem(None, "file", f"has more than {MOST_ROWS:,} rows.")])
            if any(cell.strip() for cell in cells):
                padded = [*cells, *[""] * (len(names) - len(cells))]
                found = {name: _restored(cell) for name, cell in zip(names, padded, strict=False)}
                yield _Row(reader.line_num, {**dict.fromkeys(COLUMNS, ""), **found})
    except csv.Error as error:
        raise InvalidPrices([Problem(reader.line_num, "file", f"is not CSV: {error}.")]) from error


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise InvalidPrices([Problem(None, "file", f"is larger than {LARGEST // 1_000_000} MB.")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidPrices([Problem(line, "file", "is not UTF-8 text; save it as CSV UTF-8.")]) from error
    if "\x00" in text:
        line = text.count("\n", 0, text.index("\x00")) + 1
        raise InvalidPrices([Problem(line, "file", "has a NUL character; it is no text file.")])
    if not text.strip():
        raise InvalidPrices([Problem(None, "file", "is empty.")])
    return text


def _check_head(names: list[str]) -> None:
    problems = [
        Problem(1, name or "column", "is not a known column." + nearest(name, COLUMNS))
        for name in names
        if name not in COLUMNS
    ]
    problems += [
        Problem(1, name, "is there twice.") for name in sorted({n for n in names if names.count(n) > 1})
    ]
    problems += [Problem(1, name, "is missing from the first line.") for name in _NEEDED if name not in names]
    if problems:
        raise InvalidPrices(problems)


class _Reading:
    """Takes rows one by one and notes what is wrong with each."""

    def __init__(self, book: PriceBook, problems: list[Problem]) -> None:
        self._book = book
        self._problems = problems
        self._found = drafts.entries(book)
        self._models = {row.slug: row for row in AIModel.objects.filter(profile=book.profile_id)}
        self._operations = {row.slug: row for row in Operation.objects.filter(profile=book.profile_id)}
        self._templates = drafts.Templates(self._found)
        self._labels: dict[Key, dict[str, Spot]] = {}
        self._lines: dict[tuple[str, str, str], int] = {}
        self._changes: dict[Key, dict[Spot, Figures | None]] = {}
        self._derived: dict[Key, AIModel] = {}
        self._new: dict[Key, Item] = {}

    def take(self, row: _Row) -> None:
        before = len(self._problems)
        self._check_names(row)
        asked = self._figures(row)
        if len(self._problems) > before:
            return
        known = self._found.get(row.key)
        if known is None:
            self._take_new(row, asked)
        else:
            self._take_known(row, known.item, asked)

    def _check_names(self, row: _Row) -> None:
        for column, names in (("model", self._models), ("operation", self._operations)):
            slug = row.cells[column]
            if not slug:
                self._problems.append(row.problem(column, "is missing."))
            elif slug not in names:
                hint = nearest(slug, names)
                self._problems.append(row.problem(column, f"there is no {column} {slug[:60]!r}.{hint}"))
        place = (*row.key, row.cells["part"])
        first = self._lines.setdefault(place, row.line)
        if first != row.line:
            self._problems.append(row.problem("model", f"is the same price as in line {first}."))
        unit = self._book.price_list.unit
        if row.cells["unit"] not in ("", unit):
            self._problems.append(
                row.problem(
                    "unit", f"two units in one price book: {row.cells['unit'][:20]} here, {unit} there."
                )
            )

    def _figures(self, row: _Row) -> Figures:
        values = {}
        for column in ("price", "low", "high"):
            try:
                values[column] = parse(row.cells[column])
            except ValueError as error:
                self._problems.append(row.problem(column, str(error)))
        asked = Figures(**values)
        if len(values) == 3:
            derived = self._is_derived(row)
            if asked == Figures() and not derived:
                self._problems.append(
                    row.problem("price", "is empty; 0 is free, and what is not offered has no row.")
                )
            else:
                self._problems += [row.problem(part, text) for part, text in asked.problems().items()]
        return asked

    def _is_derived(self, row: _Row) -> bool:
        text = row.cells["derived"].lower()
        if text in ("", "no", "false", "0"):
            return False
        if text not in ("yes", "true", "1"):
            self._problems.append(row.problem("derived", "must be yes or empty."))
        return True

    def _take_new(self, row: _Row, asked: Figures) -> None:
        if row.cells["part"]:
            self._problems.append(row.problem("part", "there is no such price to be a part of."))
            return
        model, operation = self._models[row.key[0]], self._operations[row.key[1]]
        derived = self._is_derived(row)
        if derived:
            asked = self._derive(row, model, asked)
        if asked.price is None:
            return
        item, _ = self._templates.item(model, operation, asked.price)
        if row.cells["per"] not in ("", item.rate.per):
            self._problems.append(_other_measure(row, item.rate.per))
        self._new[row.key] = item
        self._changes[row.key] = {OWN: asked}
        if derived:
            self._derived[row.key] = model

    def _take_known(self, row: _Row, item: Item, asked: Figures) -> None:
        labels = self._labels.get(row.key)
        if labels is None:
            labels = self._labels[row.key] = {label(item, spot): spot for spot in spots(item)}
            if not item.phases:
                labels.setdefault("", OWN)
        spot = labels.get(row.cells["part"])
        if spot is None:
            known = ", ".join(repr(name) for name in labels) or "none"
            self._problems.append(row.problem("part", f"is not a part of this price; its parts are {known}."))
            return
        if row.cells["per"] not in ("", _per(item, spot)):
            self._problems.append(_other_measure(row, _per(item, spot)))
        if self._is_derived(row):
            if spot != OWN:
                self._problems.append(
                    row.problem("derived", "only a price of its own follows the cost, not a part.")
                )
                return
            asked = self._derive(row, self._models[row.key[0]], asked)
            self._derived[row.key] = self._models[row.key[0]]
        self._changes.setdefault(row.key, {})[spot] = asked

    def _derive(self, row: _Row, model: AIModel, asked: Figures) -> Figures:
        try:
            rate = drafts.derived(self._book, model)
        except ValueError as error:
            self._problems.append(row.problem("derived", str(error)))
            return asked
        if asked.price is not None and asked.price != rate:
            self._problems.append(
                row.problem(
                    "price", f"is not the derived rate {decimal_to_text(rate)}; leave one of the two out."
                )
            )
        return replace(asked, price=rate)

    def result(self, complete: bool) -> Entries:
        """The prices that are wanted; with ``complete`` only those, and those parts, that the file has."""
        rowless = {key: entry for key, entry in self._found.items() if not spots(entry.item)}
        wanted = rowless if complete else dict(self._found)
        for key, changes in self._changes.items():
            known = self._found.get(key)
            item = self._new[key] if known is None else known.item
            if complete and not item.phases:
                changes = {**dict.fromkeys(spots(item)), **changes}
            new = with_figures(item, changes)
            if new is None:
                wanted.pop(key, None)
                continue
            wanted[key] = Entry(new, self._cost(key, known, new))
        return wanted

    def _cost(self, key: Key, known: Entry | None, new: Item) -> Decimal | None:
        if key in self._derived:
            return self._derived[key].provider_cost
        unchanged = known is not None and figures(known.item, OWN) == figures(new, OWN)
        return known.cost if unchanged and known is not None else None


def _per(item: Item, spot: Spot) -> str:
    if spot.phase is None:
        return item.rate.per
    rate = item.phases[spot.phase].rate
    return rate.per if rate is not None else ""


def _other_measure(row: _Row, per: str) -> Problem:
    return row.problem(
        "per", f"this price is per {per}; change that at the price itself or in the profile file."
    )


def _plain(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def _restored(cell: str) -> str:
    cell = cell.strip()[:_LONGEST_FIELD]
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip().startswith(_FORMULA) else cell
