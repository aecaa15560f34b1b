"""A statement as PDF: what it says on its first page, the transactions after, the proof at the end.

Drawn cell by cell with fonts that come with the program: nothing is fetched, and no text is read as markup.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final

from django.utils.formats import date_format
from fpdf import FPDF, XPos, YPos
from fpdf.enums import Align

from billing.ledger.models import Kind
from billing.models import Statement
from billing.money_text import count_text, money_text
from billing.selectors.statements import Row, rows

FONTS: Final = Path(__file__).parent / "fonts"
MOST_ROWS: Final = 1_000
"""A PDF of more would be read by nobody; the CSV has them all."""
MOST_MODELS: Final = 20

_INK: Final = (24, 24, 27)
_QUIET: Final = (113, 113, 122)
_LINE: Final = (228, 228, 231)
_MARGIN: Final = 18.0
_WIDTH: Final = 210 - 2 * _MARGIN
_SUMS: Final = ((90.0, "L"), (30.0, "R"), (_WIDTH - 120, "R"))
_ROWS: Final = ((13.0, "R"), (34.0, "L"), (24.0, "L"), (_WIDTH - 131, "L"), (30.0, "R"), (30.0, "R"))


def render(statement: Statement, brand: str, locale: str = "en") -> bytes:
    """The file. ``brand`` is the company's name."""
    sheet = _Sheet(statement, brand, locale)
    sheet.summary()
    sheet.history()
    sheet.proof()
    return bytes(sheet.pdf.output())


class _Page(FPDF):
    footnote = ""

    def footer(self) -> None:
        self.set_y(-14)
        self.set_font("geist", size=7.5)
        self.set_text_color(*_QUIET)
        self.cell(_WIDTH - 30, 5, self.footnote)
        self.cell(30, 5, f"{self.page_no()} / {{nb}}", align=Align.R)


