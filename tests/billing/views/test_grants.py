"""The credits page: grant by grant in the order in which they are used, and why; what expires soon is said."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import BillingAccount, Role
from billing.ledger import grants
from billing.ledger.models import BURN_ORDER, Grant, GrantUse
from billing.selectors import grants as read
from billing.services.accounts import open_account
from tests.billing.ledger.conftest import at
from tests.billing.views.conftest import CREDIT, SignIn, work

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)


def give(account: BillingAccount, credits: int, *, days: float | None = None, **fields: Any) -> None:
    grants.add(
        account_id=account.pk,
        micros=credits * CREDIT,
        description="Given",
        key=f"test:{Grant.objects.count()}",
        expires_at=None if days is None else NOW + timedelta(days=days),
        **{"source": "topup", "kind": "topup", **fields},
    )


def words(response: Any) -> str:
    html = re.sub(r"<[^>]+>", " ", response.content.decode())
    return re.sub(r"\s+", " ", html).replace("\xa0", " ").replace(" .", ".")


@pytest.fixture
def rich(account: BillingAccount) -> BillingAccount:
    """50 of welcome bonus without an end, and grants of every kind."""
    at(NOW)
    give(account, 9)
    give(account, 8, days=90)
    give(account, 7, days=12.5)
    give(account, 6, days=12.5, source="bonus", kind="bonus")
    give(account, 5, days=12.5)
    give(account, 4, days=0.5, source="trial", kind="trial")
    give(account, 3, source="admin", kind="adjustment", priority=90)
    return account


def test_the_order_shown_is_the_order_of_use(rich: BillingAccount) -> None:
    shown = [lot.grant.pk for lot in read.lots(rich.pk)]
    assert [lot.grant.remaining // CREDIT for lot in read.lots(rich.pk)] == [4, 6, 7, 5, 8, 50, 9, 3]
    for _ in range(92 // 4):
        work(rich, 4)
    used = []
    for use in GrantUse.objects.order_by("transaction__seq"):
        if use.grant_id not in used:
            used.append(use.grant_id)
    assert used == shown


def test_every_place_in_the_order_has_its_reason(rich: BillingAccount) -> None:
    assert [lot.why for lot in read.lots(rich.pk)] == [
        "Used next",
        "Expires later",
        "Bought, so after what was given",
        "Came in later",
        "Expires later",
        "Does not expire",
        "Bought, so after what was given",
        "Kept for later",
    ]


def test_the_page_shows_source_rest_and_days_left(rich: BillingAccount, sign_in: SignIn) -> None:
    work(rich, 6)
    text = words(sign_in(rich, Role.VIEWER).get("/credits"))
    assert "Bonus Mar 1, 2027 Used next Mar 14, 2027 in 12 days 4 credits of 6" in text
    assert "Does not expire Never 50 credits" in text
    assert "What expires soonest goes first" in text
    assert "Credits you buy do not expire." in text


def test_lapsed_credits_are_not_listed_to_the_microsecond(rich: BillingAccount) -> None:
    end = NOW + timedelta(days=0.5)
    at(end - timedelta(microseconds=1))
    assert read.lots(rich.pk)[0].grant.source == "trial"
    assert read.lots(rich.pk)[0].days_left == 0
    at(end)
    assert read.lots(rich.pk)[0].grant.source == "bonus"


def test_the_overview_shows_the_first_and_leads_to_all(rich: BillingAccount, sign_in: SignIn) -> None:
    browser = sign_in(rich, Role.OWNER)
    html = browser.get("/")
    text = words(html)
    assert "Credits, in the order they are used" in text
    assert text.count("Expires later") == 1
    assert 'href="/credits"' in html.content.decode()
    assert "4 credits expire within a day." in text


def test_profile_images_says_what_a_top_up_does(images: None, sign_in: SignIn) -> None:
    account = open_account(name="Lumen", email="pay@lumen.example", profile="images")
    browser = sign_in(account, Role.OWNER)
    text = words(browser.get("/credits"))
    assert "good for 12 months from your last paid top-up. Another paid top-up gives all of it" in text
    assert "Your whole balance is then good until" in words(browser.get("/credits/add"))


def test_without_credits_it_says_so(account: BillingAccount, browser: Client) -> None:
    work(account, 50)
    assert "No credits" in words(browser.get("/credits"))
    assert "in the order they are used" not in words(browser.get("/"))


def test_a_stranger_is_sent_to_sign_in(ads: None, client: Client) -> None:
    assert client.get("/credits").status_code == 302


def test_the_order_is_the_ledger_s_own(rich: BillingAccount) -> None:
    assert [lot.grant.pk for lot in read.lots(rich.pk)] == list(
        Grant.objects.filter(account=rich).order_by(BURN_ORDER).values_list("pk", flat=True)
    )
