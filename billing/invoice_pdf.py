"""An invoice as PDF: drawn cell by cell with fonts that come with the program, so no text is read as markup."""

import unicodedata
from pathlib import Path
from typing import Final

from django.utils.formats import date_format
from fpdf import FPDF
from fpdf.enums import Align

from billing.models import Invoice
from billing.money_text import count_text, money_text

FONTS: Final = Path(__file__).parent / "fonts"
STATES: Final = {"open": "To be paid", "paid": "Paid", "void": "Void: nothing is to be paid"}

_INK: Final = (24, 24, 27)
_QUIET: Final = (113, 113, 122)
_LINE: Final = (228, 228, 231)
_MARGIN: Final = 18.0
_WIDTH: Final = 210 - 2 * _MARGIN
_COLUMNS: Final = ((_WIDTH - 60, Align.L), (25.0, Align.R), (35.0, Align.R))


def render(invoice: Invoice, brand: str, locale: str = "en") -> bytes:
    """The file. ``brand`` is the company's name."""
    pdf = FPDF(format="A4")
    pdf.set_margins(_MARGIN, _MARGIN)
    pdf.set_auto_page_break(True, 20)
    pdf.add_font("geist", fname=FONTS / "geist-400.ttf")
    pdf.add_font("geist", style="B", fname=FONTS / "geist-600.ttf")
    pdf.set_title(f"Invoice {invoice.number_text}")
    pdf.set_author(_plain(brand))
    pdf.add_page()
    _head(pdf, invoice, brand)
    _row(pdf, ("Description", "Requests", "Amount"), quiet=True)
    for line in invoice.lines.all():
        quantity = "" if line.quantity is None else count_text(line.quantity, locale)
        _row(
            pdf,
            (
                _what(line.description, line.operation),
                quantity,
                money_text(line.amount, invoice.unit, locale),
            ),
        )
    _row(pdf, ("Total", "", money_text(invoice.total, invoice.unit, locale)), bold=True)
    if invoice.status != Invoice.Status.VOID:
        due = money_text(invoice.due.micros, invoice.currency, locale)
        _row(pdf, ("Amount due" if invoice.status == "open" else "Amount paid", "", due), bold=True)
    return bytes(pdf.output())


def _head(pdf: FPDF, invoice: Invoice, brand: str) -> None:
    _text(pdf, brand, 11, bold=True, below=10)
    _text(pdf, f"Invoice {invoice.number_text}", 20, bold=True, below=2)
    _text(pdf, f"{invoice.name} · {invoice.email}", 10, below=1)
    _text(pdf, invoice.account.public_id, 8, below=5)
    facts = (
        ("State", STATES[invoice.status]),
        ("Issued", date_format(invoice.issued_at, "j F Y")),
        ("Due", date_format(invoice.due_at, "j F Y")),
        ("Work accepted", f"{invoice.starts_at:%Y-%m-%d %H:%M} to {invoice.ends_at:%Y-%m-%d %H:%M} UTC"),
        ("Reference", invoice.number_text),
    )
    for label, value in facts:
        pdf.set_font("geist", size=9)
        pdf.set_text_color(*_QUIET)
        pdf.cell(35, 6, label)
        pdf.set_text_color(*_INK)
        pdf.cell(_WIDTH - 35, 6, value)
        pdf.ln(6)
    pdf.ln(6)


def _text(pdf: FPDF, text: str, size: float, *, bold: bool = False, below: float) -> None:
    pdf.set_font("geist", style="B" if bold else "", size=size)
    pdf.set_text_color(*_INK)
    pdf.multi_cell(_WIDTH, size * 0.5, _plain(text), new_x="LMARGIN", new_y="NEXT", align=Align.L)
    pdf.ln(below)


def _row(pdf: FPDF, texts: tuple[str, ...], *, bold: bool = False, quiet: bool = False) -> None:
    pdf.set_font("geist", style="B" if bold else "", size=9)
    pdf.set_text_color(*(_QUIET if quiet else _INK))
    pdf.set_draw_color(*_LINE)
    for text, (width, align) in zip(texts, _COLUMNS, strict=True):
        shown = _plain(text)
        while shown and pdf.get_string_width(shown) > width - 2:
            shown = shown.removesuffix("…")[:-1] + "…" if len(shown) > 1 else ""
        pdf.cell(width, 7, shown, border="B", align=align)
    pdf.ln(7)


def _what(description: str, operation: str) -> str:
    return (
        description
        if not operation or operation.replace("-", " ") in description.lower()
        else f"{description}, {operation}"
    )


def _plain(text: str) -> str:
    """Text without control and direction characters, in glyphs the font has."""
    kept = (
        letter
        for letter in unicodedata.normalize("NFC", text)
        if not unicodedata.category(letter).startswith("C")
    )
    return "".join(kept)
