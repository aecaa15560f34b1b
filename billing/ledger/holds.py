"""Place, settle, void and expire holds: one set-based database call each way, whoever calls.

The single endpoint, the batch endpoint, the web server's grouped lane and the sweeper all use ``PLACE_SQL`` and
``FINISH_SQL`` through ``encode`` and ``decode``; there is no second implementation.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import DatabaseError, connection, transaction
from psycopg.errors import DeadlockDetected, SerializationFailure, UniqueViolation

from billing.ledger import exact_json
from config.ids import new_id

PLACE_SQL: Final = "SELECT ledger_place(%s::jsonb)::text"
FINISH_SQL: Final = "SELECT ledger_finish(%s::jsonb)::text"


@dataclass(slots=True, kw_only=True)
class PlaceRequest:
    """One piece of work to authorize. Amounts in micros of the account's unit; ``ttl`` in seconds.

    ``needs`` is a balance gate: at least so much must be available. ``settle_now`` charges on acceptance.
    ``recharge`` lets the answer be ``recharge`` where auto-recharge should run first. ``relaxed`` lets the account's lock be
    skipped while its balance is comfortable. Of ``count_scope`` at most ``count_limit`` are accepted in a
    period of a month; periods are counted from ``count_since``.
    ``counted_in`` is the unit it was priced in.
    """

    account: uuid.UUID
    amount: int
    model: str
    operation: str
    description: str
    ttl: int
    needs: int = 0
    settle_now: bool = False
    parameters: dict[str, Any] = field(default_factory=dict)
    lines: list[dict[str, Any]] = field(default_factory=list)
    price_book: uuid.UUID | None = None
    reference: str = ""
    api_key: uuid.UUID | None = None
    service_key: uuid.UUID | None = None
    owner: uuid.UUID | None = None
    idem: str | None = None
    hash: str | None = None
    recharge: bool = False
    relaxed: bool = False
    estimate: int | None = None
    count_scope: str | None = None
    count_limit: int | None = None
    count_since: datetime | None = None
    counted_in: str | None = None
    id: uuid.UUID = field(default_factory=new_id)
    txn: uuid.UUID = field(default_factory=new_id)
    i: int = 0


@dataclass(slots=True, kw_only=True)
class FinishRequest:
    """The end of one hold: ``action`` is settle (at ``cost`` micros), void or expire; or a report of some of its phases.

    ``known`` is how many reports the cost was priced with; after ``report`` so much is held as ``hold`` says, and no more
    than before. ``phases``: what became of which, by id.
    """

    id: uuid.UUID
    action: str
    cost: int | None = None
    outputs: dict[str, Any] | None = None
    lines: list[dict[str, Any]] | None = None
    routing: dict[str, str] | None = None
    reason: str = ""
    phases: dict[str, dict[str, Any]] | None = None
    known: int = 0
    hold: int | None = None
    service_key: uuid.UUID | None = None
    owner: uuid.UUID | None = None
    idem: str | None = None
    hash: str | None = None
    txn: uuid.UUID = field(default_factory=new_id)
    i: int = 0


Outcome = dict[str, Any]
"""What became of one request: ``code`` names it (see sql/place.sql and sql/finish.sql), the rest are the figures."""


def encode(requests: Sequence[PlaceRequest] | Sequence[FinishRequest]) -> str:
    """The call's argument; numbers the requests so that answers find their way back."""
    numbered: Sequence[PlaceRequest | FinishRequest] = requests
    for number, request in enumerate(numbered):
        request.i = number
    return orjson.dumps(requests, default=exact_json.number).decode()


def decode(answer: str, count: int) -> list[Outcome]:
    """The call's outcomes in the order of the requests."""
    outcomes: list[Outcome] = [{}] * count
    for outcome in orjson.loads(answer):
        outcomes[outcome["i"]] = outcome
    return outcomes


def place(requests: Sequence[PlaceRequest]) -> list[Outcome]:
    """Authorize, each for itself. Two requests of one batch that share an Idempotency-Key: the second is asked again."""
    return _run(PLACE_SQL, requests)


def finish(requests: Sequence[FinishRequest]) -> list[Outcome]:
    """Settle, report, void or expire, each for itself; two of the same hold in one batch are decided one after the other."""
    return _run(FINISH_SQL, requests)


def _run(sql: str, requests: Sequence[PlaceRequest] | Sequence[FinishRequest]) -> list[Outcome]:
    if not requests:
        return []
    outcomes = _ask(sql, requests)
    for number, outcome in enumerate(outcomes):
        if outcome["code"] == "again":
            outcomes[number] = _ask(sql, requests[number : number + 1])[0]
    return outcomes


TRIES: Final = 6
"""How often a call that lost to another transaction is made in all; nothing of a lost one was kept."""
LOST: Final = (DeadlockDetected, SerializationFailure, UniqueViolation)
"""What a call may lose by. UniqueViolation: two accounts share no lock, so one Idempotency-Key may be recorded for
another account while the call runs; asked again, the call sees it."""


def _ask(sql: str, requests: Sequence[PlaceRequest] | Sequence[FinishRequest]) -> list[Outcome]:
    """The call itself, made again where it lost to another transaction."""
    for left in reversed(range(TRIES)):
        try:
            return _call(sql, requests)
        except DatabaseError as error:
            if left == 0 or not isinstance(error.__cause__, LOST):
                raise
    raise AssertionError("the last try answers or raises")


def _call(sql: str, requests: Sequence[PlaceRequest] | Sequence[FinishRequest]) -> list[Outcome]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, [encode(requests)])
        return decode(cursor.fetchone()[0], len(requests))
