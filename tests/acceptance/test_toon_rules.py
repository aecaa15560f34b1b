"""Profile ``toon``, rule by rule: plans, cycles, pay-per-use, derived rates, dashes, the four endpoints."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.test import Client

from accounts.errors import NoFreeSlot
from accounts.keys import create_key
from billing.ledger.models import Balance, Transaction
from billing.services import limits, modes, subscriptions
from billing.services.modes import Asked
from catalog import loader, services, snapshot
from catalog.models import AIModel
from tests.acceptance import toon
from tests.acceptance.conftest import CREDIT, Open, page
from tests.acceptance.reading import body
from tests.acceptance.working import ask, balance, history, placed, read, settled, standing
from tests.billing.api.conftest import Api, Payer
from tests.billing.ledger.conftest import at

pytestmark = pytest.mark.usefixtures("together")
START = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize("plan", toon.PLANS)
def test_a_plan_has_its_price_credits_and_keys(opened: Open, plan: str) -> None:
    name, price, credits, keys = toon.PLANS[plan]
    payer = opened("toon", plan=plan, keyed=False)
    terms = snapshot.current().terms("toon").plan(plan)
    assert terms is not None
    assert (terms.name, terms.price, terms.key_slots) == (name, int(price) * CREDIT, keys)
    assert history_of(payer) == [("plan_grant", Decimal(credits))]
    said = read(payer, "/plan")
    monthly = f"{credits} credits once at sign-up" if plan == "free" else f"{credits} credits a month"
    assert (
        f"${price} a month {monthly}".replace("$", "$ ") in said or f"${price} a month {monthly}" in said
    ), said
    assert (f"{keys} API keys" if keys else "No API keys") in said


def test_the_pricing_constants_are_in_what_the_account_pays(opened: Open) -> None:
    credits = standing(opened("toon", plan="pro", mode="subscription"))
    assert credits["unit"] == "credit"
    assert {"video-5s": "10", "video-10s": "20"}.items() <= credits["pricing"].items()
    assert "ideogram-v3-turbo" not in credits["pricing"]
    dollars = standing(opened("toon", mode="metered"))
    assert dollars["unit"] == "USD"
    assert dollars["pricing"] == {"ideogram-v3-turbo": "0.054", "nano-banana-pro": "0.121"}


def history_of(payer: Payer) -> list[tuple[str, Decimal]]:
    rows = Transaction.objects.filter(account=payer.account)
    return [(row.kind, Decimal(row.amount) / CREDIT) for row in rows]


@pytest.mark.parametrize("plan", toon.PLANS)
def test_a_plan_has_so_many_keys_and_not_one_more(opened: Open, plan: str) -> None:
    slots = toon.PLANS[plan][3]
    payer = opened("toon", plan=plan, keyed=False)
    for number in range(slots):
        create_key(account=payer.account, name=f"Key {number}", slots=slots)
    with pytest.raises(NoFreeSlot):
        create_key(account=payer.account, name="One more", slots=slots)
    if slots:
        assert f"All {slots} keys of your plan are in use" in read(payer, "/keys")


def test_plan_credits_are_set_anew_with_each_cycle(opened: Open, service: Api) -> None:
    """What is left of a cycle's credits lapses; bought ones stay."""
    at(START)
    pro = opened("toon", plan="pro", credits=25)
    settled(service, placed(service, pro, "gemini-pro", "video-10s"))
    assert balance(pro) == 305
    at(datetime(2026, 5, 1, 0, 0, 1, tzinfo=UTC))
    assert subscriptions.renew_due() >= 1
    assert balance(pro) == 325
    assert ("plan_grant", "300") in history(pro)[:2]


def test_what_free_gives_once_is_not_given_again(opened: Open) -> None:
    at(START)
    free = opened("toon", plan="free")
    at(datetime(2026, 6, 2, tzinfo=UTC))
    subscriptions.renew_due()
    assert history(free) == [("plan_grant", "10")]


@pytest.mark.parametrize(("model", "operation"), toon.DASHES)
def test_a_dash_is_refused_and_never_free(opened: Open, service: Api, model: str, operation: str) -> None:
    payer = opened("toon", plan="business")
    for reply in (
        ask(service, payer, model, operation),
        payer.api.post("/v1/estimate", {"model": model, "operation": operation, "parameters": {}}),
    ):
        assert (reply.status, reply.code) == (422, "not_offered")
        assert "Gemini Pro" in reply.body["detail"]
    models = Api().get("/v1/pricing?profile=toon").body["models"]
    offered = next(entry["operations"] for entry in models if entry["id"] == model)
    assert operation not in {entry["operation"] for entry in offered}
    assert history(payer) == [("plan_grant", "700")]


def test_a_dash_is_shown_as_one(opened: Open) -> None:
    said = body(page(Client(), "/pricing?profile=toon"))
    assert "Nano Banana 2 2 credits / image $0.32 2 credits / image $0.32 2 credits / image $0.32 – –" in said


def test_metered_models_are_not_sold_for_credits_nor_the_other_way_round(opened: Open, service: Api) -> None:
    planned, metered = opened("toon", plan="business"), opened("toon", mode="metered")
    assert ask(service, planned, "midjourney-v7").code == "not_offered"
    assert ask(service, metered, "gemini-pro", "relight").code == "not_offered"


