"""The history for pages and exports: newest first, by keyset on the account's ``seq``."""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Q, QuerySet

from billing.ledger.models import Balance, Kind, Transaction

PAGE: Final = 50
LOOKED_THROUGH: Final = 20_000
"""A search looks at this many at a time, so that a rare word in a long history answers at once."""

GROUPS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "": ("All", ()),
    "usage": ("Usage", (Kind.USAGE,)),
    "topups": ("Top-ups", (Kind.TOPUP, Kind.AUTO_RECHARGE)),
    "grants": ("Bonuses", (Kind.BONUS, Kind.TRIAL, Kind.PLAN_GRANT)),
    "refunds": ("Refunds", (Kind.REFUND,)),
    "other": ("Other", (Kind.EXPIRY, Kind.ADJUSTMENT, Kind.RESET, Kind.DISPUTE, Kind.INVOICE)),
}
"""The segments of the history page: slug → label and the kinds in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What of the history is wanted. ``since`` is included, ``until`` is not; empty values do not filter."""

    group: str = ""
    search: str = ""
    since: datetime | None = None
    until: datetime | None = None
    model: str = ""
    key_id: uuid.UUID | None = None

    @property
    def narrows(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Page:
    """Some transactions, newest first; ``next_seq`` is where the next page starts, None at the end.

    ``looked_back_to`` is set when a search stopped after LOOKED_THROUGH rows with more left to look at.
    """

    rows: list[Transaction]
    next_seq: int | None
    looked_back_to: datetime | None = None


def page(account_id: uuid.UUID, filters: Filters, before: int | None = None, limit: int = PAGE) -> Page:
    """The transactions before ``before`` (a ``seq``) that pass the filters."""
    top, oldest = _top(account_id, filters, before), _lower_seq(account_id, filters)
    if filters.search:
        return _searched(account_id, filters, top, oldest, limit)
    kinds = GROUPS[filters.group][1]
    if filters.model or filters.key_id or Kind.USAGE in kinds:
        found = find(
            account_id, top, oldest, model=filters.model, key_id=filters.key_id, kinds=kinds, most=limit + 1
        )
    else:
        found = list(_filtered(account_id, filters, top).filter(seq__gte=oldest)[: limit + 1])
    return Page(found[:limit], found[limit - 1].seq if len(found) > limit else None)


def find(
    account_id: uuid.UUID,
    below: int,
    oldest: int,
    *,
    model: str = "",
    key_id: uuid.UUID | None = None,
    kinds: Sequence[str] = (),
    most: int,
) -> list[Transaction]:
    """The newest transactions from number ``oldest`` to before ``below`` of this model, key and kinds (empty: any).

    The folded days tell where to look, so that a rarely used model in a long history answers at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_find(%s, %s, %s, %s, %s, %s, %s)",
            [account_id, below, oldest - 1, model, key_id, list(kinds) or None, most],
        )
        numbers = [row[0] for row in cursor.fetchall()]
    return list(Transaction.objects.filter(account_id=account_id, seq__in=numbers).order_by("-seq"))


def _searched(account_id: uuid.UUID, filters: Filters, top: int, oldest: int, limit: int) -> Page:
    """A search looks through so many rows at a time and says how far back it came."""
    floor = max(0, top - LOOKED_THROUGH)
    found = list(_filtered(account_id, filters, top).filter(seq__gt=floor)[: limit + 1])
    if len(found) > limit:
        return Page(found[:limit], found[limit - 1].seq)
    if floor < oldest:
        return Page(found, None)
    return Page(found, floor + 1, _moment(account_id, floor + 1))


def recent(account_id: uuid.UUID, limit: int = 6) -> list[Transaction]:
    """The newest transactions."""
    return page(account_id, Filters(), limit=limit).rows


def one(account_id: uuid.UUID, transaction_id: uuid.UUID) -> Transaction | None:
    """This account's transaction of that id, with its charge; None for anyone else's."""
    return (
        Transaction.objects.select_related("charge").filter(pk=transaction_id, account_id=account_id).first()
    )


def every(account_id: uuid.UUID, filters: Filters, limit: int | None = None) -> Iterator[Transaction]:
    """All transactions that pass the filters, newest first, fetched page by page; at most ``limit``."""
    before, left = None, limit
    while True:
        some = page(account_id, filters, before, 500)
        rows = some.rows if left is None else some.rows[:left]
        yield from rows
        left = None if left is None else left - len(rows)
        if some.next_seq is None or left == 0:
            return
        before = some.next_seq


def first_seq(account_id: uuid.UUID, moment: datetime) -> int:
    """The ``seq`` of the first transaction at or after the moment; one past the last if there is none.

    Transactions are numbered in the order of their times, so this is a binary search on the key: some twenty
    steps in a history of a million.
    """
    with connection.cursor() as cursor:
        cursor.execute(FIRST_SEQ_SQL, {"account": account_id, "moment": moment})
        row = cursor.fetchone()
    return int(row[0]) if row else 1


FIRST_SEQ_SQL: Final = """
WITH RECURSIVE search (before, reached) AS (
    SELECT 0::bigint, seq + 1 FROM ledger_balance WHERE account_id = %(account)s
    UNION ALL
    SELECT CASE WHEN t.created_at < %(moment)s THEN t.seq ELSE before END,
           CASE WHEN t.created_at < %(moment)s THEN reached ELSE t.seq END
      FROM search
      JOIN ledger_transaction t ON t.account_id = %(account)s AND t.seq = (before + reached) / 2
     WHERE reached - before > 1
)
SELECT reached FROM search ORDER BY reached - before LIMIT 1
"""


def _filtered(account_id: uuid.UUID, filters: Filters, top: int) -> QuerySet[Transaction]:
    rows = Transaction.objects.filter(account_id=account_id, seq__lt=top).order_by("-seq")
    if kinds := GROUPS[filters.group][1]:
        rows = rows.filter(kind__in=kinds)
        if Kind.USAGE not in kinds:
            rows = rows.filter(~Q(kind=Kind.USAGE))  # lets the partial index of everything but usage serve it
    if filters.since is not None:
        rows = rows.filter(seq__gte=first_seq(account_id, filters.since), created_at__gte=filters.since)
    if filters.model:
        rows = rows.filter(model=filters.model)
    if filters.key_id is not None:
        rows = rows.filter(api_key_id=filters.key_id)
    if filters.search:
        word = filters.search
        rows = rows.filter(
            Q(description__icontains=word) | Q(reference__icontains=word) | Q(model__icontains=word)
        )
    return rows


def _top(account_id: uuid.UUID, filters: Filters, before: int | None) -> int:
    """The ``seq`` all wanted rows are below."""
    last = Balance.objects.filter(account_id=account_id).values_list("seq", flat=True).first() or 0
    top = last + 1 if before is None else min(before, last + 1)
    return top if filters.until is None else min(top, first_seq(account_id, filters.until))


def _lower_seq(account_id: uuid.UUID, filters: Filters) -> int:
    return 1 if filters.since is None else first_seq(account_id, filters.since)


def _moment(account_id: uuid.UUID, seq: int) -> datetime | None:
    return (
        Transaction.objects.filter(account_id=account_id, seq=seq)
        .values_list("created_at", flat=True)
        .first()
    )
