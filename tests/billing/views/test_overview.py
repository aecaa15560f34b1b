"""The overview: what there is, what is held, what to do when there is nothing."""

import re
import uuid
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.models import BillingAccount, Role
from billing.ledger import grants
from billing.ledger.models import Balance, Grant
from billing.models import AutoRecharge
from billing.services.charges import refund
from tests.billing.views.conftest import CREDIT, SignIn, work


def text_of(response: object) -> str:
    """The page's HTML without tags, in one line."""
    html = response.content.decode()  # type: ignore[attr-defined]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("\xa0", " ")


def gift(account: BillingAccount, credits: int, number: int = 0, ends: datetime | None = None) -> None:
    grants.add(
        account_id=account.pk,
        micros=credits * CREDIT,
        source="admin",
        kind="adjustment",
        description=f"Gift {number}",
        key=f"gift:{account.pk.hex}:{number}",
        expires_at=ends,
    )


def test_a_new_account_sees_its_bonus_and_a_first_request_to_copy(browser: Client) -> None:
    text = text_of(browser.get("/"))
    assert "50 credits Worth $5.00" in text
    assert "Make your first request" in text
    assert "/v1/balance" in text
    assert "Welcome bonus" in text


@pytest.mark.parametrize("role", Role.values)
def test_every_role_may_look(account: BillingAccount, sign_in: SignIn, role: str) -> None:
    assert sign_in(account, role).get("/").status_code == 200


def test_only_who_may_pay_is_offered_to(account: BillingAccount, sign_in: SignIn) -> None:
    assert "/credits/add" in sign_in(account, Role.BILLING).get("/").content.decode()
    assert "/credits/add" not in sign_in(account, Role.VIEWER).get("/").content.decode()


def test_a_stranger_is_sent_to_sign_in(ads: None, client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/"


def test_a_hold_is_shown_and_asked_for_again_until_it_ends(account: BillingAccount, browser: Client) -> None:
    assert 'hx-trigger="every 3s"' not in browser.get("/balance").content.decode()
    work(account, 10, settle_now=False)
    part = browser.get("/balance")
    assert "40 credits" in text_of(part)
    assert "10 credits held by 1 running job" in text_of(part)
    assert 'hx-trigger="every 3s"' in part.content.decode()
    assert "<html" not in part.content.decode()


def test_use_is_drawn_by_model_and_forecast(account: BillingAccount, browser: Client) -> None:
    work(account, 15, model="full", description="Full, generate")
    work(account, 13)
    page = browser.get("/")
    text = text_of(page)
    assert "Full 15 credits" in text
    assert "Static 13 credits" in text
    # 28 credits in 14 days are 2 a day; 22 are left.
    assert "Lasts about 11 days at your 14-day pace (2 credits a day)" in text
    assert "Make your first request" not in text
    assert page.content.decode().count('class="chart-day"') == 30


def test_what_lapses_before_it_is_used_does_not_count_as_lasting(
    account: BillingAccount, browser: Client
) -> None:
    work(account, 28)
    Grant.objects.filter(account_id=account.pk).update(expires_at=now() + timedelta(days=5, hours=1))
    assert "Lasts about 5 days at your 14-day pace (2 credits a day)" in text_of(browser.get("/"))
    gift(account, 20)
    assert "Lasts about 15 days" in text_of(browser.get("/")), "5 days of what lapses, and 10 of what stays"


def test_plan_credits_come_again_so_they_last_as_long_as_the_pace(
    account: BillingAccount, browser: Client
) -> None:
    work(account, 28)
    Grant.objects.filter(account_id=account.pk).update(source="plan", expires_at=now() + timedelta(days=5))
    assert "Lasts about 11 days" in text_of(browser.get("/"))


def test_a_refund_of_use_slows_the_pace(account: BillingAccount, browser: Client) -> None:
    work(account, 14)
    outcome = work(account, 14)
    refund(uuid.UUID(outcome["id"]), None, "The picture was black.")
    assert "(1 credit a day)" in text_of(browser.get("/"))


def test_an_empty_account_says_how_to_go_on(account: BillingAccount, browser: Client) -> None:
    work(account, 50)
    text = text_of(browser.get("/"))
    assert "Nothing is left." in text
    assert "turn on auto-recharge" in text


def test_an_account_below_zero_says_why_and_how_to_fix_it(account: BillingAccount, browser: Client) -> None:
    Balance.objects.filter(pk=account.pk).update(overdraft=20 * CREDIT)
    work(account, 50)
    Balance.objects.filter(pk=account.pk).update(balance=-5 * CREDIT)
    text = text_of(browser.get("/"))
    assert "−5 credits" in text
    assert "Your balance is below zero." in text


def test_a_limit_is_a_meter(account: BillingAccount, browser: Client) -> None:
    work(account, 41)
    month = now().date().replace(day=1)
    Balance.objects.filter(pk=account.pk).update(
        spend_limit=50 * CREDIT, spend_month=month, spend_accepted=41 * CREDIT
    )
    page = browser.get("/")
    assert "41 credits of 50 credits limit" in text_of(page)
    assert '<rect class="meter-fill" width="82%"' in page.content.decode()


def test_auto_recharge_is_said_as_a_sentence(account: BillingAccount, browser: Client) -> None:
    AutoRecharge.objects.create(
        account=account,
        enabled=True,
        threshold=20 * CREDIT,
        amount_minor=2500,
        monthly_cap_minor=10000,
        currency="USD",
    )
    assert (
        "When your balance drops below 20 credits, we charge your card and add $25, "
        "at most 4 times ($100) a month." in text_of(browser.get("/"))
    )


def test_the_last_six_transactions_are_listed(account: BillingAccount, browser: Client) -> None:
    for number in range(8):
        gift(account, 1, number)
    text = text_of(browser.get("/"))
    assert "Gift 7" in text
    assert "Gift 2" in text
    assert "Gift 1" not in text


def test_the_number_of_queries_does_not_grow_with_the_history(
    account: BillingAccount, browser: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(20):
        work(account, 1)
    with django_assert_max_num_queries(23):  # type: ignore[operator]
        browser.get("/")


def test_everything_that_lapses_that_day_is_named_as_the_mail_does(
    account: BillingAccount, browser: Client
) -> None:
    """Profile ``images`` gives gifts the end of the bought credits: one day, several grants. Later ones do not count."""
    noon = now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=4)
    for number, (credits, ends) in enumerate(
        [(3, noon), (20, noon), (7, noon + timedelta(hours=3)), (9, noon + timedelta(days=1))]
    ):
        gift(account, credits, number, ends)
    text = text_of(browser.get("/"))
    assert text.count("30 credits expire in") == 2
