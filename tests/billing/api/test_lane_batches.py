"""Batches in the lane: decided together, answered as by the view, kept for their Idempotency-Key."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils.timezone import now

from billing.api import idempotency
from billing.ledger import balances
from billing.ledger.models import Charge, IdempotencyRecord
from tests.billing.api.conftest import CREDIT, Api, Payer
from tests.billing.api.in_the_lane import body_of, fresh_caches, in_lane, post
from tests.billing.api.working import MODEL_ON_HOLD, work

__all__ = ["fresh_caches"]
pytestmark = pytest.mark.django_db(transaction=True)


def batch_of(payer: Payer, held: Payer) -> dict[str, Any]:
    """Every way an entry of a batch can end, and an account named by its id."""
    by_id = {"customer": {"account": payer.account.public_id}}
    return {
        "charges": [
            work(payer),
            work(payer, model="unheard-of"),
            {"customer": {"api_key": "bpk_x"}, "model": "static", "operation": "generate"},
            "nonsense",
            work(payer, parameters={"count": 100}),
            work(held, model=MODEL_ON_HOLD),
            work(payer) | by_id,
            work(payer) | {"customer": {"account": "acct_0"}},
            work(payer) | {"extra": 1},
        ]
    }


def test_a_batch_answers_as_the_view_does(ann: Payer, bob: Payer, eva: Payer, studio: Api) -> None:
    view = studio.post("/v1/charges/batch", batch_of(ann, eva))
    lane = post(studio, "/v1/charges/batch", json.dumps(batch_of(bob, eva)).encode())
    assert (lane.status_code, lane.headers["content-type"]) == (200, "application/json")
    passing = {"id": "", "authorized_at": "", "expires_at": "", "balance": "", "available": "", "held": ""}
    assert [entry | passing for entry in lane.json()["data"]] == [
        entry | passing for entry in view.body["data"]
    ]
    assert [entry["balance"] for entry in lane.json()["data"] if entry["status"] == "settled"] == ["45", "40"]


def test_batches_and_single_requests_share_what_there_is(ann: Payer, studio: Api) -> None:
    many = json.dumps({"charges": [work(ann) for _ in range(4)]}).encode()

    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        calls = [client.post("/v1/charges/batch", content=many) for _ in range(3)]
        calls += [client.post("/v1/charges", content=body_of(ann)) for _ in range(4)]
        return await asyncio.gather(*calls)

    *batches, a, b, c, d = in_lane(studio, session)
    decided = [entry["status"] for reply in batches for entry in reply.json()["data"]]
    decided += [reply.json()["status"] for reply in (a, b, c, d)]
    assert sorted(decided, key=str) == [402] * 6 + ["settled"] * 10
    assert balances.of(ann.account.pk).balance == 0


def test_a_batch_with_a_key_is_answered_once(ann: Payer, studio: Api) -> None:
    raw = json.dumps({"charges": [work(ann)]}).encode()
    first, again = (post(studio, "/v1/charges/batch", raw, "one-batch") for _ in range(2))
    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    by_the_view = studio.post("/v1/charges/batch", raw, idem="one-batch")
    assert (by_the_view.body, by_the_view.headers["Idempotent-Replayed"]) == (first.json(), "true")
    assert balances.of(ann.account.pk).balance == 45 * CREDIT


def test_a_batch_with_a_key_sent_many_times_at_once_is_decided_once(ann: Payer, studio: Api) -> None:
    raw = json.dumps({"charges": [work(ann), work(ann)]}).encode()

    async def session(client: httpx.AsyncClient) -> list[httpx.Response]:
        key = {"Idempotency-Key": "one-batch"}
        return await asyncio.gather(
            *[client.post("/v1/charges/batch", content=raw, headers=key) for _ in range(20)]
        )

    replies = in_lane(studio, session)
    waited = [reply.json()["code"] for reply in replies if reply.status_code != 200]
    assert set(waited) <= {"idempotency_in_progress"}
    assert len({json.dumps(reply.json()) for reply in replies if reply.status_code == 200}) == 1
    assert Charge.objects.count() == 2


def test_the_key_of_another_batch_is_a_conflict_word_for_word_as_by_the_view(ann: Payer, studio: Api) -> None:
    post(studio, "/v1/charges/batch", json.dumps({"charges": [work(ann)]}).encode(), "one-batch")
    other = json.dumps({"charges": [work(ann), work(ann)]}).encode()
    lane, view = (
        post(studio, "/v1/charges/batch", other, "one-batch"),
        studio.post("/v1/charges/batch", other, idem="one-batch"),
    )
    assert (lane.status_code, lane.json()) == (view.status, view.body)
    assert (view.status, view.code) == (409, "idempotency_conflict")
    assert Charge.objects.count() == 1


def test_a_batch_whose_process_died_is_finished_by_the_same_request(ann: Payer, studio: Api) -> None:
    raw = json.dumps({"charges": [work(ann), work(ann)]}).encode()
    first = post(studio, "/v1/charges/batch", raw, "one-batch")
    # As if the process had died between its effect and the record of the answer, a while ago.
    IdempotencyRecord.objects.filter(key="one-batch").update(
        result=None, created_at=now() - idempotency.ABANDONED - timedelta(seconds=1)
    )
    again = post(studio, "/v1/charges/batch", raw, "one-batch")
    assert [entry["id"] for entry in again.json()["data"]] == [entry["id"] for entry in first.json()["data"]]
    assert Charge.objects.count() == 2
    assert IdempotencyRecord.objects.get(key="one-batch").result is not None
