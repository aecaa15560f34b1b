"""Profile ads, the whole story: from signing up to a reconciled ledger, in a browser, on real processes."""

from decimal import Decimal

import pytest
from playwright.sync_api import Page, expect
from portal_client import Portal

from tests.journeys.conftest import SimulatedStripe, pay_by_card, sign_up
from tests.live import LivePortal
from tests.studio.running import StudioCalls, wait_until

pytestmark = pytest.mark.e2e
AD = {"product": "static", "headline": "Fresh bread at six"}


def test_from_sign_up_to_a_refund(live_portal: LivePortal, stripe: SimulatedStripe, page: Page) -> None:
    sign_up(page, live_portal, "journey@example.com")
    expect(page.locator("main")).to_contain_text("50 credits")
    key = make_key(page, live_portal)
    portal, studio = Portal(live_portal.url, key), StudioCalls(live_portal.studio, key)
    assert [(row.type, row.amount) for row in portal.usage()] == [("bonus", Decimal(50))]

    spend_the_bonus(studio, portal)
    read_the_history(page, live_portal)
    be_refused(studio)
    top_up(page, live_portal, stripe, portal)
    switch_auto_recharge_on(page, live_portal)
    recharge_inside_a_request(studio, portal)
    fail_and_be_refunded(page, live_portal, studio)

    assert "breaches" not in live_portal.manage("reconcile")


def make_key(page: Page, portal: LivePortal) -> str:
    page.goto(f"{portal.url}/keys")
    page.get_by_role("link", name="Create key").first.click()
    page.get_by_label("Name").fill("Production")
    page.get_by_role("button", name="Create key").click()
    return page.locator("#key-text").inner_text().strip()


def spend_the_bonus(studio: StudioCalls, portal: Portal) -> None:
    jobs = [studio.call("POST", "/v1/ads/generate", AD).json["id"] for _ in range(10)]
    for job in jobs:
        assert len(studio.finished(job)["results"]) == 2
    assert portal.balance().balance == 0


def read_the_history(page: Page, portal: LivePortal) -> None:
    page.goto(f"{portal.url}/transactions")
    rows = page.locator("tbody tr").filter(has_text="Usage")
    expect(rows).to_have_count(10)
    expect(page.locator("tbody tr").filter(has_text="Bonus")).to_have_count(1)
    for number in range(10):
        story = rows.nth(number).get_by_role("link").first.get_attribute("href")
        told = page.request.get(f"{portal.url}{story}").text()
        assert "Static" in told
        assert "Paid from" in told
        assert "Bonus" in told, "the grant that paid for it is named"


def be_refused(studio: StudioCalls) -> None:
    refused = studio.call("POST", "/v1/ads/generate", AD)
    assert (refused.status, refused.json["code"]) == (402, "insufficient_credits")
    assert {way["code"] for way in refused.json["remedies"]} >= {"add_funds", "enable_auto_recharge"}


def top_up(page: Page, live: LivePortal, stripe: SimulatedStripe, portal: Portal) -> None:
    """25 USD in the hosted checkout are 250 credits once, though each event arrives three times."""
    stripe.set("webhooks", copies=3, shuffle=True)
    page.goto(f"{live.url}/credits/add")
    page.get_by_role("button", name="Pay $25.00").click()
    pay_by_card(page, "Pay $25.00")
    expect(page.get_by_text("250 credits added")).to_be_visible()
    for kind in ("checkout.session.completed", "payment_intent.succeeded"):
        three_times(stripe, kind)
    assert portal.balance().balance == 250
    assert [row.type for row in portal.usage()].count("topup") == 1


def three_times(stripe: SimulatedStripe, kind: str) -> None:
    wait_until(lambda: stripe.delivered(kind) >= 3 or None, what=f"three deliveries of {kind}")


def switch_auto_recharge_on(page: Page, live: LivePortal) -> None:
    def card_is_saved() -> bool:
        page.goto(f"{live.url}/auto-recharge")
        return page.get_by_text("Visa •••• 4242").first.is_visible()

    wait_until(lambda: card_is_saved() or None, what="the card of the checkout to be saved")
    page.locator("label", has_text="Auto-recharge").first.click()
    expect(page.locator("#sentence")).to_contain_text("drops below 20 credits")
    page.get_by_role("button", name="Save").click()
    page.reload()
    expect(page.get_by_role("switch")).to_be_checked()


def recharge_inside_a_request(studio: StudioCalls, portal: Portal) -> None:
    """47 ads leave 15 credits, below the threshold: the card is charged before the next one is processed, once."""
    for _ in range(48):
        assert studio.call("POST", "/v1/ads/generate", AD).status == 202
    newest = [(row.type, row.amount) for row in portal.usage()][:3]
    assert newest == [("usage", Decimal(-5)), ("auto_recharge", Decimal(250)), ("usage", Decimal(-5))]
    assert portal.balance().balance == 250 + 250 - 48 * 5


def fail_and_be_refunded(page: Page, live: LivePortal, studio: StudioCalls) -> None:
    accepted = studio.call("POST", "/v1/ads/generate", {**AD, "simulate": "failure"})
    path = f"/v1/jobs/{accepted.json['id']}"
    wait_until(
        lambda: studio.call("GET", path).json["status"] == "failed" or None,
        what="the failed job",
        seconds=120,
    )
    page.goto(f"{live.url}/transactions")
    expect(page.locator("tbody tr").first).to_contain_text("Refund")
    expect(page.locator("tbody tr").first).to_contain_text("+5")
