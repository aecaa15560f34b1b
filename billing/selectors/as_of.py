"""What an account had at an instant, and why that differs from another one.

The balance is what its last transaction until then left; nothing is summed over the history. What happened between two
instants is read from the sums by day, and from the ledger where an instant cuts a day. Blocks of the history tell where work
was open at an instant and where the largest movements are.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db import connection

from billing.ledger.limit_changes import credit_limit_at
from billing.ledger.models import Balance, Kind, Transaction
from billing.models import ChargeBlock, HistoryBlock
from billing.selectors.transactions import first_seq

LARGEST: Final = 10
LAST_ID: Final = uuid.UUID(int=2**128 - 1)

SPANS_SQL: Final = """
SELECT first_id, last_id FROM billing_chargeblock
 WHERE account_id = %(account)s AND since <= %(moment)s AND coalesce(until > %(moment)s, true)
"""
"""The blocks in which something was open at the moment."""

# Each span is looked up for itself (OFFSET 0 keeps it so), for the planner cannot know how short they are.
HELD_SQL: Final = """
SELECT coalesce(sum(ledger_held_at(c.amount, c.reports, %(moment)s)), 0)::bigint, count(c.amount)
  FROM unnest(%(firsts)s::uuid[], %(lasts)s::uuid[]) AS span (first, last)
 CROSS JOIN LATERAL (SELECT amount, reports, authorized_at, finished_at FROM ledger_charge
                      WHERE account_id = %(account)s AND id BETWEEN span.first AND span.last OFFSET 0) c
 WHERE c.authorized_at <= %(moment)s AND coalesce(c.finished_at > %(moment)s, true)
"""

LARGEST_SQL: Final = """
SELECT t.seq FROM unnest(%(firsts)s::bigint[], %(lasts)s::bigint[]) AS span (first, last)
 CROSS JOIN LATERAL (SELECT seq, amount FROM ledger_transaction
                      WHERE account_id = %(account)s AND seq BETWEEN span.first AND span.last OFFSET 0) t
 ORDER BY abs(t.amount) DESC, t.seq DESC LIMIT %(most)s
