"""``Idempotency-Key``: the same request sent twice has one effect and one answer.

Authorize, settle and void keep their records inside the ledger's call. Everything else goes
through ``run_once``, or in the lane the same steps with other hands, which use the same table: the record is committed
before the work starts, so a second request finds the first one running.
"""

import hashlib
import re
import uuid
from collections.abc import Callable, Generator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import orjson
from django.db import connection, transaction
from django.utils.timezone import now

from billing.api.problems import headers, problem
from billing.errors import InvalidRequest, Refusal
from billing.services.refusals import first_still_running, key_of_another_request

ABANDONED: Final = timedelta(seconds=60)
_FORM: Final = re.compile(r"[\x20-\x7e]{1,255}")
# Not answers to the request but to its moment: they are not kept, the same key may be sent again.
_PASSING: Final = frozenset({401, 429, 500, 503})
_CLAIM_SQL: Final = (
    "INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, created_at)"
    " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING key"
)
_FIRST_SQL: Final = (
    "SELECT request_hash, result::text, created_at"
    " FROM ledger_idempotencyrecord WHERE owner = %s AND key = %s"
)
_TAKE_OVER_SQL: Final = (
    "UPDATE ledger_idempotencyrecord SET created_at = %s"
    " WHERE owner = %s AND key = %s AND created_at = %s AND result IS NULL RETURNING key"
)
_KEEP_SQL: Final = (
    "UPDATE ledger_idempotencyrecord SET result = %s::jsonb"
    " WHERE owner = %s AND key = %s AND created_at = %s AND result IS NULL RETURNING key"
)
_LET_GO_SQL: Final = (
    "DELETE FROM ledger_idempotencyrecord"
    " WHERE owner = %s AND key = %s AND created_at = %s AND result IS NULL RETURNING key"
)

Statement = tuple[str, list[Any]]
Found = TypeVar("Found")
Steps = Generator[Statement, list[tuple[Any, ...]], Found]
"""Statements to run one after the other, each told what the one before found. Who runs them may wait or not."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a POST is answered with, first time or again. A problem where ``status`` says so."""

    status: int
    body: dict[str, Any]
    replayed: bool = False
    headers: tuple[tuple[str, str], ...] = ()


def key_of(header: str | None) -> str | None:
    """The request's Idempotency-Key. Raises InvalidRequest for one that could not be stored or compared."""
    if header is None:
        return None
    if _FORM.fullmatch(header) is None:
        message = "must be 1 to 255 printable ASCII characters"
        raise InvalidRequest(
            f"The Idempotency-Key {message}.", [{"field": "Idempotency-Key", "message": message}]
        )
    return header


def request_hash(method: str, path: str, raw: bytes) -> str:
    """What makes two requests the same: method, path with its query, and body, byte by byte. SHA-256, hex."""
    whole = hashlib.sha256(f"{method} {path}\n".encode("utf-8", "surrogateescape"))
    whole.update(raw)
    return whole.hexdigest()


def run_once(
    owner: uuid.UUID, key: str | None, digest: str, operation: Callable[[], Answer], *, atomic: bool
) -> Answer:
    """Run the operation unless this owner's key has run it before; then its first answer.

    While the first one runs the second is refused. What was left unfinished for a minute (its process died)
    runs again: an ``atomic`` operation left nothing behind, another must itself be safe to repeat. A refusal
    is an answer too, unless it was of the moment. Raises IdempotencyConflict, IdempotencyInProgress.
    """
    if key is None:
        return _answered(operation)
    claim = Claim(owner, key, digest, now())
    if (first := _run(claim.taking())) is not None:
        return first
    try:
        with transaction.atomic() if atomic else nullcontext():
            answer = _answered(operation)
            _run(claim.keeping(answer))
            return answer
    except BaseException:
        _run(claim.letting_go())
        raise


@dataclass(frozen=True, slots=True)
class Claim:
    """One request with an Idempotency-Key, being answered since ``started``."""

    owner: uuid.UUID
    key: str
    digest: str
    started: datetime

    def taking(self) -> Steps[Answer | None]:
        """The first answer to this key; None where this request is to give it.

        Raises IdempotencyConflict, IdempotencyInProgress.
        """
        if (yield _CLAIM_SQL, [self.owner, self.key, self.digest, self.started]):
            return None
        rows = yield _FIRST_SQL, [self.owner, self.key]
        if not rows:
            raise first_still_running()
        digest, result, since = rows[0]
        if digest != self.digest:
            raise key_of_another_request()
        if result is not None:
            kept = orjson.loads(result)
            return Answer(kept["status"], kept["body"], replayed=True)
        if since > self.started - ABANDONED or not (
            yield _TAKE_OVER_SQL, [self.started, self.owner, self.key, since]
        ):
            raise first_still_running()
        return None

    def keeping(self, answer: Answer) -> Steps[None]:
        """Record the answer, unless it was of the moment. Raises IdempotencyInProgress."""
        if answer.status in _PASSING:
            yield from self.letting_go()
            return
        result = orjson.dumps({"status": answer.status, "body": answer.body}).decode()
        if not (yield _KEEP_SQL, [result, self.owner, self.key, self.started]):
            raise first_still_running()  # it took so long that the same request was started again elsewhere

    def letting_go(self) -> Steps[None]:
        """The same key may be sent again."""
        yield _LET_GO_SQL, [self.owner, self.key, self.started]


def _run(steps: Steps[Found]) -> Found:
    with connection.cursor() as cursor:
        try:
            statement = next(steps)
            while True:
                cursor.execute(*statement)
                statement = steps.send(cursor.fetchall())
        except StopIteration as done:
            found: Found = done.value
            return found


def _answered(operation: Callable[[], Answer]) -> Answer:
    try:
        return operation()
    except Refusal as refusal:
        answer = Answer(*problem(refusal))
        return replace(answer, headers=tuple(headers(refusal).items()))
