"""Every page of billing: whole, under the strict policy, for members only, in the chosen colours."""

import re

import pytest
from django.template import Context
from django.template.loader import get_template
from django.test import Client

from accounts.models import BillingAccount, User
from billing.ledger.models import Transaction
from tests.accounts.test_pages import assert_whole
from tests.billing.views.conftest import SignIn, work

PAGES = [
    "/",
    "/transactions",
    "/transactions?q=nothing",
    "/credits/add",
    "/auto-recharge",
    "/limits",
    "/statements",
    "/balance/changes",
    "/plan",
    "/plan/pay/postpaid",
    "/invoices",
    "/pricing",
]
PRIVATE = [page for page in PAGES if page != "/pricing"]
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole(account: BillingAccount, browser: Client, path: str) -> None:
    work(account, 5)
    work(account, 5, settle_now=False)
    response = browser.get(path)
    assert response.status_code == 200
    assert_whole(response.content.decode())


def test_a_story_is_whole(account: BillingAccount, browser: Client) -> None:
    work(account, 5)
    for row in Transaction.objects.filter(account=account):
        assert_whole(browser.get(f"/transactions/{row.public_id}").content.decode())


@pytest.mark.parametrize(
    "path",
    [
        "/balance",
        "/credits/add",
        "/credits/quote?amount=60",
        "/auto-recharge/sentence",
        "/limits",
        "/limits/preview?limit=60",
        "/transactions?type=usage",
    ],
)
def test_a_part_has_no_component_left_and_nothing_inline(browser: Client, path: str) -> None:
    html = browser.get(path, **HTMX).content.decode()  # type: ignore[arg-type]
    for never in ("<c-", "{%", "{{", " style=", "<script>", "onclick="):
        assert never not in html


@pytest.mark.parametrize("path", [*PAGES, "/nothing/here"])
def test_the_policy_allows_nothing_inline(browser: Client, path: str) -> None:
    policy = browser.get(path)["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize("path", [*PRIVATE, "/transactions.csv", "/credits/quote", "/balance"])
def test_who_is_not_signed_in_sees_nothing(ads: None, client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/?next=")


@pytest.mark.parametrize("path", PRIVATE)
def test_money_pages_are_never_kept(browser: Client, path: str) -> None:
    response = browser.get(path)
    assert "no-store" in response["Cache-Control"]
    assert 'hx-history="false"' in response.content.decode()


@pytest.mark.parametrize("path", ["/", "/transactions", "/credits/quote", "/credits/return", "/cards/saved"])
def test_reading_pages_take_no_post(browser: Client, path: str) -> None:
    assert browser.post(path).status_code == 405


@pytest.mark.parametrize(
    "path",
    ["/credits/add", "/auto-recharge", "/limits", "/cards/add", "/theme", "/plan/undo", "/plan/pay/postpaid"],
)
def test_a_form_from_elsewhere_is_refused(account: BillingAccount, sign_in: SignIn, path: str) -> None:
    browser = sign_in(account, "owner")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    response = strict.post(path, {})
    assert response.status_code == 403
    assert "This form has expired" in response.content.decode()


def test_a_missing_page_says_what_to_do(browser: Client) -> None:
    response = browser.get("/nothing/here")
    assert response.status_code == 404
    html = response.content.decode()
    assert_whole(html)
    assert "There is nothing here" in html
    assert response["X-Request-Id"] in html


@pytest.mark.parametrize("name", ["403.html", "404.html", "429.html", "500.html", "403_csrf.html"])
def test_an_error_page_needs_no_context(name: str) -> None:
    html = get_template(name).template.render(Context())  # type: ignore[attr-defined]
    assert_whole(html)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_is_a_cookie_the_first_byte_knows(browser: Client, theme: str) -> None:
    assert "data-theme" not in browser.get("/").content.decode().split("<head>")[0]
    browser.post("/theme", {"theme": theme})
    assert f'data-theme="{theme}"' in browser.get("/").content.decode()
    browser.post("/theme", {"theme": "system"})
    assert "data-theme" not in browser.get("/").content.decode().split("<head>")[0]


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil.example"]
)
def test_the_theme_form_goes_nowhere_else(browser: Client, target: str) -> None:
    assert browser.post("/theme", {"theme": "dark", "next": target})["Location"] == "/"


def test_a_made_up_theme_cookie_is_ignored(browser: Client) -> None:
    browser.cookies["theme"] = '"><script>'
    assert "<script>" not in browser.get("/").content.decode()


def test_names_are_escaped_everywhere(account: BillingAccount, browser: Client) -> None:
    evil = "<img src=x onerror=alert(1)>"
    BillingAccount.objects.filter(pk=account.pk).update(name=evil)
    work(account, 5, description=evil, reference=evil)
    for path in ("/", "/transactions", "/pricing", f"/transactions?q={evil}"):
        assert "<img src=x" not in browser.get(path).content.decode()


def test_simulated_payments_are_said_on_every_page(browser: Client, settings: object) -> None:
    settings.STRIPE_SIMULATED = True  # type: ignore[attr-defined]
    for path in (*PAGES, "/nothing/here"):
        assert "Simulated payments." in browser.get(path).content.decode()


def test_times_are_in_the_viewer_s_zone_with_utc_on_hover(account: BillingAccount, browser: Client) -> None:
    User.objects.update(timezone="Asia/Tokyo")
    html = browser.get("/transactions").content.decode()
    assert "times in Asia/Tokyo" in html or "times in JST" in html
    assert ' UTC">' in html


def test_money_is_written_in_the_viewer_s_way(account: BillingAccount, browser: Client) -> None:
    User.objects.update(locale="de")
    assert "5,00" in browser.get("/").content.decode().replace('<span class="money-cents">', "")


def test_the_estimate_has_its_place_under_pricing(browser: Client) -> None:
    html = browser.get("/pricing/estimate").content.decode()
    assert re.search(r'href="/pricing"[^>]*aria-current="page"', html)
