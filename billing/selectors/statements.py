"""Monthly statements: which there are, what a month comes to, its transactions as they are hashed."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection

from accounts.models import BillingAccount
from billing.ledger.models import Transaction
from billing.models import Statement
from billing.selectors.transactions import first_seq
from catalog.pricing.units import micros_to_text

FORMAT: Final = "1"
BATCH: Final = 2_000
NOTHING: Final = bytes(32)
"""The hash before an account's first transaction."""

_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])", re.ASCII)
_EDGES: Final = ("0000", "9999")

SUMS_SQL: Final = """
SELECT kind, model, sum(count)::bigint, sum(amount)::bigint FROM ledger_days(%s, %s, %s, %s)
 GROUP BY 1, 2 ORDER BY 1, 4, 2
"""

ROWS_SQL: Final = """
SELECT seq, id, kind, amount, balance_after, unit, description, charge_id, reference, model, api_key_id, key,
       CASE WHEN details = '{}' THEN '' ELSE details::text END,
       to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), hash
  FROM ledger_transaction WHERE account_id = %s AND seq BETWEEN %s AND %s ORDER BY seq
"""


class Row(NamedTuple):
    """A transaction with everything its hash covers, in the words of ``sql/chain.sql``."""

    seq: int
    id: uuid.UUID
    kind: str
    amount: int
    balance_after: int
    unit: str
    description: str
    charge_id: uuid.UUID | None
    reference: str
    model: str
    api_key_id: uuid.UUID | None
    key: str | None
    details: str
    created_at: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Month:
    """One month on the list: sealed, or the running one's preview; neither while it waits to be sealed."""

    month: date
    statement: Statement | None

    @property
    def state(self) -> str:
        if self.statement is None:
            return "pending"
        return "final" if self.statement.is_final else "preview"


def month_named(text: str) -> date | None:
    """The first day of the month that ``2026-10`` names."""
    return (
        date(int(text[:4]), int(text[5:]), 1) if _MONTH.fullmatch(text) and text[:4] not in _EDGES else None
    )


def following(month: date) -> date:
    """The first day of the next month."""
    years, months = divmod(month.year * 12 + month.month, 12)
    return date(years, months + 1, 1)


def begins(month: date) -> datetime:
    """Midnight UTC of the month's first day."""
    return datetime(month.year, month.month, 1, tzinfo=UTC)


def month_of(moment: datetime) -> date:
    """The first day of the moment's month (UTC)."""
    return moment.astimezone(UTC).date().replace(day=1)


def draft(account_id: uuid.UUID, unit: str, month: date) -> Statement:
    """What the month comes to by the ledger as it is now; neither signed nor saved."""
    first, end = (first_seq(account_id, begins(day)) for day in (month, following(month)))
    opening, head_before, opening_unit = _ends(account_id, first - 1, unit)
    closing, head, unit = _ends(account_id, end - 1, unit)
    with connection.cursor() as cursor:
        cursor.execute(SUMS_SQL, [account_id, month, following(month), unit])
        sums = cursor.fetchall()
    return Statement(
        account_id=account_id,
        month=month,
        unit=unit,
        opening_unit=opening_unit,
        opening=opening,
        closing=closing,
        first_seq=first,
        last_seq=end - 1,
        head_before=head_before,
        head=head,
        sums=[list(line) for line in sums],
        signature=b"",
    )


def content(statement: Statement, account: BillingAccount, *, issued: datetime, key: str) -> str:
    """The text that is signed: names and values of all that the statement says, as JSON."""
    pairs = [
        ("statement", FORMAT),
        ("state", "final" if key else "preview"),
        ("issuer", settings.PORTAL_BASE_URL),
        ("account", account.public_id),
        # A name would be signed for good: whose account it is, the number says. The field is part of the format.
        ("holder", ""),
        ("month", f"{statement.month:%Y-%m}"),
        ("opening_unit", statement.opening_unit),
        ("unit", statement.unit),
        ("opening_balance", micros_to_text(statement.opening)),
        ("closing_balance", micros_to_text(statement.closing)),
        ("transactions", str(statement.rows)),
        ("first_number", str(statement.first_seq)),
        ("last_number", str(statement.last_seq)),
        ("head_before", bytes(statement.head_before).hex()),
        ("head", bytes(statement.head).hex()),
        ("issued_at", issued.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("key", key),
    ]
    return json.dumps(pairs, ensure_ascii=False)


def preview(account: BillingAccount, moment: datetime) -> Statement:
    """The running month so far, unsigned."""
    statement = draft(account.pk, account.unit, month_of(moment))
    statement.content = content(statement, account, issued=moment, key="")
    return statement


def listed(account: BillingAccount, moment: datetime) -> list[Month]:
    """Every month from the account's first transaction on, newest first; none before it."""
    first = Transaction.objects.filter(account_id=account.pk, seq=1).values_list("created_at", flat=True)
    if (began := first.first()) is None:
        return []
    sealed = {row.month: row for row in Statement.objects.filter(account_id=account.pk)}
    current, month, months = month_of(moment), month_of(began), []
    while month < current:
        months.append(Month(month, sealed.get(month)))
        month = following(month)
    return [Month(current, preview(account, moment)), *reversed(months)]


def one(account: BillingAccount, month: date, moment: datetime) -> Statement | None:
    """The month's sealed statement, or the running month's preview; None for any other."""
    if month == month_of(moment):
        return preview(account, moment)
    return Statement.objects.filter(account_id=account.pk, month=month).first()


def rows(statement: Statement, most: int | None = None) -> Iterator[Row]:
    """The statement's transactions, oldest first, fetched some at a time; at most ``most``."""
    last = statement.last_seq if most is None else min(statement.last_seq, statement.first_seq + most - 1)
    for start in range(statement.first_seq, last + 1, BATCH):
        with connection.cursor() as cursor:
            cursor.execute(ROWS_SQL, [statement.account_id, start, min(last, start + BATCH - 1)])
            batch = cursor.fetchall()
        yield from (Row(*row) for row in batch)


def _ends(account_id: uuid.UUID, seq: int, unit: str) -> tuple[int, bytes, str]:
    """Balance, hash and unit after the account's transaction of that number; before the first zeros and ``unit``."""
    row = (
        Transaction.objects.filter(account_id=account_id, seq=seq)
        .values_list("balance_after", "hash", "unit")
        .first()
    )
    return (0, NOTHING, unit) if row is None else (row[0], bytes(row[1]), row[2])
