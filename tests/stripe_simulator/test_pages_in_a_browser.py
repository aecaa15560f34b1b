"""The hosted pages as a person uses them: by labels and buttons; axe finds nothing wrong."""

from collections.abc import Iterator

import pytest
import stripe
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.test_checkout import page_of, start

pytestmark = pytest.mark.e2e


@pytest.fixture
def browser_page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 390, "height": 800})
        browser.close()


def clean(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def fill(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")


def test_a_customer_is_declined_then_authenticates_and_has_paid(
    simulator: Simulator, client: stripe.StripeClient, browser_page: Page
) -> None:
    done = f"{simulator.base_url}/receipts/none?session={{CHECKOUT_SESSION_ID}}"
    session = start(client, success_url=done)
    browser_page.goto(page_of(session))
    clean(browser_page)
    browser_page.get_by_label("E-mail").fill("ada@example.com")
    fill(browser_page, "4000000000000002")
    browser_page.get_by_role("button", name="Pay $25.00").click()
    expect(browser_page.get_by_role("alert")).to_have_text("Your card was declined.")
    expect(browser_page.get_by_label("E-mail")).to_have_value("ada@example.com")
    clean(browser_page)
    fill(browser_page, "4000002760003184")
    browser_page.get_by_role("button", name="Pay $25.00").click()
    clean(browser_page)
    browser_page.get_by_role("button", name="Complete").click()
    browser_page.wait_for_url(f"**?session={session.id}")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_saved_card_pays_without_typing(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer, browser_page: Page
) -> None:
    client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    allowed = {"allow_redisplay_filters": ["unspecified"]}
    done = f"{simulator.base_url}/receipts/none?session={{CHECKOUT_SESSION_ID}}"
    session = start(client, customer=customer.id, saved_payment_method_options=allowed, success_url=done)
    browser_page.goto(page_of(session))
    clean(browser_page)
    expect(browser_page.get_by_label("Card number")).to_be_hidden()
    browser_page.get_by_label("Another card").check()
    expect(browser_page.get_by_label("Card number")).to_be_visible()
    browser_page.get_by_label("Visa ending in 4242").check()
    browser_page.get_by_role("button", name="Pay $25.00").click()
    browser_page.wait_for_url(f"**?session={session.id}")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
