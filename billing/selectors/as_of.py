"""What an account had at an instant, and why that differs from another one.

The balance is what its last transaction until then left; nothing is summed over the history. What happened between two
instants is read from the sums by day, and from the ledger where an instant cuts a day.
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from django.db import connection

from billing.ledger.models import Balance, Kind, Transaction
from billing.selectors.transactions import first_seq

LARGEST: Final = 10
FEW: Final = 50_000
"""Up to so many transactions all charges of an account are looked at; of more, those whose ids are from the time."""
LONGEST_HOLD: Final = timedelta(days=35)

HELD_SQL: Final = """
SELECT coalesce(sum(amount), 0)::bigint, count(*) FROM ledger_charge
 WHERE account_id = %(account)s AND authorized_at <= %(moment)s AND (finished_at IS NULL OR finished_at > %(moment)s)
   AND id BETWEEN %(first)s AND %(last)s
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
    """What the account had at ``moment``, that instant included. Amounts in micros; ``seq`` counts its transactions."""

    moment: datetime
    unit: str
    balance: int
    held: int
    holds: int
    seq: int

    @property
    def available(self) -> int:
        return self.balance - self.held


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
    now_unit, last = Balance.objects.values_list("unit", "seq").get(pk=account_id)
    after = Transaction.objects.filter(account_id=account_id, seq=seq).values_list("balance_after", "unit")
    balance, unit = after.first() or (0, now_unit)
    held, holds = _held(account_id, moment, last)
    return Standing(moment, unit, balance, held, holds, seq)


def changes(account_id: uuid.UUID, since: datetime, until: datetime) -> Changes:
    """What happened after ``since`` up to and including ``until``."""
    opening, closing = standing(account_id, since), standing(account_id, until)
    between = Transaction.objects.filter(account_id=account_id, seq__gt=opening.seq, seq__lte=closing.seq)
    largest = between.extra(select={"size": "abs(amount)"}, order_by=["-size", "-seq"])[:LARGEST]
    sums = _sums(account_id, opening, closing) if opening.unit == closing.unit else []
    return Changes(opening, closing, sums, list(largest))


def _until(account_id: uuid.UUID, moment: datetime) -> int:
    """The number of the first transaction after the moment."""
    return first_seq(account_id, moment + timedelta(microseconds=1))


def _held(account_id: uuid.UUID, moment: datetime, transactions: int) -> tuple[int, int]:
    first, last = uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)
    if transactions > FEW:
        first, last = _from_time(moment, -LONGEST_HOLD), _from_time(moment, timedelta(days=1))
    with connection.cursor() as cursor:
        cursor.execute(HELD_SQL, {"account": account_id, "moment": moment, "first": first, "last": last})
        held, holds = cursor.fetchone()
    return held, holds


def _from_time(moment: datetime, away: timedelta) -> uuid.UUID:
    """The smallest time-ordered id (UUIDv7) of that millisecond."""
    milliseconds = int((moment.timestamp() + away.total_seconds()) * 1000)
    return uuid.UUID(int=max(0, milliseconds) << 80)


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
