"""Checking a monthly statement (CSV) offline: its chain of hashes, its sums, its signature.

The hash of a transaction is SHA-256 over the hash before it and the transaction's own columns as JSON text. What is
signed is the text of the statement's head, which names the hash before its first and after its last transaction.
"""

import csv
import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

from portal_client import ed25519

FORMAT: Final = "1"
_COLUMNS: Final = (
    "number", "transaction", "time_utc", "type", "amount", "balance_after", "unit", "description", "charge",
    "reference", "model", "api_key", "key", "details", "hash",
)  # fmt: skip
_HEAD: Final = (
    "statement", "state", "issuer", "account", "holder", "month", "opening_unit", "unit",
    "opening_balance", "closing_balance", "transactions", "first_number", "last_number",
    "head_before", "head", "issued_at", "key",
)  # fmt: skip

_AMOUNT: Final = re.compile(r"0|-?(?:[1-9]\d*|0(?=\.))(?:\.\d{0,5}[1-9])?", re.ASCII)

OK: Final = "ok"
WRONG: Final = "wrong"
NOT_CHECKED: Final = "not checked"

MOST_TOLD: Final = 20
"""Wrong transactions of one file that are told one by one."""

Keys = Mapping[str, bytes]
"""Public keys (32 bytes) by their id."""


class Unreadable(Exception):
    """The file is not a statement as a portal writes it."""


@dataclass
class Report:
    """What was checked of one file: each a sentence, and what is known of its signature.

    It is in order when nothing is wrong and the signature is ``ok``.
    """

    file: str
    checked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)
    head: dict[str, str] = field(default_factory=dict)
    signature: str = NOT_CHECKED
    untold: int = 0
    """How many transactions more are wrong than ``wrong`` tells of."""

    def note(self, what: str) -> None:
        """Something is wrong with a transaction; of many only the first are told one by one."""
        if len(self.wrong) < MOST_TOLD:
            self.wrong.append(what)
        else:
            self.untold += 1


def key_id(public: bytes) -> str:
    """A public key's id, as statements name it."""
    return hashlib.sha256(public).hexdigest()[:16]


