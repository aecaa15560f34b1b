"""The studio beside the portal itself, as ``manage.py up`` runs them."""

from decimal import Decimal
from typing import Any

import pytest
from portal_client import Portal

from tests.live import LivePortal
from tests.studio.running import StudioCalls

pytestmark = pytest.mark.slow

AD = {"product": "static", "headline": "Fresh bread at six"}
IMAGE: dict[str, Any] = {"model": "seedream-4-5", "prompt": "a lighthouse", "count": 2}


class Customer(StudioCalls):
    """A fresh account, its key at the studio and at the portal."""

    def __init__(self, live: LivePortal, name: str, profile: str, *options: str) -> None:
        email = f"studio-{name}@example.com"
        created = live.manage("create_account", "--email", email, "--profile", profile, *options, "--json")
        super().__init__(live.studio, created["api_key"])
        self.portal = Portal(live.url, created["api_key"])

    def history(self) -> list[tuple[str, Decimal]]:
        return [(row.type, row.amount) for row in self.portal.usage()]


@pytest.fixture(scope="module")
def ads(live_portal: LivePortal) -> Customer:
    return Customer(live_portal, "ads", "ads")


@pytest.fixture(scope="module")
def images(live_portal: LivePortal) -> Customer:
    return Customer(live_portal, "images", "images", "--credits", "10")


def test_ten_static_ads_use_up_the_welcome_bonus(live_portal: LivePortal) -> None:
    customer = Customer(live_portal, "ten", "ads")
    for _ in range(10):
        assert customer.call("POST", "/v1/ads/generate", AD).status == 202
    refused = customer.call("POST", "/v1/ads/generate", AD)
    assert (refused.status, refused.json["code"]) == (402, "insufficient_credits")
    assert (refused.json["required"], refused.json["available"], refused.json["unit"]) == ("5", "0", "credit")
    assert "add_funds" in [remedy["code"] for remedy in refused.json["remedies"]]
    assert customer.history() == [("usage", Decimal(-5))] * 10 + [("bonus", Decimal(50))]


def test_a_failed_ad_comes_back_as_a_refund(ads: Customer) -> None:
    accepted = ads.call("POST", "/v1/ads/generate", {**AD, "simulate": "failure"})
    assert accepted.json["metadata"]["cost"] == "5"
    assert ads.finished(accepted.json["id"])["balance"] == "50"
    assert ads.history() == [("refund", Decimal(5)), ("usage", Decimal(-5)), ("bonus", Decimal(50))]


def test_an_image_is_held_at_the_estimate_and_settled_below(images: Customer) -> None:
    before = images.portal.balance().balance
    accepted = images.call("POST", "/v1/images/generate", {**IMAGE, "wait": False, "simulate": "slow"}).json
    held = images.portal.balance()
    assert held.held == Decimal(accepted["metadata"]["cost_estimate"])
    assert held.available == held.balance - held.held
    job = images.finished(accepted["id"])
    assert Decimal(job["cost_eur"]) < held.held
    after = images.portal.balance()
    assert (after.held, after.balance) == (Decimal(0), Decimal(job["balance_eur"]))
    assert after.balance == before - Decimal(job["cost_eur"])
    charge = images.portal.charge(job["charge"])
    assert (charge.metadata.cost, charge.metadata.provider) == (Decimal(job["cost_eur"]), "studio")


def test_a_failed_image_is_not_charged(images: Customer) -> None:
    before = images.portal.balance().balance
    job = images.call("POST", "/v1/images/generate", {**IMAGE, "simulate": "failure"}).json
    assert (job["status"], Decimal(job["balance_eur"])) == ("failed", before)
    assert images.portal.charge(job["charge"]).status == "voided"


def test_every_operation_has_its_flat_price(images: Customer) -> None:
    made = images.call("POST", "/v1/images/generate", IMAGE).json["results"][0]["file"]
    for fields in (
        {"operation": "resize", "width": 100},
        {"operation": "crop", "width": 100, "height": 100},
        {"operation": "rotate", "degrees": 90},
        {"operation": "flip", "direction": "vertical"},
        {"operation": "convert", "format": "webp"},
    ):
        answer = images.call("POST", "/v1/images/process", {"source": made, **fields})
        assert (answer.status, answer.json["status"], answer.json["cost_eur"]) == (200, "completed", "0.001")


def test_a_closed_gate_is_the_portals_own_answer(live_portal: LivePortal) -> None:
    customer = Customer(live_portal, "gate", "images")
    budget = {"model": "flux-1-schnell", "prompt": "p"}
    assert customer.call("POST", "/v1/images/generate", budget).status == 200
    refused = customer.call("POST", "/v1/images/generate", {**budget, "model": "nano-banana-pro"})
    assert (refused.status, refused.json["code"]) == (403, "model_unavailable")


def test_a_dry_run_is_the_portals_estimate(ads: Customer) -> None:
    before = ads.history()
    answer = ads.call("POST", "/v1/ads/generate?dryRun=true", {**AD, "product": "full"})
    asked, estimated = dict(answer.json), dict(ads.portal.estimate("full").raw)
    assert asked.pop("as_of") <= estimated.pop("as_of")
    assert asked == estimated
    assert ads.history() == before
