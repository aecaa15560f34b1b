"""Usage summed up by model, operation, key and day."""

import uuid
from datetime import timedelta

import pytest

from billing.ledger import usage_days
from billing.selectors.usage import today
from billing.services.charges import charge_id_of, refund
from config.ids import public_id
from tests.billing.api.conftest import CREDIT, Api, Payer
from tests.billing.api.working import authorize


@pytest.fixture
def used(ann: Payer, studio: Api) -> Payer:
    """A static ad, and two full ones of which one was half refunded."""
    authorize(studio, ann)
    authorize(studio, ann, model="full")
    ann.give(30)
    charge = authorize(studio, ann, model="full")
    refund(charge_id_of(charge["id"]), 7 * CREDIT + CREDIT // 2, "Late")
    return ann


@pytest.mark.parametrize("folded", [False, True])
def test_by_model_largest_first(used: Payer, folded: bool) -> None:
    if folded:
        usage_days.fold_all()
    body = used.api.get("/v1/usage/summary").body
    assert (body["unit"], body["group"]) == ("credit", "model")
    assert body["since"] == (today() - timedelta(days=29)).isoformat()
    assert body["until"] == (today() + timedelta(days=1)).isoformat()
    assert [body[name] for name in ("requests", "charged", "refunded", "net")] == [3, "35", "7.5", "27.5"]
    assert [tuple(row.values()) for row in body["data"]] == [
        ("full", 2, "30", "7.5", "22.5"),
        ("static", 1, "5", "0", "5"),
    ]


def test_by_key_operation_and_day(used: Payer) -> None:
    key_id = public_id("key", uuid.UUID(str(used.account.api_keys.get().pk)))
    for group, name in (("key", key_id), ("operation", "generate"), ("day", today().isoformat())):
        body = used.api.get(f"/v1/usage/summary?group={group}").body
        assert [(row["id"], row["requests"]) for row in body["data"]] == [(name, 3)]


def test_filters_narrow_it(used: Payer) -> None:
    assert used.api.get("/v1/usage/summary?model=static").body["net"] == "5"
    assert used.api.get("/v1/usage/summary?operation=upscale").body["data"] == []
    yesterday = today() - timedelta(days=1)
    body = used.api.get(f"/v1/usage/summary?from={yesterday}&to={today()}").body
    assert (body["requests"], body["net"], body["data"]) == (0, "0", [])


def test_nobody_sees_another_s(used: Payer, bob: Payer) -> None:
    assert bob.api.get("/v1/usage/summary").body["requests"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "group=year",
        "from=x",
        "to=0000-01-01",
        "from=2026-01-02&to=2026-01-01",
        "from=2024-01-01&to=2026-01-01",
        "a=1",
    ],
)
def test_nonsense_is_refused(ann: Payer, query: str) -> None:
    assert ann.api.get(f"/v1/usage/summary?{query}").status == 422


def test_a_key_is_needed(anyone: Api, studio: Api) -> None:
    assert anyone.get("/v1/usage/summary").status == 401
    assert studio.get("/v1/usage/summary").status == 403


@pytest.mark.parametrize("query", ["to=0001-01-02", "to=9999-12-31", "from=0001-01-01&to=0001-12-31"])
def test_the_ends_of_time_are_days_too(ann: Payer, query: str) -> None:
    assert ann.api.get(f"/v1/usage/summary?{query}").status == 200