def check(path: Path, keys: Keys) -> Report:
    """Check one file against itself and the keys. Raises Unreadable, OSError."""
    report = Report(str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = _Lines(csv.reader(file, strict=True))
            report.head = _read_head(lines)
            _check_rows(report, lines)
            signature = _read_signature(lines)
    except UnicodeDecodeError as error:
        raise Unreadable(
            f"{path} is not text. What can be checked is the month's CSV file, not its PDF."
        ) from error
    except (csv.Error, ValueError, ArithmeticError, StopIteration) as error:
        raise Unreadable(f"{path} is not a statement as the portal writes it: {error}") from error
    _check_signature(report, signature, keys)
    return report


def check_order(reports: Iterable[Report]) -> list[str]:
    """What is wrong between statements of one account that should follow each other; empty when nothing is."""
    ordered = sorted(reports, key=lambda report: (report.head["account"], report.head["month"]))
    wrong = []
    for before, after in pairwise(ordered):
        if (
            before.head["account"] == after.head["account"]
            and before.head["head"] != after.head["head_before"]
        ):
            wrong.append(f"{after.file} does not start where {before.file} ends.")
    return wrong


class _Lines(Iterator[list[str]]):
    """The file's lines, cells without the apostrophe that kept a spreadsheet from running them."""

    def __init__(self, reader: Iterator[list[str]]) -> None:
        self._reader = reader

    def __next__(self) -> list[str]:
        return [cell[1:] if cell.startswith("'") else cell for cell in next(self._reader)]


def _read_head(lines: _Lines) -> dict[str, str]:
    head: dict[str, str] = {}
    for cells in lines:
        if not cells:
            break
        if len(cells) != 2:
            raise ValueError("its first lines are others")
        head[cells[0]] = cells[1]
    if tuple(head) != _HEAD or head["statement"] != FORMAT:
        raise ValueError("its first lines are others")
    if tuple(next(lines)) != _COLUMNS:
        raise ValueError("its columns are others")
    return head


def _read_signature(lines: _Lines) -> bytes:
    last = next(lines, [])
    if len(last) != 2 or last[0] != "signature" or next(lines, None) is not None:
        raise ValueError("it does not end with its signature")
    return bytes.fromhex(last[1])


def _check_rows(report: Report, lines: _Lines) -> None:
    head = report.head
    previous, balance = bytes.fromhex(head["head_before"]), _micros(head["opening_balance"])
    number, count = int(head["first_number"]) - 1, 0
    unit = head["opening_unit"]
    for cells in lines:
        if not cells:
            break
        if len(cells) != len(_COLUMNS):
            raise ValueError(
                f"line {count + 1} of its transactions has {len(cells)} cells instead of {len(_COLUMNS)}"
            )
        row = dict(zip(_COLUMNS, cells, strict=True))
        count, number, balance = count + 1, number + 1, balance + _micros(row["amount"])
        link = hashlib.sha256(previous + _text(row, head["account"]).encode()).digest()
        where = f"Transaction no. {row['number']} ({row['transaction']})"
        if row["number"] != str(number) or _micros(row["balance_after"]) != balance:
            report.note(f"{where} does not follow the one before it: a row is missing, added or moved.")
        if link.hex() != row["hash"]:
            report.note(f"{where} or the hash before it was changed: its hash is another.")
        if not row["time_utc"].startswith(head["month"]):
            report.note(f"{where} is not of this month.")
        # An account may be counted in another unit from one day to the next, but only with nothing in the old one.
        if row["unit"] != unit and balance != _micros(row["amount"]):
            report.note(f"{where} is in another unit than what was there before it.")
        previous, number, balance, unit = (
            bytes.fromhex(row["hash"]),
            int(row["number"]),
            _micros(row["balance_after"]),
            row["unit"],
        )
    if unit != head["unit"] and balance:
        report.wrong.append("What is left is in another unit than the statement names.")
    _check_ends(report, previous, balance, number, count)


def _check_ends(report: Report, last: bytes, balance: int, number: int, count: int) -> None:
    head = report.head
    if last.hex() != head["head"]:
        report.wrong.append("The last transaction's hash is not the one the statement names.")
    if balance != _micros(head["closing_balance"]):
        report.wrong.append("The transactions do not lead to the closing balance.")
    if str(count) != head["transactions"] or str(number) != head["last_number"]:
        report.wrong.append("There are more or fewer transactions than the statement names.")
    if not report.wrong:
        report.checked.append(f"Chain: each of {count} transactions has the hash that its columns give.")
        began = f"{head['opening_balance']} {head['opening_unit']}"
        report.checked.append(f"Sums: {began} becomes {head['closing_balance']} {head['unit']}.")


def _check_signature(report: Report, signature: bytes, keys: Keys) -> None:
    head = report.head
    if head["state"] == "preview" and not signature:
        report.not_checked.append("Signature: a preview of a running month is not signed.")
        return
    public = keys.get(head["key"])
    if public is None:
        report.not_checked.append(
            f"Signature: key {head['key']} is not known here. Give it with --key, or save the keys of"
            f" {head['issuer']} with: portal statement-keys"
        )
        return
    message = json.dumps([[name, head[name]] for name in _HEAD], ensure_ascii=False)
    report.signature = OK if ed25519.verify(public, message.encode(), signature) else WRONG
    if report.signature == OK:
        report.checked.append(f"Signature: made with key {head['key']} of {head['issuer']}.")
    else:
        report.wrong.append(f"Key {head['key']} did not make this signature of this statement.")


def _text(row: Mapping[str, str], account: str) -> str:
    """The text a transaction's hash covers."""
    columns: list[object] = [
        int(row["number"]),
        _uuid("txn", row["transaction"]),
        _uuid("acct", account),
        row["type"],
        _micros(row["amount"]),
        _micros(row["balance_after"]),
        row["unit"],
        row["description"],
        _uuid("ch", row["charge"]),
        row["reference"],
        row["model"],
        _uuid("key", row["api_key"]),
        row["key"] or None,
        row["details"],
        row["time_utc"],
    ]
    return json.dumps(columns, ensure_ascii=False)


def _uuid(kind: str, identifier: str) -> str | None:
    """The number of an id as the portal writes it, and no other way."""
    if not identifier:
        return None
    found = re.fullmatch(rf"{kind}_([0-9a-f]{{32}})", identifier)
    if found is None:
        raise ValueError(f"{identifier} is no id of this kind")
    return str(uuid.UUID(hex=found[1]))


def _micros(text: str) -> int:
    """Millionths of an amount as the portal writes it, and no other way."""
    if _AMOUNT.fullmatch(text) is None:
        raise ValueError(f"{text} is no amount")
    return int(Decimal(text).scaleb(6))