class _Sheet:
    """One statement being drawn, from top to bottom."""

    def __init__(self, statement: Statement, brand: str, locale: str) -> None:
        self.statement, self.locale = statement, locale
        self.said: dict[str, str] = dict(json.loads(statement.content))
        self.title = f"{date_format(statement.month, 'F Y')}"
        self.pdf = _Page(format="A4")
        self.pdf.set_margins(_MARGIN, _MARGIN)
        self.pdf.set_auto_page_break(True, 20)
        self.pdf.add_font("geist", fname=FONTS / "geist-400.ttf")
        self.pdf.add_font("geist", style="B", fname=FONTS / "geist-600.ttf")
        self.pdf.add_font("mono", fname=FONTS / "geist-mono-400.ttf")
        self.pdf.set_title(f"Statement {statement.month:%Y-%m}")
        self.pdf.set_author(_shown(brand))
        self.pdf.footnote = _shown(f"{brand} · {self.said['account']} · {self.title}")
        self.pdf.add_page()
        self._text(brand, 11, bold=True, below=10)

    def summary(self) -> None:
        """Whose it is, what it began and ended with, and where the difference came from."""
        self._text(f"Statement for {self.title}", 20, bold=True, below=2)
        self._text(
            f"{self.said['holder'] or self.statement.account.name} · {self.said['account']}",
            10,
            quiet=True,
            below=1,
        )
        unit = "credits" if self.statement.unit == "credit" else self.statement.unit
        self._text(f"In {unit}. The month and all times are UTC.", 10, quiet=True, below=5)
        if not self.statement.is_final:
            self._text("Preview: the month still runs, and nothing here is signed.", 10, bold=True, below=5)
        taken = sum(line[3] for line in self.statement.sums if line[3] < 0)
        given = sum(line[3] for line in self.statement.sums if line[3] > 0)
        began = money_text(self.statement.opening, self.statement.opening_unit, self.locale)
        self._line("Opening balance", began, bold=True)
        if self.statement.opening_unit == self.statement.unit:
            self._line("Came in", self._money(given))
            self._line("Went out", self._money(taken))
        self._line("Closing balance", self._money(self.statement.closing), bold=True)
        self._sums("By type", self._by(0))
        self._sums("By model", self._by(1))

    def history(self) -> None:
        """The transactions, oldest first."""
        if not self.statement.rows:
            return
        self._heading("Transactions")
        self._table(
            ("No.", "Time", "Type", "Detail", "Amount", "Balance"), _ROWS, self._history(), row_size=8
        )
        if self.statement.rows > MOST_ROWS:
            shown, of = count_text(MOST_ROWS, self.locale), count_text(self.statement.rows, self.locale)
            self._text(f"The first {shown} of {of} transactions; the CSV lists all.", 9, quiet=True, below=2)

    def proof(self) -> None:
        """What lets anybody check that nothing of it was changed since."""
        self._heading("Proof")
        if self.statement.is_final:
            said = (
                "Every transaction carries a hash over itself and the hash before it. The last one, below, is signed,"
                " with all figures of this statement. Download the month's CSV and run: portal verify-statement FILE"
            )
            self._text(said, 9, quiet=True, below=3)
        for label, value in (
            ("Hash before", self.said["head_before"]),
            ("Hash after", self.said["head"]),
            ("Key", self.said["key"] or "not signed"),
            ("Signature", bytes(self.statement.signature).hex()),
            ("Keys at", f"{self.said['issuer']}/.well-known/statement-keys.json"),
            ("Issued", self.said["issued_at"]),
        ):
            self._fact(label, value)

    def _history(self) -> Iterable[tuple[str, ...]]:
        for row in rows(self.statement, MOST_ROWS):
            yield (
                str(row.seq),
                row.created_at[:19].replace("T", " "),
                Kind(row.kind).label,
                _detail(row),
                self._money(row.amount, bare=True),
                self._money(row.balance_after, bare=True),
            )

    def _by(self, column: int) -> list[tuple[str, int, int]]:
        """(label, transactions, micros) by kind (0), or by model (1) where one was used."""
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for line in self.statement.sums:
            if column == 1 and not line[1]:
                continue
            total = sums[Kind(line[0]).label if column == 0 else line[1]]
            total[0] += line[2]
            total[1] += line[3]
        ordered = sorted(sums.items(), key=lambda item: -abs(item[1][1]))
        return [(label, count, micros) for label, (count, micros) in ordered[:MOST_MODELS]]

    def _sums(self, title: str, sums: list[tuple[str, int, int]]) -> None:
        if not sums:
            return
        self._heading(title)
        cells = (
            (label, count_text(count, self.locale), self._money(micros, signed=True))
            for label, count, micros in sums
        )
        self._table(("", "Transactions", "Amount"), _SUMS, cells, row_size=9)

    def _table(
        self,
        titles: tuple[str, ...],
        columns: tuple[tuple[float, str], ...],
        cells: Iterable[tuple[str, ...]],
        *,
        row_size: float,
    ) -> None:
        self._row(titles, columns, row_size, quiet=True)
        for texts in cells:
            if self.pdf.will_page_break(6):
                self.pdf.add_page()
                self._row(titles, columns, row_size, quiet=True)
            self._row(texts, columns, row_size)

    def _row(
        self,
        texts: tuple[str, ...],
        columns: tuple[tuple[float, str], ...],
        size: float,
        *,
        quiet: bool = False,
    ) -> None:
        self.pdf.set_font("geist", size=size)
        self.pdf.set_text_color(*(_QUIET if quiet else _INK))
        self.pdf.set_draw_color(*_LINE)
        for text, (width, align) in zip(texts, columns, strict=True):
            self.pdf.cell(width, 6, self._fitting(text, width - 2), border="B", align=Align.coerce(align))
        self.pdf.ln(6)

    def _line(self, label: str, value: str, *, bold: bool = False) -> None:
        self.pdf.set_font("geist", style="B" if bold else "", size=10)
        self.pdf.set_text_color(*_INK)
        self.pdf.set_draw_color(*_LINE)
        self.pdf.cell(_WIDTH - 60, 8, label, border="B", align=Align.L)
        self.pdf.cell(60, 8, value, border="B", align=Align.R)
        self.pdf.ln(8)

    def _fact(self, label: str, value: str) -> None:
        self.pdf.set_font("geist", size=8)
        self.pdf.set_text_color(*_QUIET)
        self.pdf.cell(26, 5, label)
        self.pdf.set_font("mono", size=7.5)
        self.pdf.set_text_color(*_INK)
        self.pdf.multi_cell(_WIDTH - 26, 5, _shown(value), new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _heading(self, text: str) -> None:
        if self.pdf.will_page_break(24):
            self.pdf.add_page()
        self.pdf.ln(7)
        self._text(text, 12, bold=True, below=1.5)

    def _text(
        self, text: str, size: float, *, bold: bool = False, quiet: bool = False, below: float = 0
    ) -> None:
        self.pdf.set_font("geist", style="B" if bold else "", size=size)
        self.pdf.set_text_color(*(_QUIET if quiet else _INK))
        self.pdf.multi_cell(
            _WIDTH, size * 0.5, _shown(text), align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT
        )
        self.pdf.ln(below)

    def _fitting(self, text: str, width: float) -> str:
        """The text, its end left out where it is too long for its cell."""
        shown = _shown(text)
        while shown and self.pdf.get_string_width(shown) > width:
            shown = f"{shown[:-2].rstrip('…')}…" if len(shown) > 2 else ""
        return shown

    def _money(self, micros: int, *, signed: bool = False, bare: bool = False) -> str:
        return money_text(micros, self.statement.unit, self.locale, signed=signed, bare=bare)


def _detail(row: Row) -> str:
    return f"{row.description} · {row.reference}" if row.reference else row.description


@lru_cache(maxsize=1)
def _known() -> frozenset[int]:
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    return frozenset(TTFont(FONTS / "geist-400.ttf").getBestCmap())


def _shown(text: str) -> str:
    """The text with what the font has no sign for (other scripts, control characters) as a question mark."""
    return "".join(char if ord(char) in _known() else " " if char.isspace() else "?" for char in text)
