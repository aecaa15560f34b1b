"""Profile ``images``, rule by rule: hold and settle, the trial grant, twelve months, balance gates, refunds, tax."""

import json
from decimal import Decimal

import pytest

from billing.ledger import grants
from catalog import snapshot
from catalog.models import Profile
from tests.acceptance import images
from tests.acceptance.conftest import CREDIT, PROFILES, Open, customer
from tests.acceptance.working import ask, balance, history, placed, read, settled, standing, voided
from tests.billing.api.conftest import Api, Payer

pytestmark = pytest.mark.usefixtures("together")


@pytest.fixture
def eva(opened: Open) -> Payer:
    """20 EUR bought, 0.50 trial."""
    return opened("images", credits=20)


def test_accounts_are_in_euros_without_plans(eva: Payer) -> None:
    shown = standing(eva)
    assert (shown["unit"], shown["mode"], shown["plan"], shown["credit_price"]) == (
        "EUR",
        "prepaid",
        None,
        None,
    )
    terms = snapshot.current().terms("images")
    assert (terms.modes, terms.plans) == (("prepaid",), ())
    assert "€20.50" in read(eva, "/")


@pytest.mark.parametrize(("amount", "fields"), [("4.99", {"amount"}), ("0", {"amount"}), ("-5", {"amount"})])
def test_a_top_up_is_at_least_five_euros(eva: Payer, amount: str, fields: set[str]) -> None:
    reply = eva.api.post("/v1/topups", {"amount": amount, "currency": "EUR"})
    assert (reply.status, reply.fields) == (422, fields)
    assert "€5" in read(eva, f"/credits/quote?amount={amount}") + read(eva, "/credits/add")


def test_a_generation_holds_the_estimate_and_is_settled_at_the_actual_cost(eva: Payer, service: Api) -> None:
    charge = placed(service, eva, "seedream-4-5")
    during = standing(eva)
    assert (during["balance"], during["held"], during["available"]) == ("20.5", "0.04", "20.46")
    body = settled(service, charge, cost="0.0337")
    assert (body["metadata"]["cost"], body["returned"]) == ("0.0337", "0.0063")
    after = standing(eva)
    assert (after["balance"], after["held"], after["available"]) == ("20.4663", "0", "20.4663")
    assert history(eva)[0] == ("usage", "-0.0337")
    assert "€20.4663" in read(eva, "/transactions").replace("−", "-") or "20.4663" in read(
        eva, "/transactions"
    )


def test_the_outputs_decide_where_no_cost_is_given(eva: Payer, service: Api) -> None:
    charge = placed(service, eva, "flux-1-dev", resolution="2K")
    assert charge["metadata"]["cost_estimate"] == "0.1"
    assert settled(service, charge, outputs={"megapixels": 3.7})["metadata"]["cost"] == "0.0925"


def test_what_fails_costs_nothing(eva: Payer, service: Api) -> None:
    before = balance(eva)
    voided(service, placed(service, eva, "nano-banana-pro", resolution="4K"))
    assert (balance(eva), standing(eva)["held"]) == (before, "0")
    assert [kind for kind, _ in history(eva)].count("usage") == 0


def test_twelve_models_on_three_levels_three_of_them_budget_and_twenty_operations(opened: Open) -> None:
    document = Api().get("/v1/pricing?profile=images").body
    tiers = [model["tier"] for model in document["models"] if model["id"] != "processing"]
    assert (len(tiers), set(tiers), tiers.count("budget")) == (12, {"budget", "standard", "premium"}, 3)
    processing = next(model for model in document["models"] if model["id"] == "processing")
    assert {entry["operation"] for entry in processing["operations"]} == set(images.PROCESSING)
    assert len(images.PROCESSING) == 20
    assert all(entry["per"] == "request" and not entry["approximate"] for entry in processing["operations"])
    assert document["approximate"] is True


def test_new_accounts_get_a_trial_grant_that_staff_change_and_switch_off(opened: Open) -> None:
    assert history(opened("images")) == [("trial", "0.5")]
    assert "Trial" in read(opened("images"), "/transactions")
    for trial, expected in (
        ({"amount": "1.25", "enabled": True}, [("trial", "1.25")]),
        ({"amount": "1.25", "enabled": False}, []),
    ):
        row = Profile.objects.get(slug="images")
        row.settings = {**row.settings, "trial_grant": trial}
        row.save()
        snapshot.expire()
        assert history(opened("images")) == expected


def with_available(euros: str) -> Payer:
    """A new account with exactly so much available."""
    payer = customer("images")
    less = int((Decimal("0.5") - Decimal(euros)) * CREDIT)
    if less:
        grants.withdraw(
            account_id=payer.account.pk,
            micros=less,
            kind="adjustment",
            description="Test",
            key=f"t:{payer.account.pk}",
        )
    return payer


@pytest.mark.parametrize("resolution", ["1K", "2K", "4K"])
@pytest.mark.parametrize("model", [*images.BUDGET, "flux-1-dev", "seedream-4-5", "gpt-image-1-5"])
def test_balance_gates(service: Api, model: str, resolution: str) -> None:
    """From 0.50 everything, from 0.01 budget models up to 2K; what a gate closes says what opens it."""
    half, little = with_available("0.5"), with_available("0.49")
    assert ask(service, half, model, resolution=resolution).status == 202
    reply = ask(service, little, model, resolution=resolution)
    if model in images.BUDGET and resolution != "4K":
        assert reply.status == 202
    else:
        assert (reply.status, reply.code) == (403, "model_unavailable")
        assert "at least 0.5 EUR available" in reply.body["detail"]


def test_one_cent_opens_budget_models_and_less_opens_nothing(service: Api) -> None:
    assert ask(service, with_available("0.01"), "flux-1-schnell").status == 202
    reply = ask(service, with_available("0.009"), "flux-1-schnell")
    assert (reply.status, reply.code) == (403, "model_unavailable")
    assert "at least 0.01 EUR" in reply.body["detail"]


def test_below_the_hold_it_is_a_402(service: Api) -> None:
    reply = ask(service, with_available("0.02"), "flux-1-schnell", count=6)
    assert (reply.status, reply.code) == (402, "insufficient_credits")
    assert (reply.body["required"], reply.body["available"], reply.body["unit"]) == ("0.024", "0.02", "EUR")


def test_tax_is_the_provider_s_and_comes_on_top(eva: Payer) -> None:
    terms = snapshot.current().terms("images")
    assert (terms.tax.collected_by, terms.tax.behavior) == ("stripe", "exclusive")
    assert "Tax" in read(eva, "/credits/quote?amount=20")


def test_a_purchase_is_refundable_for_fourteen_days_as_far_as_it_is_unused() -> None:
    refunds = snapshot.current().terms("images").refunds
    assert (refunds.window_days, refunds.approval) == (14, "staff")


def test_a_result_can_be_fetched_for_an_hour() -> None:
    assert snapshot.current().terms("images").results_window == 3600


def test_every_other_profile_keeps_its_credits_for_ever() -> None:
    assert [name for name in PROFILES if snapshot.current().terms(name).validity] == ["images"]


def test_the_price_list_is_public_and_exact_text() -> None:
    document = Api().get("/v1/pricing?profile=images").body
    assert "Infinity" not in json.dumps(document)
    assert all(
        isinstance(entry["price"], str) for model in document["models"] for entry in model["operations"]
    )
