"""Pages in a real browser: axe finds nothing, nothing spills over, nothing breaks the policy, the keyboard works."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test.utils import override_settings
from playwright.sync_api import BrowserContext, Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from accounts.keys import create_key
from accounts.models import BillingAccount, User
from billing import sample
from billing.ledger.models import Transaction
from billing.services import key_limits, limit_notices, limits
from billing.services.accounts import open_account
from tests.billing.views.conftest import work
from tests.pages.browsing import PHONE, WIDE, context_for, open_browser, session_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("chromium"),
]

LOOKS: tuple[tuple[Literal["light", "dark"], ViewportSize], ...] = (
    ("light", WIDE),
    ("dark", WIDE),
    ("light", PHONE),
    ("dark", PHONE),
)
RULES = {
    "resultTypes": ["violations"],
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    },
}
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


@dataclass
class Site:
    """A running portal with one busy and one new account."""

    url: str
    busy: str
    fresh: str
    story: str
    key_limit: str


PagesOf = Callable[[Site], tuple[str | None, tuple[str, ...]]]


@pytest.fixture
def site(ads: None, live_server: LiveServer) -> Site:
    account, _ = sample.create("sample-password")[:2]
    work(account, 5, settle_now=False)
    newcomer = User.objects.create_user("new@example.com", "correct horse battery")
    open_account(name="Fresh", email=newcomer.email, user=newcomer, profile="ads")
    limited, _ = create_key(account=account, name="Production")
    key_limits.set_limits(limited, monthly=5_000_000, budget=50_000_000)
    limits.set_spending_limit(account.pk, 1_000_000_000, mode="alert")
    limit_notices.sweep()
    story = Transaction.objects.filter(account=account, kind="usage").latest("seq")
    return Site(
        live_server.url,
        session_of(_owner(account)),
        session_of(newcomer),
        f"/transactions/{story.public_id}",
        f"/keys/{limited.public_id}/limit",
    )


def _owner(account: BillingAccount) -> User:
    return User.objects.get(memberships__account=account)


def of_nobody(site: Site) -> tuple[None, tuple[str, ...]]:
    return None, (
        "/pricing",
        "/pricing/estimate?model=full&operation=generate",
        "/accounts/login/",
        "/accounts/signup/",
        "/accounts/password/reset/",
        "/nothing/here",
    )


def of_the_busy(site: Site) -> tuple[str, tuple[str, ...]]:
    return site.busy, (
        "/",
        "/transactions",
        "/credits/add",
        "/auto-recharge",
        "/usage",
        "/usage?group=key&period=90d",
        "/limits",
        "/credits",
        "/statements",
        "/balance/changes",
        "/invoices",
        site.key_limit,
        "/plan",
        "/pricing",
        "/pricing/estimate?p_count=-3",
        "/keys",
        "/team",
        "/settings",
        "/settings/close",
        site.story,
    )


def of_the_new(site: Site) -> tuple[str, tuple[str, ...]]:
    return site.fresh, ("/", "/usage", "/transactions?q=x", "/keys", "/settings/close")


@pytest.mark.parametrize("pages", [of_the_busy, of_nobody, of_the_new])
def test_axe_finds_nothing_and_nothing_spills_over(site: Site, pages: PagesOf) -> None:
    session, paths = pages(site)
    found: list[str] = []
    with open_browser() as browser:
        context = context_for(browser, site.url, session)
        for path in paths:
            found += faults(context, site.url + path)
    assert found == []


def test_the_dialog_and_an_open_story_are_accessible_too(site: Site) -> None:
    found: list[str] = []
    with open_browser() as browser:
        for theme in ("light", "dark"):
            page = context_for(browser, site.url, site.busy, theme=theme).new_page()
            page.goto(site.url)
            page.get_by_role("link", name="Add credits").click()
            page.locator("#add-credits[open]").wait_for()
            found += violations(page)
            page.goto(f"{site.url}/transactions")
            page.locator(".txn-link").first.click()
            page.get_by_text("What happened").wait_for()
            found += violations(page)
    assert found == []


def test_the_total_follows_the_typing_and_escape_closes_the_dialog(site: Site) -> None:
    with open_browser() as browser:
        page = context_for(browser, site.url, site.busy).new_page()
        page.goto(site.url)
        page.get_by_role("link", name="Add credits").focus()
        page.keyboard.press("Enter")
        page.locator("#add-credits[open]").wait_for()
        page.get_by_label("Or your own").fill("60")
        page.get_by_role("button", name="Pay $60.00").wait_for()
        assert page.locator(".preset input:checked").count() == 0
        page.keyboard.press("Escape")
        page.locator("#add-credits").wait_for(state="hidden")


@pytest.mark.parametrize("slow", [False, True], ids=["answered", "under way"])
def test_the_first_click_pays_an_amount_somebody_typed(site: Site, slow: bool) -> None:
    with open_browser() as browser:
        page = context_for(browser, site.url, site.busy).new_page()
        page.goto(f"{site.url}/credits/add")
        with page.expect_response("**/credits/quote?*") as quoted:
            page.get_by_label("Or your own").fill("60")
        assert "csrf" not in quoted.value.url
        button = page.get_by_role("button", name="Pay $60.00")
        button.wait_for()
        if slow:
            page.route("**/credits/quote?*", lambda route: None)
        page.route("**/credits/add", lambda route: route.fulfill(status=422, body="stopped here"))
        box = button.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        # Leaving the field asks for the total once more, between the two halves of the click.
        with page.expect_request("**/credits/quote?*") as asked:
            page.mouse.down()
        if not slow:
            asked.value.response()
            page.wait_for_timeout(100)
        with page.expect_request(lambda request: request.method == "POST", timeout=3_000) as paid:
            page.mouse.up()
        assert "shown=60" in (paid.value.post_data or "")


def test_filters_live_in_the_url_and_back_works(site: Site) -> None:
    with open_browser() as browser:
        page = context_for(browser, site.url, site.busy).new_page()
        page.goto(f"{site.url}/transactions")
        page.get_by_role("navigation", name="Type of transaction").get_by_text("Top-ups").click()
        page.wait_for_url("**/transactions?type=topups")
        assert set(page.locator("#transaction-rows .kind").all_inner_texts()) == {"Top-up"}
        page.keyboard.press("/")
        page.keyboard.type("nothing like this")
        page.get_by_text("Nothing matches").wait_for()
        assert "q=nothing" in page.url
        page.go_back()
        page.wait_for_url("**/transactions?type=topups")
        page.locator("#transaction-rows .txn").first.wait_for()
        assert page.locator("#id_q").input_value() == ""
        rows = page.locator(".txn").count()
        page.get_by_role("navigation", name="Type of transaction").get_by_text("All").click()
        page.get_by_role("link", name="Load more").click()
        page.locator("#transaction-rows .txn").nth(50).wait_for()
        assert page.locator(".txn").count() > rows


def test_the_theme_button_works_without_a_page_load(site: Site) -> None:
    with open_browser() as browser:
        page = context_for(browser, site.url, site.busy).new_page()
        page.goto(site.url)
        light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        page.get_by_role("button", name="Theme", exact=True).click()
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != light
        page.reload()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_everything_is_reachable_without_scripts(site: Site) -> None:
    with open_browser() as browser:
        context = browser.new_context(java_script_enabled=False)
        context.add_cookies([{"name": "sessionid", "value": site.busy, "url": site.url}])
        page = context.new_page()
        page.goto(site.url)
        page.get_by_role("link", name="Add credits").click()
        page.wait_for_url("**/credits/add")
        page.get_by_label("Or your own").fill("60")
        page.get_by_role("button", name="Pay $25.00").click()
        page.get_by_text("The amount has changed.").wait_for()
        page.get_by_role("button", name="Pay $60.00").wait_for()
        page.goto(f"{site.url}/transactions")
        page.locator(".txn-link").first.click()
        page.get_by_role("heading", name="What happened").wait_for()
        page.get_by_role("button", name="Theme").count()


def faults(context: BrowserContext, url: str) -> list[str]:
    """What is wrong with a page: axe's findings and sideways scrolling in each look, messages in the console."""
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    wrong: list[str] = []
    for theme, size in LOOKS:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        page.set_viewport_size(size)
        page.evaluate(DRAWN)
        found = violations(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{url} scrolls sideways")
        wrong += [f"{theme}, {size['width']} px: {fault}" for fault in found]
    wrong += [f"{url} says {text}" for text in said if "404" not in text]
    page.close()
    return wrong


def violations(page: Page) -> list[str]:
    """axe's findings, each with where it is."""
    answer = Axe().run(page, options=RULES).response
    return [
        f"{page.url} {violation['id']}: {[node['target'] for node in violation['nodes'][:3]]}"
        for violation in answer["violations"]
    ]


@pytest.fixture(autouse=True)
def _as_a_browser_needs_it() -> object:
    with override_settings(STRIPE_SIMULATED=True):
        yield
