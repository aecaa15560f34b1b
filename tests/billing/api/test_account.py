"""Balance, history, auto-recharge and spending limit of a customer's own account."""

import pytest
from django.db import connection

from billing.ledger import balances
from billing.ledger.models import Transaction
from tests.billing.api.conftest import CREDIT, Api, Payer
from tests.billing.api.working import authorize, hold


def test_a_new_account_has_its_bonus(ann: Payer) -> None:
    body = ann.api.get("/v1/balance").body
    assert body["account"] == ann.account.public_id
    assert (body["mode"], body["unit"]) == ("prepaid", "credit")
    assert (body["balance"], body["available"], body["held"]) == ("50", "50", "0")
    assert body["credit_price"] == {"amount": "0.1", "currency": "USD"}
    assert body["pricing"] == {"static": "5", "full": "15"}
    assert [(grant["source"], grant["remaining"]) for grant in body["grants"]] == [("bonus", "50")]
    assert body["auto_recharge"]["enabled"] is False
    assert (body["auto_recharge"]["threshold"], body["auto_recharge"]["amount"]) == ("20", "25")
    assert body["spending_limit"] is None


def test_a_hold_lowers_what_is_available_only(eva: Payer, studio: Api) -> None:
    before = eva.api.get("/v1/balance").body
    held = hold(studio, eva)
    after = eva.api.get("/v1/balance").body
    assert after["balance"] == before["balance"]
    assert after["held"] == held["hold"] != "0"
    assert after["available"] == held["available"]


def test_money_is_not_kept_by_anyone_on_the_way(ann: Payer) -> None:
    for path in ("/v1/balance", "/v1/usage", "/api/credits/balance", "/v1/charges"):
        assert ann.api.get(path).headers["Cache-Control"] == "no-store"


def test_history_has_every_movement_newest_first(ann: Payer, studio: Api) -> None:
    charge = authorize(studio, ann, reference="job-1")
    body = ann.api.get("/v1/usage").body
    assert [(row["type"], row["amount"], row["balance_after"]) for row in body["data"]] == [
        ("usage", "-5", "45"),
        ("bonus", "50", "50"),
    ]
    assert body["data"][0]["charge"] == charge["id"]
    assert body["data"][0]["reference"] == "job-1"
    assert body["data"][1]["charge"] is None
    assert body["next_cursor"] is None


def test_history_is_paged_without_gaps_or_repeats(ann: Payer, studio: Api) -> None:
    for _ in range(7):
        authorize(studio, ann)
    seen, cursor, pages = [], "", 0
    while True:
        reply = ann.api.get(f"/v1/usage?limit=3{cursor}").body
        seen += [row["id"] for row in reply["data"]]
        pages += 1
        if reply["next_cursor"] is None:
            break
        authorize(studio, ann)  # what comes in meanwhile does not shift the pages
        cursor = f"&cursor={reply['next_cursor']}"
    assert pages == 3
    assert len(seen) == len(set(seen)) == 8


def test_history_by_type_model_and_time(ann: Payer, studio: Api) -> None:
    authorize(studio, ann, model="static")
    authorize(studio, ann, model="full")
    ann.give(10)
    rows = list(Transaction.objects.filter(account_id=ann.account.pk).order_by("seq"))
    middle = rows[2].created_at.isoformat().replace("+00:00", "Z")

    def types(query: str) -> list[str]:
        return [row["type"] for row in ann.api.get(f"/v1/usage?{query}").body["data"]]

    assert types("type=usage") == ["usage", "usage"]
    assert types("type=topup") == ["topup"]
    assert types("type=invoice") == []
    assert types("model=full") == ["usage"]
    assert types(f"from={middle}") == ["topup", "usage"]
    assert types(f"to={middle}") == ["usage", "bonus"]
    assert types(f"from={middle}&to={middle}") == []
    assert types("from=2100-01-01T00:00:00Z") == []
    assert types("to=1970-01-01T00:00:00%2B01:00") == []


WRONG_QUERIES = [
    ("limit=0", "limit"),
    ("limit=201", "limit"),
    ("limit=-1", "limit"),
    ("limit=1.0", "limit"),
    ("limit=1_0", "limit"),
    ("limit=%D9%A1", "limit"),
    ("limit=", "limit"),
    ("limit=true", "limit"),
    ("limit=1&limit=2", "limit"),
    ("type=Usage", "type"),
    ("type=", "type"),
    ("model=%00", "model"),
    ("model=" + "x" * 81, "model"),
    ("from=yesterday", "from"),
    ("from=2026-05-01", "from"),
    ("from=2026-05-01T00:00:00", "from"),
    ("from=2026-02-30T00:00:00Z", "from"),
    ("from=0001-01-01T00:00:00%2B23:59", "from"),
    ("to=9999-12-31T23:59:59-23:59", "to"),
    ("to=1e9", "to"),
    ("cursor=x", "cursor"),
    ("cursor=", "cursor"),
    ("cursor=dDotMQ", "cursor"),
    ("cursor=YzowMTIz", "cursor"),
    ("cursor=dDo5OTk5OTk5OTk5OTk5OTk5OTk5", "cursor"),
    ("cursor=%F0%9F%8E%A8", "cursor"),
    ("cursor=" + "A" * 201, "cursor"),
    ("typ=usage", "typ"),
]


