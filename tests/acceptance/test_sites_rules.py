"""Profile ``sites``, rule by rule: plans and gates, the relaxed queue, whole sites by phases, confirmation, free actions."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from billing.services import plan_changes, subscriptions
from catalog import snapshot
from tests.acceptance import sites
from tests.acceptance.conftest import CREDIT, Open, page
from tests.acceptance.figures import Figure
from tests.acceptance.reading import body
from tests.acceptance.working import ask, balance, history, placed, read, settled, standing, voided
from tests.billing.api.conftest import Api, Payer
from tests.billing.ledger.conftest import at

pytestmark = pytest.mark.usefixtures("together")
RANKS = ("basic", "pro", "premium")
START = datetime(2027, 1, 31, 10, tzinfo=UTC)
GATED = [figure for figure in sites.FIGURES if figure.plan]


@pytest.fixture
def premium(opened: Open) -> Payer:
    return opened("sites", plan="premium")


def test_basic_is_below_pro_is_below_premium() -> None:
    plans = snapshot.current().terms("sites").plans
    assert tuple(plan.slug for plan in sorted(plans, key=lambda plan: plan.rank)) == RANKS


def test_basic_has_1500_credits_and_two_full_sites_a_month(opened: Open) -> None:
    basic = opened("sites", plan="basic")
    assert history(basic) == [("plan_grant", "1500")]
    said = read(basic, "/plan")
    assert "1,500 credits a month" in said
    assert "2 full sites a month" in said
    models = Api().get("/v1/pricing?profile=sites").body["models"]
    site = next(model for model in models if model["id"] == "site")
    assert site["operations"][0]["monthly_limit"]["plans"]["basic"] == 2


def test_a_new_account_starts_on_basic(opened: Open) -> None:
    assert opened("sites").account.plan == "basic"


def test_the_third_full_site_of_a_month_is_refused_until_the_next_cycle(opened: Open, service: Api) -> None:
    """One that failed does not count."""
    with time_machine.travel(START, tick=False):
        at(START)
        basic = opened("sites", plan="basic", credits=5_000)
        voided(service, placed(service, basic, "site"))
        for _ in range(2):
            settled(service, placed(service, basic, "site"))
        reply = ask(service, basic, "site")
        assert (reply.status, reply.code) == (403, "model_unavailable")
        assert "2 full sites a month" in reply.body["detail"]
        assert "Pro includes 6" in reply.body["detail"]
        assert reply.body["opens"] == {"plan": "pro", "resets_at": "2027-02-28T10:00:00Z"}
    after = datetime(2027, 2, 28, 10, 0, 1, tzinfo=UTC)
    with time_machine.travel(after, tick=False):
        at(after)
        subscriptions.renew_due()
        assert ask(service, basic, "site").status == 202


@pytest.mark.parametrize("figure", GATED, ids=str)
def test_a_gate_is_closed_below_its_plan_and_names_it(opened: Open, service: Api, figure: Figure) -> None:
    needed = RANKS.index(figure.plan)
    for rank, plan in list(enumerate(RANKS))[needed - 1 : needed + 1]:
        payer = opened("sites", plan=plan, credits=2_000)
        reply = ask(service, payer, figure.model, figure.operation, **figure.parameters)
        if rank >= needed:
            assert reply.status == 202, (plan, reply.body)
            continue
        assert (reply.status, reply.code) == (403, "model_unavailable")
        assert figure.plan.title() in reply.body["detail"]
        asked = {"model": figure.model, "operation": figure.operation, "parameters": dict(figure.parameters)}
        assert figure.plan.title() in payer.api.post("/v1/estimate", asked).body["closed"]


def test_gates_are_shown_as_plans_and_above() -> None:
    said = body(page(Client(), "/pricing?profile=sites"))
    assert "Flux Pro 16 credits / image Pro+" in said
    assert "20 credits / image Premium" in said


@pytest.mark.parametrize("queue_resolution", [("hd", "720p")])
def test_what_the_list_does_not_name_is_not_offered(
    premium: Payer, service: Api, queue_resolution: tuple[str, str]
) -> None:
    queue, resolution = queue_resolution
    reply = ask(service, premium, "veo-3-1", seconds=8, queue=queue, resolution=resolution)
    assert (reply.status, reply.code) == (422, "not_offered")


def test_the_relaxed_queue_is_about_forty_percent_cheaper_and_approximate(
    premium: Payer, service: Api
) -> None:
    asked = {"model": "veo-3-1", "operation": "generate", "parameters": {"seconds": 8, "queue": "relaxed"}}
    shown = premium.api.post("/v1/estimate", asked).body
    assert (shown["approximate"], shown["cost_estimate"]) == (True, "150")
    low, high = Decimal(shown["range"]["low"]), Decimal(shown["range"]["high"])
    assert low < Decimal(256) * Decimal("0.6") == high
    charge = placed(service, premium, "veo-3-1", seconds=8, queue="relaxed")
    assert settled(service, charge, cost="153.6")["metadata"]["cost"] == "153.6"
    said = body(page(Client(), "/pricing?profile=sites"))
    assert "relaxed queue ≈ 18.75" in said


def test_unused_credits_do_not_roll_over(opened: Open, service: Api) -> None:
    at(START)
    basic = opened("sites", plan="basic")
    settled(service, placed(service, basic, "gemini-2-5-flash"))
    assert balance(basic) == 1492
    at(datetime(2027, 2, 28, 10, 0, 1, tzinfo=UTC))
    subscriptions.renew_due()
    assert balance(basic) == 1500


def test_an_upgrade_within_the_cycle_carries_them_along(opened: Open, service: Api) -> None:
    at(START)
    basic = opened("sites", plan="basic")
    settled(service, placed(service, basic, "seedream-4-5", count=10))
    at(datetime(2027, 2, 10, tzinfo=UTC))
    plan_changes.change(basic.account.pk, "pro", arranged=True)
    assert balance(basic) == 1500 - 180 + 4500


PHASES = ["hero-image", "motion-video", "html-assembly", "frame-extraction"]


def test_a_full_site_is_a_range_with_a_line_for_each_phase(premium: Payer) -> None:
    shown = premium.api.post(
        "/v1/estimate", {"model": "site", "operation": "generate", "parameters": {}}
    ).body
    assert shown["range"] == {"low": "400", "high": "600"}
    assert [(line["what"], line["amount"]) for line in shown["lines"]] == [
        ("Hero image HD", "60"),
        ("Motion video, 8 s 1080p", "256"),
        ("HTML assembly", "8"),
        ("Frame extraction", "0"),
        ("Further images and second tries", "276"),
    ]
    assert "≈ approximately 400–600 credits" in body(page(Client(), "/pricing?profile=sites"))


def done(*without: str, **more: Any) -> dict[str, Any]:
    """A report in which every phase but these succeeded."""
    phases: list[dict[str, Any]] = [{"id": phase} for phase in PHASES if phase not in without]
    phases += [{"id": phase, "status": "failed"} for phase in without]
    return {"phases": [*phases, *more.get("extra", [])]}


@pytest.mark.parametrize(
    ("outputs", "cost"),
    [
        ({}, "324"),
        (done(), "324"),
        (done("motion-video"), "68"),
        (done("hero-image"), "264"),
        (done("hero-image", "motion-video"), "8"),
        (done(*PHASES), "0"),
        ({"phases": []}, "0"),
        ({"phases": [{"id": "hero-image", "hero_model": "seedream-4-5", "hero_resolution": "HD"}]}, "20"),
        ({"phases": [{"id": "hero-image", "hero_model": "nano-banana-pro", "hero_resolution": "4K"}]}, "60"),
        ({"phases": {"motion-video": {"seconds": 5.5}}}, "176"),
        ({"phases": {"html-assembly": {"tokens": 9731}}}, "9.731"),
        (done(extra=[{"id": "further-images", "cost": "116"}]), "440"),
    ],
)
def test_a_site_pays_for_the_phases_that_are_done(
    premium: Payer, service: Api, outputs: dict[str, Any], cost: str
) -> None:
    before = balance(premium)
    charge = placed(service, premium, "site")
    assert charge["hold"] == "600"
    assert settled(service, charge, outputs=outputs)["metadata"]["cost"] == cost
    assert before - balance(premium) == Decimal(cost)
    lines = premium.api.get(f"/v1/charges/{charge['id']}").body["lines"]
    assert sum(Decimal(line["amount"]) for line in lines) == Decimal(cost)
    assert len(lines) >= len(PHASES)


def test_a_failed_phase_is_a_line_of_its_own_on_the_page(premium: Payer, service: Api) -> None:
    settled(service, placed(service, premium, "site"), outputs=done("motion-video"))
    line = premium.api.get("/v1/usage").body["data"][0]
    said = read(premium, f"/transactions/{line['id']}")
    assert "Motion video, 8 s 1080p (failed, not charged)" in said
    assert "HTML assembly" in said


def test_a_full_regeneration_asks_first_with_what_it_would_cost(premium: Payer, service: Api) -> None:
    reply = ask(service, premium, "site", "full-regeneration")
    assert (reply.status, reply.code) == (409, "confirmation_required")
    assert reply.body["range"] == {"low": "400", "high": "600"}
    assert standing(premium)["held"] == "0"
    confirmed = placed(service, premium, "site", "full-regeneration", confirm=True)
    assert confirmed["status"] == "authorized"
    assert "asks before it runs" in body(page(Client(), "/pricing?profile=sites"))


def test_only_the_fallback_needs_a_confirmation() -> None:
    models = Api().get("/v1/pricing?profile=sites").body["models"]
    asking = [
        (model["id"], entry["operation"])
        for model in models
        for entry in model["operations"]
        if entry["confirmation"]
    ]
    assert asking == [("site", "full-regeneration")]


@pytest.mark.parametrize("action", sites.FREE_ACTIONS)
def test_free_actions_are_recorded_at_nothing_even_without_a_credit(
    opened: Open, service: Api, action: str
) -> None:
    basic = opened("sites", plan="basic")
    settled(service, placed(service, basic, "gemini-2-5-flash", count=100))
    settled(service, placed(service, basic, "gemini-2-5-flash", count=87))
    assert balance(basic) == Decimal(4)
    settled(service, placed(service, basic, "image-tools", "upscale"))
    charge = placed(service, basic, "site", action)
    assert settled(service, charge)["metadata"]["cost"] == "0"
    assert history(basic)[0] == ("usage", "0")
    assert balance(basic) == 0
    assert "Free" in body(page(Client(), "/pricing?profile=sites"))


def test_what_is_free_cannot_be_charged_all_the_same(opened: Open, service: Api) -> None:
    basic = opened("sites", plan="basic")
    charge = placed(service, basic, "site", "inline-text-edit")
    refused = service.post(f"/v1/charges/{charge['id']}/settle", {"cost": "5"})
    assert (refused.status, refused.code) == (422, "invalid_request")
    assert refused.body["errors"] == [{"field": "cost", "message": "must be 0: this is free"}]
    assert service.post(f"/v1/charges/{charge['id']}/settle", {"cost": "0"}).status == 200
    assert balance(basic) == 1500


def test_seven_actions_are_free() -> None:
    models = Api().get("/v1/pricing?profile=sites").body["models"]
    free = [entry["operation"] for model in models for entry in model["operations"] if entry["free"]]
    assert sorted(free) == sorted(sites.FREE_ACTIONS)
    assert len(free) == 7


def test_the_default_image_model_is_open_to_all_plans() -> None:
    models = Api().get("/v1/pricing?profile=sites").body["models"]
    assert (models[0]["id"], models[0]["operations"][0]["requires"]) == ("seedream-4-5", None)
    assert "default" in models[0]["description"]


def test_prices_and_the_other_two_allowances_are_marked_as_examples() -> None:
    plans = snapshot.current().terms("sites").plans
    assert all(plan.example for plan in plans)
    assert all(plan.price >= CREDIT for plan in plans)
