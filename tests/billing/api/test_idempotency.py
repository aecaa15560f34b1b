"""Idempotency-Key on every POST: one effect, one answer; conflicts; what is running; what was abandoned."""

import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils.timezone import now

from billing.api.idempotency import Answer, request_hash, run_once
from billing.errors import IdempotencyInProgress, InvalidState, ServiceUnavailable
from billing.ledger import balances
from billing.ledger.models import Charge, IdempotencyRecord, Transaction
from tests.billing.api.conftest import CREDIT, Api, Payer
from tests.billing.api.working import authorize, hold, work

OWNER = uuid.UUID(int=7)


def posts(ann: Payer, eva: Payer, studio: Api) -> dict[str, tuple[Api, str, dict[str, Any]]]:
    """Every POST of the API but topups (its own file): who calls, where, with what."""
    settle, void = hold(studio, eva)["id"], hold(studio, eva)["id"]
    refund = authorize(studio, ann)["id"]
    return {
        "authorize": (studio, "/v1/charges", work(ann)),
        "batch": (studio, "/v1/charges/batch", {"charges": [work(ann)]}),
        "settle": (studio, f"/v1/charges/{settle}/settle", {"cost": "0.03"}),
        "void": (studio, f"/v1/charges/{void}/void", {"reason": "down"}),
        "refund": (studio, f"/v1/charges/{refund}/refund", {"amount": "1", "reason": "late"}),
        "verify": (studio, "/v1/keys/verify", {"api_key": ann.key}),
        "estimate": (ann.api, "/v1/estimate", {"model": "static", "operation": "generate"}),
        "limit": (ann.api, "/api/spending-limit", {"limitCents": 5000}),
    }


NAMES = ["authorize", "batch", "settle", "void", "refund", "verify", "estimate", "limit"]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_request_again_has_the_first_answer(ann: Payer, eva: Payer, studio: Api, name: str) -> None:
    api, path, body = posts(ann, eva, studio)[name]
    first = api.post(path, body, idem="one")
    moved = Transaction.objects.count()
    again = api.post(path, body, idem="one")
    assert first.status in (200, 202)
    assert (again.status, again.body) == (first.status, first.body)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Transaction.objects.count() == moved


@pytest.mark.parametrize("name", NAMES)
def test_the_key_with_another_body_is_a_conflict(ann: Payer, eva: Payer, studio: Api, name: str) -> None:
    api, path, body = posts(ann, eva, studio)[name]
    api.post(path, body, idem="one")
    moved = Transaction.objects.count()
    other = {"limit": {"limitCents": 1}, "settle": {"cost": "0.02"}, "void": {"reason": "other"}}
    changed = (
        other.get(name)
        or {
            "authorize": work(ann, model="full"),
            "batch": {"charges": [work(ann), work(ann)]},
            "refund": {"amount": "2", "reason": "late"},
            "verify": {"api_key": eva.key},
            "estimate": {"model": "full", "operation": "generate"},
        }[name]
    )
    reply = api.post(path, changed, idem="one")
    assert (reply.status, reply.code) == (409, "idempotency_conflict")
    assert Transaction.objects.count() == moved


def test_without_a_key_each_request_counts(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    authorize(studio, ann)
    assert Charge.objects.count() == 2


def test_two_keys_are_two_requests(ann: Payer, studio: Api) -> None:
    authorize(studio, ann, idem="one")
    authorize(studio, ann, idem="two")
    assert Charge.objects.count() == 2


def test_keys_of_two_callers_do_not_meet(ann: Payer, bob: Payer) -> None:
    body = {"model": "static", "operation": "generate"}
    ann.api.post("/v1/estimate", body, idem="one")
    assert "Idempotent-Replayed" not in bob.api.post("/v1/estimate", body, idem="one").headers


def test_a_refusal_is_an_answer_too(ann: Payer, studio: Api) -> None:
    first = studio.post("/v1/charges", work(ann, parameters={"count": 11}), idem="one")
    ann.give(100)
    again = studio.post("/v1/charges", work(ann, parameters={"count": 11}), idem="one")
    assert (first.status, again.status) == (402, 402)
    assert again.headers["Idempotent-Replayed"] == "true"
    path = f"/v1/charges/{authorize(studio, ann)['id']}/refund"
    first = studio.post(path, {"amount": "6", "reason": "x"}, idem="two")
    again = studio.post(path, {"amount": "6", "reason": "x"}, idem="two")
    assert (first.status, again.status) == (409, 409)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "x" * 256, "ü", "a\tb", "\x7f"])
