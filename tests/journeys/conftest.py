"""A browser beside the whole portal as real processes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from tests.live import LivePortal
from tests.stripe_types.checker import check_object, check_request
from tests.studio.running import wait_until


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(20_000)
        yield page
        browser.close()


@dataclass(frozen=True)
class SimulatedStripe:
    """The stand-in's control interface."""

    url: str

    def set(self, path: str, **values: object) -> None:
        httpx.post(f"{self.url}/_sim/{path}", json=values).raise_for_status()

    def get(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = httpx.get(f"{self.url}/_sim/{path}").raise_for_status().json()
        return rows

    def delivered(self, kind: str) -> int:
        """How often an event of this kind was delivered and accepted."""
        return len(self.get(f"deliveries?state=delivered&type={kind}"))


@pytest.fixture
def stripe(live_portal: LivePortal) -> Iterator[SimulatedStripe]:
    """Stripe's stand-in; at the end everything that passed over the wire is held to the SDK's types."""
    stripe = SimulatedStripe(live_portal.stripe)
    yield stripe
    stripe.set("webhooks", copies=1)
    wrong: list[str] = []
    for entry in stripe.get("log"):
        wrong += check_request(entry["method"], entry["path"], entry["form"]) + check_object(entry["body"])
    assert not wrong


def sign_up(page: Page, portal: LivePortal, email: str) -> None:
    """Create an account with the form, follow the link in the mail, sign in."""
    page.goto(f"{portal.url}/accounts/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("correct-horse-battery")
    page.get_by_role("button", name="Create account").click()
    page.goto(wait_until(lambda: link_in_mail(portal.data / "mail", email, "confirm-email"), what="the mail"))
    page.get_by_role("button", name="Confirm").click()
    if "/login" in page.url:
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill("correct-horse-battery")
        page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(portal.url)


def link_in_mail(folder: Path, to: str, part: str) -> str | None:
    """The first link with this part in a mail to this address."""
    for mail in folder.glob("*") if folder.exists() else ():
        text = mail.read_text().replace("=\n", "").replace("=3D", "=")
        if to in text and (found := re.search(rf"http://\S*{part}\S*", text)):
            return found[0].rstrip('">')
    return None


def pay_by_card(page: Page, button: str, number: str = "4242424242424242") -> None:
    """Fill the hosted page as a customer does."""
    if page.get_by_label("E-mail").is_visible():
        page.get_by_label("E-mail").fill("card@example.com")
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")
    page.get_by_role("button", name=button).click()
