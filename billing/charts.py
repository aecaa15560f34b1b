"""Stacked bars as plain numbers: what happened per day in, rectangles and labels out. Pure; no float.

Horizontal places are percent texts, so that the chart fits any width; vertical ones are pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.utils.formats import date_format

BASE = 216
TOP = 12
LABEL_Y = 240
HEIGHT = 248
NAMED_SERIES = 3
OTHERS = "All others"
BAR_SHARE = Decimal("0.72")
_STEPS = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the chart, what it adds up to, and where a click on it leads ("": nowhere)."""

    name: str
    css: str
    total: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    css: str
    y: int
    height: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    y: int
    label: str


@dataclass(frozen=True, slots=True)
class Day:
    """One column: its slot (for the pointer), its bars from the bottom up, and its figures as texts."""

    name: str
    label: str
    slot_x: str
    slot_width: str
    x: str
    width: str
    middle: str
    bars: tuple[Bar, ...]
    values: tuple[str, ...]
    tip: str


@dataclass(frozen=True, slots=True)
class Chart:
    series: tuple[Series, ...]
    days: tuple[Day, ...]
    ticks: tuple[Tick, ...]
    broad_axis: bool
    base: int = BASE
    height: int = HEIGHT
    label_y: int = LABEL_Y

    @property
    def is_empty(self) -> bool:
        return not self.series


def stacked(
    days: Sequence[date],
    values: Mapping[str, Mapping[date, int]],
    *,
    amount_text: Callable[[int], str],
    tick_text: Callable[[int], str],
    urls: Mapping[str, str] | None = None,
) -> Chart:
    """Draws ``values`` (name → day → micros, none negative); the three largest names get a colour each.

    ``amount_text`` writes an amount in micros, ``tick_text`` a mark of the axis; ``urls``: where a name leads.
    """
    stacks = _largest(values)
    totals = [sum(stack.get(day, 0) for _, stack in stacks) for day in days]
    marks = _marks(max(totals, default=0))
    series = tuple(
        Series(name, f"s{number}", amount_text(sum(stack.values())), (urls or {}).get(name, ""))
        for number, (name, stack) in enumerate(stacks, start=1)
    )
    ticks = tuple(Tick(_height_to_y(mark, marks[-1]), tick_text(mark)) for mark in marks)
    columns = tuple(
        _day(index, day, [stack.get(day, 0) for _, stack in stacks], days, marks[-1], series, amount_text)
        for index, day in enumerate(days)
    )
    return Chart(series, columns, ticks, any(len(tick.label) > 5 for tick in ticks))


def _largest(values: Mapping[str, Mapping[date, int]]) -> list[tuple[str, Mapping[date, int]]]:
    ranked = sorted(values.items(), key=lambda entry: (-sum(entry[1].values()), entry[0]))
    if len(ranked) <= NAMED_SERIES + 1:
        return ranked
    rest: dict[date, int] = {}
    for _, stack in ranked[NAMED_SERIES:]:
        for day, micros in stack.items():
            rest[day] = rest.get(day, 0) + micros
    return [*ranked[:NAMED_SERIES], (OTHERS, rest)]


def _marks(largest: int) -> list[int]:
    """Three or four round marks from zero to at least ``largest`` micros."""
    step, exponent = 1, 0
    while step * 3 < largest:
        exponent += 1
        step = _STEPS[exponent % 3] * 10 ** (exponent // 3)
    count = max(1, -(-largest // step))
    return [step * number for number in range(count + 1)]


def _height_to_y(micros: int, top: int) -> int:
    return BASE - micros * (BASE - TOP) // top


def _day(
    index: int,
    day: date,
    amounts: list[int],
    days: Sequence[date],
    top: int,
    series: tuple[Series, ...],
    amount_text: Callable[[int], str],
) -> Day:
    slot = Decimal(100) / len(days)
    left = slot * index
    texts = tuple(amount_text(micros) for micros in amounts)
    lines = [
        f"{one.name}  {text}" for one, text, micros in zip(series, texts, amounts, strict=True) if micros
    ]
    labelled = (len(days) - 1 - index) % _label_step(len(days)) == 0 and (index > 0 or len(days) <= 7)
    return Day(
        name=date_format(day, "j F Y"),
        label=date_format(day, "M j") if labelled else "",
        slot_x=_percent(left),
        slot_width=_percent(slot),
        x=_percent(left + slot * (1 - BAR_SHARE) / 2),
        width=_percent(slot * BAR_SHARE),
        middle=_percent(left + slot / 2),
        bars=_bars(amounts, top, series),
        values=texts,
        tip="\n".join([date_format(day, "D, M j"), *(lines or ["Nothing used"])]),
    )


def _label_step(days: int) -> int:
    """Every day of a week is named, then the weeks, then every other week or third, so that a phone has room."""
    return 1 if days <= 7 else 7 * -(-days // 35)


def _bars(amounts: list[int], top: int, series: tuple[Series, ...]) -> tuple[Bar, ...]:
    """Rectangles from the bottom up with one pixel between them; what is too small to see still shows."""
    bars = []
    reached = 0
    for one, micros in zip(series, amounts, strict=True):
        if micros <= 0:
            continue
        below, reached = _height_to_y(reached, top), reached + micros
        above = _height_to_y(reached, top)
        bars.append(Bar(one.css, above, max(1, below - above - (1 if below < BASE else 0)), one.url))
    return tuple(bars)


def _percent(value: Decimal) -> str:
    return f"{value:.3f}"
