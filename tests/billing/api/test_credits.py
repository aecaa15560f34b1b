"""The four endpoints of profile ``toon``, to the letter."""

import json
from datetime import datetime

import pytest
from django.db import connection
from django.test import Client

from billing.ledger import balances, grants
from tests.billing.api.conftest import CREDIT, Payer, payer


@pytest.fixture
def pro(toon: None) -> Payer:
    """On plan Pro with its 300 credits."""
    return payer("Pro", "toon", plan="pro", mode="subscription")


@pytest.fixture
def metered(toon: None) -> Payer:
    """Pays per use, counted in USD."""
    return payer("Metered", "toon", mode="metered")


def text(payer: Payer, path: str) -> str:
    """The answer's bytes as text: number types are part of the contract."""
    return Client().get(path, headers={"Authorization": f"Bearer {payer.key}"}).content.decode()


def test_balance_is_a_whole_number(ann: Payer) -> None:
    assert text(ann, "/api/credits/balance") == '{"balance":50}'


def test_half_a_credit_is_a_number_too(ann: Payer) -> None:
    grants.withdraw(
        account_id=ann.account.pk, micros=CREDIT // 2, kind="adjustment", description="x", key="half"
    )
    assert text(ann, "/api/credits/balance") == '{"balance":49.5}'


def test_subscription_has_exactly_its_fields(toon: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.now = '2026-04-01T00:00:00Z'")
        pro = payer("Pro", "toon", plan="pro", mode="subscription")
        cursor.execute("SET LOCAL ledger.now = '2026-04-17T10:00:00Z'")
        assert json.loads(text(pro, "/api/subscription")) == {
            "plan": "pro",
            "status": "active",
            "creditsRemaining": 300,
            "currentPeriodEnd": "2026-05-01T00:00:00.000Z",
        }


def test_what_is_left_of_the_plan_leaves_out_what_was_bought(pro: Payer) -> None:
    pro.give(50)
    body = pro.api.get("/api/subscription").body
    assert (body["plan"], body["creditsRemaining"]) == ("pro", 300)
    assert text(pro, "/api/credits/balance") == '{"balance":350}'


def test_pay_per_use_has_no_subscription(metered: Payer) -> None:
    body = metered.api.get("/api/subscription").body
    assert (body["plan"], body["status"], body["creditsRemaining"]) == (None, "none", 0)


def test_the_balance_tells_the_plan_s_period(pro: Payer) -> None:
    told = pro.api.get("/v1/balance").body["subscription"]
    assert (told["plan"], told["status"], told["next_plan"], told["cancel_at_period_end"]) == (
        "pro", "active", None, False,
    )  # fmt: skip
    assert told["current_period_start"] < told["current_period_end"]


def test_without_a_plan_there_is_no_subscription(ann: Payer) -> None:
    body = ann.api.get("/api/subscription").body
    assert (body["plan"], body["status"], body["creditsRemaining"]) == (None, "none", 50)
    assert datetime.fromisoformat(body["currentPeriodEnd"]).tzinfo is not None


def test_spending_limit_in_cents(metered: Payer) -> None:
    assert metered.api.post("/api/spending-limit", {"limitCents": 5000}).body == {
        "limitCents": 5000,
        "updated": True,
    }
    assert text(metered, "/api/spending-limit") == '{"limitCents":5000}'
    assert balances.of(metered.account.pk).spend_limit == 50 * CREDIT
    assert metered.api.get("/v1/spending-limit").body["limit"] == "50"


def test_a_limit_in_cents_of_credits_with_a_price(ann: Payer) -> None:
    assert text(ann, "/api/spending-limit") == '{"limitCents":null}'
    ann.api.post("/api/spending-limit", {"limitCents": 5000})
    assert ann.api.get("/v1/spending-limit").body["limit"] == "500"
    assert text(ann, "/api/spending-limit") == '{"limitCents":5000}'


@pytest.mark.parametrize(
    "body",
    [
        {}, {"limitCents": "5000"}, {"limitCents": 50.5}, {"limitCents": -1}, {"limitCents": True},
        {"limitCents": None}, {"limitCents": 10**12}, {"limitCents": 5000, "updated": True},
        {"limit_cents": 5}, b'{"limitCents": 5e3}', b'{"limitCents": 1_000}', b'{"limitCents": NaN}',
        b'{"limitCents": 1e400}',
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_limit_changes_nothing(metered: Payer, body: object) -> None:
    before = balances.of(metered.account.pk).spend_limit
    assert metered.api.post("/api/spending-limit", body).status == 422
    assert balances.of(metered.account.pk).spend_limit == before


def test_pay_per_use_may_owe_up_to_its_limit(metered: Payer) -> None:
    metered.api.post("/api/spending-limit", {"limitCents": 700})
    assert balances.of(metered.account.pk).credit_limit == 7 * CREDIT
