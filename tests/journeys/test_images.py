"""Profile images: a hold that is seen as held, settled below the estimate, the rest returned at once."""

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect
from portal_client import Portal

from tests.live import LivePortal
from tests.studio.running import StudioCalls

pytestmark = pytest.mark.e2e


def test_a_hold_is_seen_and_its_rest_returns(live_portal: LivePortal, page: Page) -> None:
    created = live_portal.manage(
        *("create_account", "--email", "images@example.com", "--password", "correct-horse-battery"),
        *("--profile", "images", "--credits", "10", "--json"),
    )
    portal = Portal(live_portal.url, created["api_key"])
    studio = StudioCalls(live_portal.studio, created["api_key"])
    sign_in(page, live_portal)
    before = portal.balance()

    asked = {"model": "seedream-4-5", "prompt": "a lighthouse", "count": 4, "simulate": "slow", "wait": False}
    job = studio.call("POST", "/v1/images/generate", asked).json
    assert Decimal(job["metadata"]["cost_estimate"]) > 0
    held = portal.balance()
    assert (held.balance, held.available + held.held) == (before.balance, before.balance)
    assert held.held == Decimal(job["metadata"]["cost_estimate"])
    page.goto(live_portal.url)
    expect(page.locator("main")).to_contain_text("held by 1 running job")

    done = studio.finished(job["id"])
    cost = Decimal(done["metadata"]["cost"])
    assert 0 < cost < held.held
    after = portal.balance()
    assert (after.balance, after.held) == (before.balance - cost, Decimal(0))
    assert (Decimal(done["cost_eur"]), Decimal(done["balance_eur"])) == (cost, after.balance)
    expect(page.locator("main")).not_to_contain_text("running job")
    assert "breaches" not in live_portal.manage("reconcile")


def sign_in(page: Page, live: LivePortal) -> None:
    page.goto(f"{live.url}/accounts/login/")
    page.get_by_label("Email").fill("images@example.com")
    page.get_by_label("Password").fill("correct-horse-battery")
    page.get_by_role("button", name="Sign in", exact=True).click()
