"""The history as files. Text cells can never be run as a formula by a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from tempfile import TemporaryFile
from typing import IO, Final

from billing.ledger.models import Transaction
from billing.selectors.usage import Use
from catalog.pricing.units import micros_to_decimal, micros_to_text
from config.ids import public_id

COLUMNS: Final = (
    "date_utc",
    "type",
    "description",
    "model",
    "reference",
    "amount",
    "balance_after",
    "unit",
    "transaction",
    "charge",
)
USAGE_COLUMNS: Final = (
    "date_utc",
    "model",
    "operation",
    "api_key",
    "requests",
    "charged",
    "refunded",
    "net",
    "unit",
)
MOST_ROWS: Final = 100_000
_AMOUNTS: Final = (5, 6)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
BATCH: Final = 200


def plain_cell(text: str) -> str:
    """The text as a cell that stays text: control characters go, a leading apostrophe disarms formulas."""
    clean = _CONTROLS.sub("", text)
    if clean.startswith(_FORMULA_STARTS) or clean.lstrip().startswith(_FORMULA_STARTS):
        return f"'{clean}"
    return clean


def csv_lines(rows: Iterable[Transaction]) -> Iterator[str]:
    """CSV (RFC 4180, with a byte order mark for spreadsheets) in pieces of some rows each."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows, start=1):
        writer.writerow(_texts(row))
        if number % BATCH == 0:
            yield _drained(buffer)
    yield _drained(buffer)


def workbook(rows: Iterable[Transaction], unit: str) -> IO[bytes]:
    """An XLSX file, rewound; amounts are numbers, everything else is text."""
    file = TemporaryFile()  # noqa: SIM115 - the response that sends it closes it
    import xlsxwriter  # 20 MiB, for those who ask for a workbook

    book = xlsxwriter.Workbook(
        file,
        {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "in_memory": False},
    )
    sheet = book.add_worksheet("Transactions")
    heading = book.add_format({"bold": True})
    for column, name in enumerate(COLUMNS):
        sheet.write_string(0, column, name, heading)
    for number, row in enumerate(rows, start=1):
        for column, text in enumerate(_texts(row)):
            if column not in _AMOUNTS:
                sheet.write_string(number, column, text)
        sheet.write_number(number, _AMOUNTS[0], micros_to_decimal(row.amount))
        sheet.write_number(number, _AMOUNTS[1], micros_to_decimal(row.balance_after))
    book.set_properties({"title": f"Transactions in {unit}"})
    book.close()
    file.seek(0)
    return file


def usage_cells(use: Use, key_name: str, unit: str) -> list[str]:
    """One line of the usage export: a day's use of one model, operation and key."""
    model, operation, _ = use.names
    return [
        use.day.isoformat(),
        plain_cell(model),
        plain_cell(operation),
        plain_cell(key_name),
        str(use.requests),
        micros_to_text(use.used),
        micros_to_text(use.used - use.net),
        micros_to_text(use.net),
        unit,
    ]


def _texts(row: Transaction) -> list[str]:
    return [
        row.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        row.kind,
        plain_cell(row.description),
        plain_cell(row.model),
        plain_cell(row.reference),
        micros_to_text(row.amount),
        micros_to_text(row.balance_after),
        row.unit,
        row.public_id,
        public_id("ch", row.charge_id) if row.charge_id else "",
    ]


def _drained(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
