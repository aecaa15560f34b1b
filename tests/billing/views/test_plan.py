"""The plan page: how the account pays, what its plan includes, and the plans side by side."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import BillingAccount, Role
from billing.ledger import balances
from billing.selectors import plans
from billing.services.accounts import open_account
from catalog import snapshot
from catalog.models import Plan
from tests import price_lists
from tests.billing.views.conftest import CREDIT, SignIn


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("\xa0", " ")


@pytest.fixture
def page_of(ads: None, sign_in: SignIn) -> Any:
    """``page_of("toon", plan="pro")``: the plan page of a new account's owner, as HTML."""

    def read(profile: str, path: str = "/plan", **options: Any) -> str:
        price_lists.load(profile)
        snapshot.refresh()
        account = open_account(name="Acme", email="pay@acme.example", profile=profile, **options)
        response = sign_in(account, Role.OWNER).get(path)
        assert response.status_code == 200
        return response.content.decode()

    return read


def cards(html: str) -> list[str]:
    """The text of each plan's card."""
    return [words(card) for card in re.findall(r'<section class="card plan.*?</section>', html, re.DOTALL)]


def test_all_plans_are_compared_and_the_own_one_marked(page_of: Any) -> None:
    free, starter, pro, business = cards(page_of("toon", plan="pro"))
    assert "Free $ 0 a month 10 credits once at sign-up No API keys" in free
    assert "Starter $ 16 a month 100 credits a month 4 API keys" in starter
    assert "Pro Current $ 39 a month 300 credits a month 10 API keys" in pro
    assert "Business $ 79 a month 700 credits a month 20 API keys" in business
    assert sum("Current" in card for card in (free, starter, business)) == 0


def test_a_feature_that_repeats_a_figure_is_said_once(page_of: Any) -> None:
    basic, pro, _ = cards(page_of("sites"))
    assert basic.count("1,500 credits a month") == 1
    assert basic.count("2 full sites a month") == 1
    assert "Flux models, extensions and Business OS chat" in pro


def test_the_current_plan_says_what_is_left_of_it(page_of: Any) -> None:
    said = words(page_of("toon", plan="pro"))
    assert "Available now 300 credits" in said
    assert "API keys in use 0 of 10" in said
    assert "set anew at the start of each billing cycle; unused ones do not carry over." in said


def test_an_upgrade_carries_credits_along_where_the_profile_says_so(page_of: Any) -> None:
    assert "do not carry over, except along with an upgrade." in words(page_of("sites"))


def test_pay_per_use_has_no_plan_and_says_its_limit(page_of: Any) -> None:
    html = page_of("toon", mode="metered")
    assert "How you pay Your prices Pay-per-use" in words(html)
    assert "Spending limit a month $ 50 API keys" in words(html)
    assert not any("Current" in card for card in cards(html))
    assert "Monthly plan You pay for a plan each month" in words(html)


def test_a_plan_no_longer_offered_is_shown_only_to_who_has_it(page_of: Any) -> None:
    page_of("toon")
    Plan.objects.filter(profile_id="toon", slug="starter").update(active=False)
    snapshot.refresh()

    def names(plan: str) -> list[str]:
        account = open_account(name="Acme", email="pay@acme.example", profile="toon", plan=plan)
        return [card.plan.slug for card in plans.of(account, "en").plans]

    assert names("pro") == ["free", "pro", "business"]
    assert names("starter") == ["free", "starter", "pro", "business"]


def test_prepaid_alone_is_one_clear_sentence(page_of: Any) -> None:
    html = page_of("images")
    assert "You pay in advance: each request is taken from your balance" in words(html)
    assert "Other ways to pay" not in html
    assert "mailto:" not in html
    assert cards(html) == []


def test_postpaid_says_what_it_needs(page_of: Any) -> None:
    html = page_of("gateway")
    said = words(html)
    assert (
        "Postpaid You generate now and pay an invoice for it each month. Invoices are due after 14 days"
        in said
    )
    assert "30 days – $ 100 $ 100" in said
    assert "365 days 12 $ 50,000 $ 50,000" in said


def test_invoices_by_volume_name_the_volume(page_of: Any) -> None:
    assert "10,000 ads a month 10%" in words(page_of("ads"))


def test_a_postpaid_account_sees_its_credit_limit(
    page_of: Any, browser: Client, account: BillingAccount
) -> None:
    BillingAccount.objects.filter(pk=account.pk).update(mode="postpaid")
    balances.set_credit_limit(account.pk, 500 * CREDIT)
    said = words(browser.get("/plan").content.decode())
    assert "How you pay Your prices Postpaid" in said
    assert "Credit limit 500 credits" in said


@pytest.mark.parametrize(
    ("profile", "shown"),
    [("ads", True), ("gateway", True), ("toon", True), ("sites", True), ("images", False)],
)
def test_the_sidebar_leads_there_where_there_is_a_choice(page_of: Any, profile: str, shown: bool) -> None:
    assert ('<a class="nav-item" href="/plan">' in page_of(profile, "/")) == shown


def test_everybody_in_the_account_sees_it_and_nobody_posts(account: BillingAccount, sign_in: SignIn) -> None:
    viewer = sign_in(account, Role.VIEWER)
    assert viewer.get("/plan").status_code == 200
    assert viewer.post("/plan").status_code == 405
