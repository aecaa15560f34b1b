"""Many authorizations in one call: each answered for itself, together no more than there is."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from billing.ledger import balances
from billing.ledger.models import Charge, IdempotencyRecord
from tests.billing.api.conftest import CREDIT, Api, Payer
from tests.billing.api.working import MODEL_ON_HOLD, work

PATH = "/v1/charges/batch"


def batch(*charges: Any) -> dict[str, Any]:
    return {"charges": list(charges)}


def test_each_is_answered_for_itself_in_order(ann: Payer, eva: Payer, studio: Api) -> None:
    reply = studio.post(
        PATH,
        batch(
            work(ann, reference="first"),
            work(ann, model="unheard-of"),
            {"customer": {"api_key": "bpk_x"}, "model": "static", "operation": "generate"},
            "nonsense",
            work(ann, parameters={"count": 100}),
            work(eva, model=MODEL_ON_HOLD),
            work(ann) | {"extra": 1},
        ),
    )
    assert reply.status == 200
    assert [entry["status"] for entry in reply.body["data"]] == [
        "settled", 422, 401, 422, 402, "authorized", 422,
    ]  # fmt: skip
    codes = [entry.get("code") for entry in reply.body["data"]]
    assert codes == [
        None, "not_offered", "unauthorized", "invalid_request", "insufficient_credits", None,
        "invalid_request",
    ]  # fmt: skip
    assert reply.body["data"][4]["remedies"]
    assert Charge.objects.count() == 2


def test_together_they_take_no_more_than_there_is(ann: Payer, studio: Api) -> None:
    reply = studio.post(PATH, batch(*[work(ann) for _ in range(12)]))
    assert [entry["status"] for entry in reply.body["data"]] == ["settled"] * 10 + [402] * 2
    assert balances.of(ann.account.pk).balance == 0


@pytest.mark.slow
def test_five_hundred_at_once(ann: Payer, studio: Api) -> None:
    ann.give(2450)
    reply = studio.post(PATH, batch(*[work(ann) for _ in range(500)]))
    assert {entry["status"] for entry in reply.body["data"]} == {"settled"}
    assert len({entry["id"] for entry in reply.body["data"]}) == 500
    assert balances.of(ann.account.pk).balance == 0


def test_not_none_and_not_more(ann: Payer, studio: Api) -> None:
    wrong: tuple[object, ...] = ([], [work(ann)] * 501, None, {}, "x")
    for charges in wrong:
        assert studio.post(PATH, {"charges": charges}).status == 422
    assert studio.post(PATH, [work(ann)]).status == 422
    none, many = (studio.post(PATH, {"charges": charges}).body["errors"] for charges in wrong[:2])
    assert none == [{"field": "charges", "message": "must have at least 1 entry"}]
    assert many == [{"field": "charges", "message": "must have at most 500 entries"}]
    assert not Charge.objects.exists()


@pytest.mark.slow
def test_a_batch_may_be_larger_than_one_charge(ann: Payer, studio: Api) -> None:
    padding = "x" * 250
    reply = studio.post(PATH, batch(*[work(ann, reference=padding, model="n" * 80) for _ in range(500)]))
    assert reply.status == 200
    assert {entry["code"] for entry in reply.body["data"]} == {"not_offered"}
    assert studio.post(PATH, {"charges": ["x" * 2_100_000]}).status == 422
    assert studio.post(PATH, {"charges": ["x" * 3_000_000]}).status == 422


def test_a_repeat_has_no_second_effect(ann: Payer, studio: Api) -> None:
    first = studio.post(PATH, batch(work(ann), work(ann)), idem="batch-1")
    again = studio.post(PATH, batch(work(ann), work(ann)), idem="batch-1")
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert balances.of(ann.account.pk).balance == 40 * CREDIT
    other = studio.post(PATH, batch(work(ann)), idem="batch-1")
    assert (other.status, other.code) == (409, "idempotency_conflict")


def test_a_batch_cut_off_after_the_ledger_is_not_charged_twice(ann: Payer, studio: Api) -> None:
    first = studio.post(PATH, batch(work(ann), work(ann)), idem="batch-1")
    _forget_the_answer("batch-1")
    again = studio.post(PATH, batch(work(ann), work(ann)), idem="batch-1")
    assert [entry["id"] for entry in again.body["data"]] == [entry["id"] for entry in first.body["data"]]
    assert balances.of(ann.account.pk).balance == 40 * CREDIT


def _forget_the_answer(key: str) -> None:
    """As if the process had died before it could note its answer, a while ago."""
    changed = IdempotencyRecord.objects.filter(key=key).update(
        result=None, created_at=now() - timedelta(seconds=61)
    )
    assert changed == 1
