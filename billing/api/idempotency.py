"""``Idempotency-Key``: the same request sent twice has one effect and one answer.

Authorize, settle and void keep their records inside the ledger's call. Everything else goes
through ``run_once``, which uses the same table: the record is committed before the work starts, so a second
request finds the first one running.
"""

import hashlib
import re
import uuid
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.timezone import now

from billing.api.problems import headers, problem
from billing.errors import InvalidRequest, Refusal
from billing.ledger.models import IdempotencyRecord
from billing.services.refusals import first_still_running, key_of_another_request

ABANDONED: Final = timedelta(seconds=60)
_FORM: Final = re.compile(r"[\x20-\x7e]{1,255}")
# Not answers to the request but to its moment: they are not kept, the same key may be sent again.
_PASSING: Final = frozenset({401, 429, 500, 503})


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
    started = now()
    if not _claimed(owner, key, digest, started):
        first = IdempotencyRecord.objects.filter(owner=owner, key=key).first()
        if first is None:
            raise first_still_running()
        if first.request_hash != digest:
            raise key_of_another_request()
        if first.result is not None:
            return Answer(first.result["status"], first.result["body"], replayed=True)
        if first.created_at > started - ABANDONED or not _taken_over(first, started):
            raise first_still_running()
    mine = IdempotencyRecord.objects.filter(owner=owner, key=key, created_at=started, result__isnull=True)
    try:
        with transaction.atomic() if atomic else nullcontext():
            return _recorded(mine, operation)
    except BaseException:
        mine.delete()
        raise


def _claimed(owner: uuid.UUID, key: str, digest: str, started: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_idempotencyrecord (owner, key, request_hash, created_at)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [owner, key, digest, started],
        )
        return bool(cursor.rowcount == 1)


def _taken_over(first: IdempotencyRecord, started: datetime) -> bool:
    mine = IdempotencyRecord.objects.filter(
        owner=first.owner, key=first.key, created_at=first.created_at, result__isnull=True
    )
    return mine.update(created_at=started) == 1


def _recorded(mine: QuerySet[IdempotencyRecord], operation: Callable[[], Answer]) -> Answer:
    answer = _answered(operation)
    if answer.status in _PASSING:
        mine.delete()
    elif not mine.update(result={"status": answer.status, "body": answer.body}):
        raise first_still_running()  # it took so long that the same request was started again elsewhere
    return answer


def _answered(operation: Callable[[], Answer]) -> Answer:
    try:
        return operation()
    except Refusal as refusal:
        answer = Answer(*problem(refusal))
        return replace(answer, headers=tuple(headers(refusal).items()))