def test_pay_per_use_is_switched_on_and_charged_per_operation_under_a_limit(
    opened: Open, service: Api
) -> None:
    payer = opened("toon", plan="pro")
    modes.switch(payer.account.pk, Asked(mode="metered", limit=1 * CREDIT))
    payer.account.refresh_from_db()
    assert (payer.account.mode, payer.account.unit) == ("metered", "USD")
    settled(service, placed(service, payer, "midjourney-v7", count=3))
    assert history(payer)[0] == ("usage", "-0.972")
    reply = ask(service, payer, "seedream-4-5")
    assert (reply.status, reply.code) == (402, "spending_limit_reached")
    assert "raise_limit" in {way["code"] for way in reply.body["remedies"]}


def test_a_limit_at_its_highest_names_no_way_to_raise_it(opened: Open, service: Api) -> None:
    payer = opened("toon", mode="metered")
    for limit, ways in ((9_999, ["raise_limit"]), (10_000, [])):
        limits.set_spending_limit(payer.account.pk, limit * CREDIT)
        month = datetime.now(UTC).date().replace(day=1)
        Balance.objects.filter(pk=payer.account.pk).update(spend_accepted=limit * CREDIT, spend_month=month)
        reply = ask(service, payer, "midjourney-v7")
        assert (reply.status, reply.code) == (402, "spending_limit_reached")
        assert [way["code"] for way in reply.body["remedies"]] == ways


def test_the_dashboard_switches_pay_per_use_on(opened: Open) -> None:
    said = read(opened("toon", plan="pro"), "/plan")
    assert "Pay-per-use" in said or "pay per use" in said.lower(), said


@pytest.mark.parametrize("model", toon.DERIVED)
def test_a_rate_is_provider_cost_times_one_point_eight_half_up(model: str) -> None:
    cost, rate = toon.DERIVED[model]
    row = AIModel.objects.get(profile_id="toon", slug=model)
    assert row.provider_cost == Decimal(cost)
    steps, rest = divmod(Decimal(cost) * Decimal("1.8"), Decimal("0.001"))
    assert Decimal(rate) == (steps + (rest >= Decimal("0.0005"))) * Decimal("0.001")


@pytest.mark.parametrize(
    ("cost", "rate"),
    [("0.0375", "0.068"), ("0.0502", "0.09"), ("0.05027", "0.09"), ("0.05028", "0.091"), ("1.2345", "2.222")],
)
def test_rates_follow_a_cost_that_changes(opened: Open, service: Api, cost: str, rate: str) -> None:
    """0.05027 × 1.8 = 0.090486 is 0.090; 0.05028 × 1.8 = 0.090504 is 0.091; 0.0375 × 1.8 = 0.0675 is a half and goes up."""
    payer = opened("toon", mode="metered")
    before = placed(service, payer, "seedream-4-5")
    model = AIModel.objects.get(profile_id="toon", slug="seedream-4-5")
    assert len(services.change_provider_cost(model, Decimal(cost))) == 1
    snapshot.expire()
    assert placed(service, payer, "seedream-4-5")["metadata"]["cost_estimate"] == rate
    listed = Api().get("/v1/pricing?profile=toon").body["models"]
    model_ = next(entry for entry in listed if entry["id"] == "seedream-4-5")
    assert rate in {entry["price"] for entry in model_["operations"]}
    assert settled(service, before)["metadata"]["cost"] == "0.061"  # as it was when it was authorized


def test_a_model_that_is_added_gets_its_rate(opened: Open, service: Api, tmp_path: Path) -> None:
    text = loader.find("toon").read_text() + (
        '\n[[model]]\nid = "brand-new"\nname = "Brand New"\nprovider_cost = 0.0475\n'
        'prices = [{ operation = "generate", price_list = "metered", derived = true }]\n'
    )
    services.store_profile(loader.parse(text, "toon.toml"))
    snapshot.expire()
    payer = opened("toon", mode="metered")
    assert placed(service, payer, "brand-new", count=2)["metadata"]["cost_estimate"] == "0.172"
    assert "Brand New $0.086 / image" in body(page(Client(), "/pricing?profile=toon"))


def raw(payer: Payer, path: str) -> str:
    return Client().get(path, headers={"Authorization": f"Bearer {payer.key}"}).content.decode()


def test_the_four_endpoints_to_the_letter(opened: Open, service: Api) -> None:
    at(START)
    pro = opened("toon", plan="pro")
    settled(service, placed(service, pro, "gemini-pro", "relight", count=71))
    assert raw(pro, "/api/credits/balance").replace(" ", "") == '{"balance":87}'
    assert pro.api.get("/api/subscription").body == {
        "plan": "pro",
        "status": "active",
        "creditsRemaining": 87,
        "currentPeriodEnd": "2026-05-01T00:00:00.000Z",
    }
    metered = opened("toon", mode="metered")
    assert pro.api.post("/api/spending-limit", {"limitCents": 5000}).body == {
        "limitCents": 5000,
        "updated": True,
    }
    assert metered.api.post("/api/spending-limit", {"limitCents": 7001}).body == {
        "limitCents": 7001,
        "updated": True,
    }
    assert raw(metered, "/api/spending-limit").replace(" ", "") == '{"limitCents":7001}'
    assert standing(metered)["spending_limit"]["limit"] == "70.01"


def test_the_limit_stops_at_the_cent(opened: Open, service: Api) -> None:
    metered = opened("toon", mode="metered")
    metered.api.post("/api/spending-limit", {"limitCents": 33})
    settled(service, placed(service, metered, "midjourney-v7"))
    assert ask(service, metered, "ideogram-v3-turbo").code == "spending_limit_reached"
