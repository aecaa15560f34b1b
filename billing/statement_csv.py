"""A statement as CSV: what it says, every transaction with all its hash covers, and the signature last.

``portal verify-statement`` (clients/python) reads it back to the byte: a text cell that a spreadsheet might run as a
formula, or that begins with an apostrophe, gets an apostrophe in front, and loses exactly one when read.
"""

import csv
import io
import json
from collections.abc import Iterator
from typing import Final

from billing.models import Statement
from billing.selectors.statements import BATCH, Row, rows
from catalog.pricing.units import micros_to_text
from config.ids import public_id

COLUMNS: Final = (
    "number", "transaction", "time_utc", "type", "amount", "balance_after", "unit", "description", "charge",
    "reference", "model", "api_key", "key", "details", "hash",
)  # fmt: skip
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def lines(statement: Statement) -> Iterator[str]:
    """The file in pieces of some rows each, so that a million rows need no more memory than a hundred."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")
    writer.writerows((name, inert(value)) for name, value in json.loads(statement.content))
    writer.writerow(())
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows(statement), start=1):
        writer.writerow(_cells(row))
        if number % BATCH == 0:
            yield _drained(buffer)
    writer.writerow(())
    writer.writerow(("signature", bytes(statement.signature).hex()))
    yield _drained(buffer)


def inert(text: str) -> str:
    """The text as a cell that stays text in a spreadsheet, told apart from one that began with an apostrophe."""
    return f"'{text}" if text.startswith("'") or text.lstrip().startswith(_FORMULA_STARTS) else text


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.seq),
        public_id("txn", row.id),
        row.created_at,
        row.kind,
        micros_to_text(row.amount),
        micros_to_text(row.balance_after),
        row.unit,
        inert(row.description),
        public_id("ch", row.charge_id) if row.charge_id else "",
        inert(row.reference),
        inert(row.model),
        public_id("key", row.api_key_id) if row.api_key_id else "",
        inert(row.key or ""),
        inert(row.details),
        bytes(row.hash).hex(),
    )


def _drained(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text