"""

SUMS_SQL: Final = """
SELECT kind, model, sum(count)::bigint, sum(amount)::bigint FROM (
    SELECT kind, model, count, amount FROM ledger_days(%(account)s, %(first_day)s, %(last_day)s, %(unit)s)
     UNION ALL
    SELECT kind, model, 1, amount FROM ledger_transaction
     WHERE account_id = %(account)s AND (seq >= %(seq)s AND seq < %(cut)s OR seq >= %(resumed)s AND seq < %(end)s)) line
 GROUP BY 1, 2 ORDER BY abs(sum(amount)) DESC, 1, 2
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the account had at ``moment``, that instant included. Amounts in micros; ``seq`` counts its transactions.

    ``credit_limit`` is how far it might owe; None where that was not noted yet, and then it is not in ``available``.
    """

    moment: datetime
    unit: str
    balance: int
    held: int
    holds: int
    seq: int
    credit_limit: int | None

    @property
    def available(self) -> int:
        return self.balance - self.held + (self.credit_limit or 0)


@dataclass(frozen=True, slots=True)
class Sum:
    """What transactions of one kind (and model) came to, signed micros."""

    kind: str
    model: str
    count: int
    micros: int

    @property
    def label(self) -> str:
        return Kind(self.kind).label


@dataclass(frozen=True, slots=True)
class Changes:
    """Why the balance moved: from ``opening`` over ``sums`` to ``closing``; ``largest`` are the largest movements.

    Where the account was counted in another unit then, there is neither a difference nor a sum.
    """

    opening: Standing
    closing: Standing
    sums: list[Sum]
    largest: list[Transaction]

    @property
    def micros(self) -> int | None:
        return self.closing.balance - self.opening.balance if self.one_unit else None

    @property
    def one_unit(self) -> bool:
        return self.opening.unit == self.closing.unit

    @property
    def count(self) -> int:
        return self.closing.seq - self.opening.seq


def standing(account_id: uuid.UUID, moment: datetime) -> Standing:
    """What the account had at the moment. Before its first transaction that is nothing."""
    seq = _until(account_id, moment) - 1
    now_unit = Balance.objects.values_list("unit", flat=True).get(pk=account_id)
    after = Transaction.objects.filter(account_id=account_id, seq=seq).values_list("balance_after", "unit")
    balance, unit = after.first() or (0, now_unit)
    held, holds = _held(account_id, moment)
    return Standing(moment, unit, balance, held, holds, seq, credit_limit_at(account_id, moment))


def changes(account_id: uuid.UUID, since: datetime, until: datetime) -> Changes:
    """What happened after ``since`` up to and including ``until``."""
    opening, closing = standing(account_id, since), standing(account_id, until)
    sums = _sums(account_id, opening, closing) if opening.unit == closing.unit else []
    return Changes(opening, closing, sums, largest(account_id, opening.seq + 1, closing.seq))


def largest(account_id: uuid.UUID, first: int, last: int, most: int = LARGEST) -> list[Transaction]:
    """The transactions from number ``first`` to ``last`` that moved most, the newest first where they moved the same.

    They are in the blocks with the largest movements, as many as are wanted, or at the edges, in no block that is whole.
    """
    width = HistoryBlock.WIDTH
    blocks = HistoryBlock.objects.filter(account_id=account_id)
    newest = blocks.order_by("-number").values_list("number", flat=True).first()
    begin, end = -(-(first - 1) // width), min(last // width, 0 if newest is None else newest + 1)
    if end <= begin:
        spans = [(first, last)]
    else:
        inside = blocks.filter(number__gte=begin, number__lt=end).order_by("-largest", "-number")
        spans = [(n * width + 1, (n + 1) * width) for n in inside.values_list("number", flat=True)[:most]]
        spans += [(first, begin * width), (end * width + 1, last)]
    firsts, lasts = [a for a, _ in spans], [b for _, b in spans]
    with connection.cursor() as cursor:
        cursor.execute(LARGEST_SQL, {"account": account_id, "firsts": firsts, "lasts": lasts, "most": most})
        numbers = [row[0] for row in cursor.fetchall()]
    rows = {row.seq: row for row in Transaction.objects.filter(account_id=account_id, seq__in=numbers)}
    return [rows[number] for number in numbers]


def _until(account_id: uuid.UUID, moment: datetime) -> int:
    """The number of the first transaction after the moment."""
    return first_seq(account_id, moment + timedelta(microseconds=1))


def _held(account_id: uuid.UUID, moment: datetime) -> tuple[int, int]:
    """In the blocks in which something was open at the moment, and in what comes after the last block."""
    blocks = ChargeBlock.objects.filter(account_id=account_id).order_by("-number")
    ended = blocks.values_list("last_id", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(SPANS_SQL, {"account": account_id, "moment": moment})
        spans = [*cursor.fetchall(), (uuid.UUID(int=ended.int + 1 if ended else 0), LAST_ID)]
        firsts, lasts = [first for first, _ in spans], [last for _, last in spans]
        cursor.execute(HELD_SQL, {"account": account_id, "moment": moment, "firsts": firsts, "lasts": lasts})
        held, holds = cursor.fetchone()
    return held, holds


def _sums(account_id: uuid.UUID, opening: Standing, closing: Standing) -> list[Sum]:
    first_day = _midnight(opening.moment) + timedelta(days=1)
    last_day = max(first_day, _midnight(closing.moment))
    cut, resumed = first_seq(account_id, first_day), first_seq(account_id, last_day)
    with connection.cursor() as cursor:
        cursor.execute(
            SUMS_SQL,
            {
                "account": account_id,
                "unit": closing.unit,
                "first_day": first_day.date(),
                "last_day": last_day.date(),
                "seq": opening.seq + 1,
                "cut": min(cut, closing.seq + 1),
                "resumed": max(resumed, opening.seq + 1),
                "end": closing.seq + 1,
            },
        )
        return [Sum(*row) for row in cursor.fetchall()]


def _midnight(moment: datetime) -> datetime:
    """The beginning of the moment's day (UTC)."""
    return datetime.combine(moment.astimezone(UTC).date(), time(), UTC)
