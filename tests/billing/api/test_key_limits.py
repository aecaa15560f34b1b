"""Limits of single API keys through the API: set, met, refused with the way out, and never passed together."""

import uuid

import pytest

from accounts import keys
from accounts.keys import create_key
from accounts.models import ApiKey
from config.ids import public_id
from tests.billing.api.conftest import Api, Payer, Reply

STATIC = {"model": "static", "operation": "generate"}


@pytest.fixture
def other(ann: Payer) -> Payer:
    """Another key of the same account."""
    _, text = create_key(account=ann.account, name="Other")
    return Payer(ann.account, text, Api(text))


def key_of(payer: Payer) -> ApiKey:
    found = keys.verify(payer.key)
    assert found is not None
    return found


def limit(payer: Payer, by: Payer, monthly: str | None, budget: str | None) -> Reply:
    body = {"monthly_limit": monthly, "total_budget": budget}
    return by.api.put(f"/v1/keys/{key_of(payer).public_id}/limit", body)


def authorize(studio: Api, payer: Payer, **more: object) -> Reply:
    return studio.post("/v1/charges", {"customer": payer.by_key, **STATIC, **more})


def test_a_key_at_its_monthly_limit_is_refused_and_others_go_on(
    studio: Api, ann: Payer, other: Payer
) -> None:
    reply = limit(ann, other, "8", None)
    assert reply.status == 200
    assert (reply.body["monthly_limit"], reply.body["total_budget"]) == ("8", None)
    assert authorize(studio, ann).status == 202
    refused = authorize(studio, ann)
    assert (refused.status, refused.code) == (402, "spending_limit_reached")
    assert refused.body["detail"] == (
        "This would pass this API key's monthly limit of 8 credits: 5 credits needed, 3 left of it."
    )
    assert (refused.body["required"], refused.body["available"]) == ("5", "3")
    (way,) = refused.body["remedies"]
    assert way["code"] == "raise_limit"
    assert way["url"].endswith(f"/keys/{key_of(ann).public_id}/limit")
    assert authorize(studio, other).status == 202
    assert (
        authorize(studio, Payer(ann.account, "", ann.api), customer={"account": ann.account.public_id}).status
        == 202
    )


def test_one_credit_is_not_some_credits(studio: Api, ann: Payer, other: Payer) -> None:
    limit(ann, other, "1", None)
    said = authorize(studio, ann).body["detail"]
    assert said == "This would pass this API key's monthly limit of 1 credit: 5 credits needed, 1 left of it."


def test_a_total_budget_is_named_when_it_is_the_narrower_one(studio: Api, ann: Payer, other: Payer) -> None:
    limit(ann, other, "100", "5")
    assert authorize(studio, ann).status == 202
    assert "total budget of 5 credits: 5 credits needed, 0 left" in authorize(studio, ann).body["detail"]


def test_what_was_spent_before_counts_and_what_comes_back_does_not(
    studio: Api, ann: Payer, other: Payer
) -> None:
    charge = authorize(studio, ann).body["id"]
    assert limit(ann, other, "9", None).body["spent_this_month"] == "5"
    assert authorize(studio, ann).status == 402
    studio.post(f"/v1/charges/{charge}/refund", {"reason": "Delivery failed"})
    listed = {key["name"]: key for key in other.api.get("/v1/keys").body["data"]}
    assert listed["Test"]["spent_in_all"] == "0"
    assert authorize(studio, ann).status == 202


def test_the_list_says_what_each_key_spent(studio: Api, ann: Payer, other: Payer) -> None:
    authorize(studio, ann)
    authorize(studio, ann)
    authorize(studio, other)
    reply = ann.api.get("/v1/keys")
    spent = {key["name"]: (key["spent_this_month"], key["spent_in_all"]) for key in reply.body["data"]}
    assert spent == {"Test": ("10", "10"), "Other": ("5", "5")}
    assert {key["monthly_limit"] for key in reply.body["data"]} == {None}


def test_a_limited_key_cannot_lift_its_limit_nor_set_others(ann: Payer, other: Payer) -> None:
    limit(ann, other, "8", None)
    for whose in (ann, other):
        refused = limit(whose, ann, None, None)
        assert (refused.status, refused.code) == (403, "forbidden")
    assert limit(ann, other, None, None).status == 200
    assert limit(ann, ann, "8", None).status == 200


