"""Past charges added up by what they asked for and what came back, so that each such shape is priced once."""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection

from billing.services.repricing import Repricing

_LONGEST_HOLD: Final = timedelta(days=8)
_AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Shape:
    """Charges of one account that asked for the same, got the same, and paid the same share of it.

    ``full`` is the micros one charge cost and ``unpaid`` what of them was refunded or never collected, both 0 where
    nothing was; ``paid`` is what all of them came to. ``given``: the generation service said what they cost.
    """

    account: uuid.UUID
    plan: str
    model: str
    operation: str
    parameters: str
    outputs: str | None
    given: bool
    stretch: int
    full: int
    unpaid: int
    charges: int
    paid: int

    def paid_of(self, micros: int) -> int:
        """What is paid of another price of one charge when it is the same share, to the nearest micro."""
        if not self.unpaid:
            return micros
        return (2 * micros * (self.full - self.unpaid) + self.full) // (2 * self.full)


_CHARGES: Final = """
    FROM ledger_charge c JOIN accounts_billingaccount a ON a.id = c.account_id
    WHERE c.id >= %(first)s AND c.status = 'settled' AND c.price_book_id = ANY(%(versions)s)
      AND c.finished_at >= %(since)s AND c.finished_at < %(until)s
"""
_STRETCH: Final = """
    (SELECT count(*) FROM unnest(%(turning)s::uuid[], %(turns)s::timestamptz[]) AS t(account, moment)
      WHERE t.account = c.account_id AND t.moment <= c.authorized_at)
"""


def count(pricing: Repricing) -> int:
    """How many charges there are."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_CHARGES}", _bounds(pricing))
        return int(cursor.fetchone()[0])


def read(pricing: Repricing, accounts: Collection[uuid.UUID] | None, step: int) -> Iterator[Shape]:
    """The shapes of these accounts' charges (None: of all), or of every so manieth charge.

    A server-side cursor, inside the caller's transaction, so that their number is no matter of memory.
    """
    turns = list(pricing.turns())
    values = _bounds(pricing)
    where = _CHARGES
    if accounts is not None:
        where += " AND c.account_id = ANY(%(accounts)s)"
        values["accounts"] = list(accounts)
    if step > 1:
        where += " AND (get_byte(uuid_send(c.id), 14) * 256 + get_byte(uuid_send(c.id), 15)) %% %(step)s = 0"
        values["step"] = step
    if turns:
        values |= {"turning": [account for account, _ in turns], "turns": [moment for _, moment in turns]}
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"""SELECT c.account_id, a.plan, c.model, c.operation, c.parameters::text, c.outputs::text,
                   c.cost_lines IS NULL AND c.finished_at <> c.authorized_at, {_STRETCH if turns else "0"},
                   CASE WHEN c.refunded + c.uncollected > 0 THEN c.cost + c.uncollected ELSE 0 END,
                   c.refunded + c.uncollected,
                   count(*), sum(c.cost - c.refunded)::bigint
            {where} GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10""",
            values,
        )
        while rows := cursor.fetchmany(_AT_ONCE):
            for row in rows:
                yield Shape(*row)


def _bounds(pricing: Repricing) -> dict[str, Any]:
    """Ids carry the millisecond they were made in, and no hold is older than its longest time."""
    first = pricing.since - _LONGEST_HOLD
    return {
        "first": uuid.UUID(int=int(first.timestamp() * 1000) << 80),
        "versions": pricing.versions,
        "since": pricing.since,
        "until": pricing.until,
    }