@pytest.mark.parametrize("name", ["authorize", "refund"])
def test_a_key_that_is_none(ann: Payer, eva: Payer, studio: Api, name: str, key: str) -> None:
    api, path, body = posts(ann, eva, studio)[name]
    reply = api.post(path, body, idem=key)
    assert (reply.status, reply.fields) == (422, {"Idempotency-Key"})


def test_the_longest_key_works_everywhere(ann: Payer, eva: Payer, studio: Api) -> None:
    for number, (api, path, body) in enumerate(posts(ann, eva, studio).values()):
        assert api.post(path, body, idem=f"{number} " + "~" * 253).status in (200, 202)


def test_what_is_running_is_not_started_again(ann: Payer, studio: Api) -> None:
    charge = authorize(studio, ann)
    path, body = f"/v1/charges/{charge['id']}/refund", {"reason": "x"}
    studio.post(path, body, idem="one")
    IdempotencyRecord.objects.filter(key="one").update(result=None, created_at=now())
    reply = studio.post(path, body, idem="one")
    assert (reply.status, reply.code) == (409, "idempotency_in_progress")
    assert reply.headers["Retry-After"] == "1"


def run(operation: Callable[[], Answer], key: str = "k", *, atomic: bool = True) -> Answer:
    return run_once(OWNER, key, "hash", operation, atomic=atomic)


@pytest.mark.parametrize("atomic", [True, False])
def test_an_abandoned_request_is_taken_over_after_a_minute(db: None, atomic: bool) -> None:
    def left(seconds: int) -> None:
        IdempotencyRecord.objects.filter(key="k").delete()
        IdempotencyRecord.objects.create(
            owner=OWNER, key="k", request_hash="hash", created_at=now() - timedelta(seconds=seconds)
        )

    left(59)
    with pytest.raises(IdempotencyInProgress):
        run(lambda: Answer(200, {}), atomic=atomic)
    left(61)
    assert not run(lambda: Answer(200, {"n": 1}), atomic=atomic).replayed
    assert run(lambda: Answer(200, {"n": 2}), atomic=atomic) == Answer(200, {"n": 1}, replayed=True)


@pytest.mark.parametrize("atomic", [True, False])
def test_an_unexpected_error_frees_the_key(db: None, atomic: bool) -> None:
    def breaks() -> Answer:
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        run(breaks, atomic=atomic)
    assert run(lambda: Answer(200, {}), atomic=atomic) == Answer(200, {})


def test_what_only_passes_is_not_kept(db: None) -> None:
    def busy() -> Answer:
        raise ServiceUnavailable("busy")

    def done() -> Answer:
        raise InvalidState("too late")

    assert run(busy).status == 503
    assert run(done).status == 409
    assert run(lambda: Answer(200, {})).replayed


def test_an_atomic_operation_leaves_nothing_when_it_breaks(ann: Payer) -> None:
    def half() -> Answer:
        ann.give(5)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError):
        run(half)
    assert balances.of(ann.account.pk).balance == 50 * CREDIT


def test_one_that_was_taken_over_does_not_answer(db: None) -> None:
    def slow() -> Answer:
        IdempotencyRecord.objects.filter(key="k").update(created_at=now())
        return Answer(200, {})

    with pytest.raises(IdempotencyInProgress):
        run(slow, atomic=False)


def test_the_hash_tells_requests_apart() -> None:
    hashes = {
        request_hash("POST", "/v1/a", b"{}"),
        request_hash("PUT", "/v1/a", b"{}"),
        request_hash("POST", "/v1/b", b"{}"),
        request_hash("POST", "/v1/a?x=1", b"{}"),
        request_hash("POST", "/v1/a", b"{ }"),
    }
    assert len(hashes) == 5
    assert request_hash("POST", "/v1/a", b"{}") in hashes


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_at_once_have_one_effect(transactional_db: None) -> None:
    """Two threads with their own connections, each round a fresh key; exactly one of them runs."""
    rounds = 200
    ran: list[int] = []
    barrier = threading.Barrier(2)

    def work_once() -> Answer:
        ran.append(1)
        return Answer(200, {})

    def racer() -> None:
        for number in range(rounds):
            barrier.wait(10)
            with suppress(IdempotencyInProgress):
                run_once(OWNER, f"r{number}", "hash", work_once, atomic=True)
        connection.close()

    threads = [threading.Thread(target=racer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ran) == rounds
    assert IdempotencyRecord.objects.count() == rounds


def test_the_record_is_there_before_the_work_starts(db: None) -> None:
    def look() -> Answer:
        return Answer(200, {"noted": IdempotencyRecord.objects.filter(key="k", result__isnull=True).exists()})

    assert run(look).body == {"noted": True}