def test_a_limited_key_changes_nothing_that_lets_the_account_spend_more(ann: Payer, other: Payer) -> None:
    other.api.put("/v1/spending-limit", {"limit": "20"})
    limit(ann, other, "8", None)
    recharge = {"enabled": True, "threshold": "20", "amount": "25", "monthly_cap": None}
    for refused in (
        ann.api.put("/v1/spending-limit", {"limit": None}),
        ann.api.post("/api/spending-limit", {"limitCents": 99_999}),
        ann.api.put("/v1/auto-recharge", recharge),
    ):
        assert (refused.status, refused.code) == (403, "forbidden")
    assert other.api.get("/v1/spending-limit").body["limit"] == "20"
    assert not other.api.get("/v1/auto-recharge").body["enabled"]
    assert other.api.post("/api/spending-limit", {"limitCents": 500}).status == 200


def test_keys_of_others_and_wrong_ids_do_not_exist(ann: Payer, bob: Payer) -> None:
    assert limit(bob, ann, "8", None).status == 404
    body = {"monthly_limit": "8", "total_budget": None}
    for text in (public_id("key", uuid.uuid4()), "nonsense", "key_1"):
        assert ann.api.put(f"/v1/keys/{text}/limit", body).status == 404


def test_a_revoked_key_is_limited_no_more(ann: Payer, other: Payer) -> None:
    key = key_of(other)
    keys.revoke(key)
    reply = ann.api.put(f"/v1/keys/{key.public_id}/limit", {"monthly_limit": "8", "total_budget": None})
    assert (reply.status, reply.code) == (409, "invalid_state")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"monthly_limit": -1, "total_budget": None}, "monthly_limit"),
        ({"monthly_limit": "-1", "total_budget": None}, "monthly_limit"),
        ({"monthly_limit": "1.1234567", "total_budget": None}, "monthly_limit"),
        ({"monthly_limit": "1"}, "total_budget"),
        ({"monthly_limit": "1", "total_budget": None, "x": 1}, "x"),
    ],
)
def test_bad_limits_are_refused_by_field(ann: Payer, body: object, field: str) -> None:
    reply = ann.api.put(f"/v1/keys/{key_of(ann).public_id}/limit", body)
    assert reply.status == 422
    assert reply.fields == {field}


def test_a_batch_stops_at_the_key_s_limit(studio: Api, ann: Payer, other: Payer) -> None:
    limit(ann, other, "12", None)
    items = [{"customer": ann.by_key, **STATIC} for _ in range(4)]
    reply = studio.post("/v1/charges/batch", {"charges": items})
    assert sorted(item.get("code", item["status"]) for item in reply.body["data"]) == [
        "settled",
        "settled",
        "spending_limit_reached",
        "spending_limit_reached",
    ]


def test_a_rotated_key_and_its_successor_have_one_budget(studio: Api, ann: Payer, other: Payer) -> None:
    limit(ann, other, "12", "30")
    authorize(studio, ann)
    old = key_of(ann)
    new, text = keys.rotate(old)
    successor = Payer(ann.account, text, Api(text))
    assert authorize(studio, successor).status == 202
    assert [authorize(studio, payer).status for payer in (successor, ann)] == [402, 402]
    listed = {key["id"]: key for key in other.api.get("/v1/keys").body["data"]}
    for mine, its in ((old, new), (new, old)):
        shown = listed[mine.public_id]
        assert (shown["spent_in_all"], shown["total_budget"]) == ("10", "30")
        assert shown["limited_with"] == [its.public_id]
    assert listed[key_of(other).public_id]["limited_with"] == []
    limit(successor, other, "100", None)
    assert authorize(studio, ann).status == 202, "set on one of them, for both"


def test_a_spending_limit_has_a_mode(studio: Api, ann: Payer) -> None:
    assert ann.api.get("/v1/spending-limit").body["mode"] is None
    reply = ann.api.put("/v1/spending-limit", {"limit": "4", "mode": "alert"})
    assert (reply.body["limit"], reply.body["mode"]) == ("4", "alert")
    assert authorize(studio, ann).status == 202, "an alert refuses nothing"
    assert ann.api.get("/v1/balance").body["spending_limit"] == {
        **ann.api.get("/v1/spending-limit").body,
        "spent": "5",
        "mode": "alert",
    }
    assert ann.api.put("/v1/spending-limit", {"limit": "6"}).body["mode"] == "alert", "it stays what it is"
    assert ann.api.get("/api/spending-limit").body == {"limitCents": 60}
    assert ann.api.put("/v1/spending-limit", {"limit": "6", "mode": "hard"}).body["mode"] == "hard"
    assert authorize(studio, ann).code == "spending_limit_reached"
    assert ann.api.put("/v1/spending-limit", {"limit": None}).body["mode"] is None
    assert ann.api.get("/v1/balance").body["spending_limit"] is None
    assert ann.api.put("/v1/spending-limit", {"limit": "6", "mode": "soft"}).fields == {"mode"}
