"""Profile ``gateway``, rule by rule: effective costs, routing, dry runs, the ways out of a 402, low balances, credit."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from billing.ledger import usage_days
from billing.ledger.models import Balance
from billing.services import comfort, credit_limits
from catalog import snapshot
from tests.acceptance import gateway
from tests.acceptance.conftest import CREDIT, Open
from tests.acceptance.working import ask, balance, history, placed, read, settled, standing
from tests.billing.api.conftest import Api, Payer

pytestmark = pytest.mark.usefixtures("together")
ROUTING = {
    "provider": "fal",
    "provider_name": "fal.ai",
    "executed_model": "fal-ai/kling-video/v2.5-turbo",
    "upstream_id": "req_9f2",
}


@pytest.fixture
def payer(opened: Open) -> Payer:
    return opened("gateway", credits=100)


@pytest.mark.parametrize(("model", "asked", "outputs", "cost"), gateway.DELIVERED)
def test_the_effective_cost_follows_the_outputs(
    payer: Payer, service: Api, model: str, asked: Mapping[str, Any], outputs: Mapping[str, Any], cost: str
) -> None:
    charge = placed(service, payer, model, **asked)
    before = balance(payer)
    body = settled(service, charge, outputs=dict(outputs))
    assert body["metadata"]["cost"] == cost
    assert before - balance(payer) == Decimal(cost)
    assert history(payer)[0] == ("usage", "0" if cost == "0" else f"-{cost}")


def test_every_price_is_approximate_and_the_hold_is_the_estimate(payer: Payer, service: Api) -> None:
    document = Api().get("/v1/pricing?profile=gateway").body
    assert all(entry["approximate"] for model in document["models"] for entry in model["operations"])
    charge = placed(service, payer, "kling-2-5-turbo", seconds=7)
    assert charge["hold"] == charge["metadata"]["cost_estimate"] == "0.49"
    assert "≈" in read(payer, "/pricing")


@pytest.mark.parametrize("model", ["kling-2-5-turbo", "flux-2-pro", "veo-3-1"])
def test_a_dry_run_answers_the_estimate_and_does_nothing(payer: Payer, service: Api, model: str) -> None:
    before, lines = standing(payer), history(payer)
    reply = ask(service, payer, model, query="?dryRun=true")
    assert reply.status == 200
    assert reply.body["cost_estimate"] == placed(service, payer, model)["metadata"]["cost_estimate"]
    assert (history(payer), standing(payer)["balance"]) == (lines, before["balance"])
    assert len(payer.api.get("/v1/charges").body["data"]) == 1


def test_a_delivery_carries_its_cost_and_its_routing(payer: Payer, service: Api) -> None:
    charge = placed(service, payer, "kling-2-5-turbo", seconds=10)
    assert charge["metadata"] == {"cost_estimate": "0.7"}
    open_ = payer.api.get(f"/v1/charges/{charge['id']}").body
    assert (open_["status"], open_["metadata"]["cost_estimate"], "cost" in open_["metadata"]) == (
        "authorized",
        "0.7",
        False,
    )
    done = settled(service, charge, outputs={"seconds": 9}, **ROUTING)
    assert done["metadata"] == {"cost": "0.63", "cost_estimate": "0.7", **ROUTING}
    assert payer.api.get(f"/v1/charges/{charge['id']}").body["metadata"] == done["metadata"]
    line = payer.api.get("/v1/usage").body["data"][0]
    assert "fal.ai" in read(payer, f"/transactions/{line['id']}")


def test_a_402_names_the_ways_out(opened: Open, service: Api) -> None:
    poor = opened("gateway", credits=1)
    reply = ask(service, poor, "veo-3-1", seconds=60, audio=True, resolution="4K")
    assert (reply.status, reply.code) == (402, "insufficient_credits")
    assert (reply.body["required"], reply.body["available"], reply.body["unit"]) == ("36", "1", "USD")
    ways = {way["code"] for way in reply.body["remedies"]}
    assert ways == {"add_funds", "enable_auto_recharge", "switch_to_postpaid"}
    assert all(way["url"].startswith("http") for way in reply.body["remedies"])


def _staff() -> User:
    return User.objects.create_user("staff@example.com", is_staff=True)


def test_low_follows_the_recent_usage_between_its_bounds(opened: Open, service: Api) -> None:
    """A day's usage of the last week, at least 5.00; no account gets further than 5.00 below zero."""
    rule = snapshot.current().terms("gateway").low_balance
    assert rule is not None
    assert (rule.threshold(0), rule.overshoot) == (5 * CREDIT, 5 * CREDIT)
    assert rule.threshold(700 * CREDIT) == 100 * CREDIT
    assert rule.threshold(10**6 * CREDIT) == 1_000 * CREDIT
    payer = opened("gateway", credits=1_000)
    comfort.follow_usage()
    assert comfort_of(payer) == 5 * CREDIT
    for _ in range(7):
        settled(service, placed(service, payer, "veo-3-1"), cost="10")
    usage_days.fold_all()
    comfort.follow_usage()
    assert comfort_of(payer) == 10 * CREDIT


def comfort_of(payer: Payer) -> int | None:
    return Balance.objects.get(pk=payer.account.pk).comfort_above


@pytest.mark.parametrize(
    ("invoices", "days", "volume", "limit"),
    [
        (0, 29, 10_000, 0),
        (0, 30, 99, 0),
        (0, 30, 100, 100),
        (1, 60, 500, 500),
        (1, 59, 500, 100),
        (3, 120, 2_000, 2_500),
        (6, 240, 10_000, 10_000),
        (12, 365, 49_999, 10_000),
        (12, 365, 50_000, 50_000),
    ],
)
def test_the_credit_limit_follows_the_account_s_history(
    invoices: int, days: int, volume: int, limit: int
) -> None:
    rule = snapshot.current().terms("gateway").credit_limit
    assert rule is not None
    assert rule.limit(paid_invoices=invoices, age_days=days, paid_volume=volume * CREDIT) == limit * CREDIT


def test_postpaid_generates_now_and_stops_at_its_credit_limit(opened: Open, service: Api) -> None:
    later = opened("gateway", mode="postpaid")
    credit_limits.set_override(later.account.pk, limit=3 * CREDIT, reason="Agreed", by=_staff())
    settled(service, placed(service, later, "veo-3-1"), cost="1.6")
    assert standing(later)["balance"] == "-1.6"
    reply = ask(service, later, "veo-3-1")
    assert (reply.status, reply.code) == (402, "credit_limit_reached")
    assert "−1.60 −1.60" in read(later, "/transactions")
