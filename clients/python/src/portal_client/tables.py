"""Plain text for a terminal: aligned columns, amounts to the right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """``right`` aligns to the right, as amounts are."""

    title: str
    right: bool = False


def printable(text: str) -> str:
    """Nothing that a terminal would act on: descriptions may carry a customer's own words."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their titles, two spaces apart, no trailing blanks."""
    cells = [[column.title for column in columns], *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    return "\n".join(_line(columns, widths, line) for line in cells)


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """``name  value`` lines, values aligned."""
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name.ljust(width)}  {printable(value)}".rstrip() for name, value in rows)


def _line(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str]) -> str:
    aligned = (
        cell.rjust(width) if column.right else cell.ljust(width)
        for column, width, cell in zip(columns, widths, cells, strict=True)
    )
    return "  ".join(aligned).rstrip()