@pytest.mark.parametrize(("query", "field"), WRONG_QUERIES, ids=[query[:40] for query, _ in WRONG_QUERIES])
def test_a_wrong_query_is_named(ann: Payer, query: str, field: str) -> None:
    reply = ann.api.get(f"/v1/usage?{query}")
    assert (reply.status, reply.code) == (422, "invalid_request")
    assert reply.fields == {field}


def test_auto_recharge_is_set_and_read_back(ann: Payer) -> None:
    wanted = {"enabled": True, "threshold": "12.5", "amount": "50", "monthly_cap": "200"}
    reply = ann.api.put("/v1/auto-recharge", wanted)
    assert reply.status == 200
    assert {name: reply.body[name] for name in wanted} == wanted
    assert reply.body["pause_reason"] == "no_card"
    assert ann.api.get("/v1/auto-recharge").body == reply.body
    assert ann.api.get("/v1/balance").body["auto_recharge"] == reply.body


def test_auto_recharge_belongs_to_one_account(ann: Payer, bob: Payer) -> None:
    ann.api.put("/v1/auto-recharge", {"enabled": True, "threshold": "1", "amount": "50", "monthly_cap": None})
    assert bob.api.get("/v1/auto-recharge").body["enabled"] is False


RECHARGE = {"enabled": True, "threshold": "20", "amount": "25", "monthly_cap": None}
WRONG_RECHARGES = [
    ({"enabled": "true"}, "enabled"),
    ({"enabled": 1}, "enabled"),
    ({"threshold": 20}, "threshold"),
    ({"threshold": "-1"}, "threshold"),
    ({"threshold": "1e3"}, "threshold"),
    ({"amount": "0"}, "amount"),
    ({"amount": "4.99"}, "amount"),
    ({"amount": "25.001"}, "amount"),
    ({"amount": "10000.01"}, "amount"),
    ({"amount": None}, "amount"),
    ({"monthly_cap": "24"}, "monthly_cap"),
    ({"currency": "EUR"}, "currency"),
]


@pytest.mark.parametrize(
    ("change", "field"), WRONG_RECHARGES, ids=[str(change) for change, _ in WRONG_RECHARGES]
)
def test_a_wrong_auto_recharge_changes_nothing(ann: Payer, change: dict[str, object], field: str) -> None:
    reply = ann.api.put("/v1/auto-recharge", RECHARGE | change)
    assert (reply.status, reply.fields) == (422, {field})
    assert ann.api.get("/v1/auto-recharge").body["enabled"] is False


def test_spending_limit_is_set_read_and_taken_away(ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    reply = ann.api.put("/v1/spending-limit", {"limit": "100"})
    assert reply.status == 200
    assert (reply.body["limit"], reply.body["currency"], reply.body["spent"]) == ("100", "credit", "5")
    assert reply.body["resets_at"].endswith("-01T00:00:00Z")
    assert ann.api.get("/v1/spending-limit").body == reply.body
    assert ann.api.get("/v1/balance").body["spending_limit"] == reply.body
    assert ann.api.put("/v1/spending-limit", {"limit": None}).body["limit"] is None
    assert balances.of(ann.account.pk).spend_limit is None


def test_resets_at_is_the_first_of_the_next_month(ann: Payer) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.now = '2027-12-31T23:59:59.999999Z'")
        assert ann.api.get("/v1/spending-limit").body["resets_at"] == "2028-01-01T00:00:00Z"
        cursor.execute("SET LOCAL ledger.now = '2028-02-01T00:00:00Z'")
        assert ann.api.get("/v1/spending-limit").body["resets_at"] == "2028-03-01T00:00:00Z"


@pytest.mark.parametrize(
    "body",
    [
        {}, {"limit": 100}, {"limit": True}, {"limit": "-1"}, {"limit": "1_000"}, {"limit": "１"},
        {"limit": "NaN"}, {"limit": " 1"}, {"limit": "1.0000001"}, {"limit": "1", "currency": "USD"},
        {"limit": "1", "spent": "0"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_limit_changes_nothing(ann: Payer, body: dict[str, object]) -> None:
    balances.set_spend_limit(ann.account.pk, 7 * CREDIT)
    assert ann.api.put("/v1/spending-limit", body).status == 422
    assert balances.of(ann.account.pk).spend_limit == 7 * CREDIT
