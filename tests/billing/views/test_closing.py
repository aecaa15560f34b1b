"""Closing the account from Settings: the owner types its name, is signed out, and is nobody any more."""

import html

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import BillingAccount, User
from billing.models import Erasure
from billing.services.accounts import open_account
from billing.services.closing import Obstacle, Way
from billing.views.closing import PAGES, link
from tests.billing.ledger.conftest import give, hold
from tests.billing.views.conftest import SignIn, browser, sign_in, work

__all__ = ["browser", "sign_in"]
ADDRESS = "/settings/close"


def text(client: Client, **typed: str) -> tuple[int, str]:
    answer = client.post(ADDRESS, typed) if typed else client.get(ADDRESS)
    return answer.status_code, html.unescape(answer.content.decode())


def test_the_owner_closes_it_by_typing_its_name(browser: Client, account: BillingAccount) -> None:
    assert ADDRESS in browser.get("/settings").content.decode()
    status, page = text(browser)
    assert (status, "Type “Northwind” to confirm" in page) == (200, True)
    gone = browser.post(ADDRESS, {"typed": "Northwind"}, follow=True)
    assert "Your account is closed and your data is deleted." in gone.content.decode()
    account.refresh_from_db()
    assert (account.status, account.name) == ("closed", "Erased account")
    assert browser.get("/settings").status_code == 302


@pytest.mark.parametrize("typed", ["", "northwind", "Northwind2"])
def test_another_name_changes_nothing(browser: Client, account: BillingAccount, typed: str) -> None:
    status, page = text(browser, typed=typed)
    assert (status, Erasure.objects.count()) == (422, 0)
    assert 'role="alert"' in page or "error" in page
    account.refresh_from_db()
    assert account.status == "active"


def test_what_is_in_the_way_is_said_and_nothing_can_be_typed(
    browser: Client, account: BillingAccount
) -> None:
    work(account, 5, settle_now=False)
    status, page = text(browser)
    assert (status, "1 request is still running" in page, 'name="typed"' in page) == (200, True, False)
    status, page = text(browser, typed="Northwind")
    assert (status, Erasure.objects.count()) == (422, 0)
    assert "1 request is still running" in page


def test_each_obstacle_leads_to_where_it_is_resolved(browser: Client, account: BillingAccount) -> None:
    work(account, 5, settle_now=False)
    page = text(browser)[1]
    assert "One thing has to be done before that" in page
    assert '<a href="/transactions#held">See running requests</a>' in page
    give(account.pk, 10, source="topup")
    page = text(browser)[1]
    assert "2 things have to be done before that" in page
    assert '<a href="/transactions?type=topups">See purchases</a>' in page
    assert browser.get("/transactions?type=topups").status_code == 200


@pytest.mark.parametrize("way", PAGES)
def test_every_page_that_an_obstacle_leads_to_is_there(browser: Client, way: Way) -> None:
    words, address = link(Obstacle(way, "Something."))
    assert (bool(words), browser.get(address.partition("#")[0]).status_code) == (True, 200)


def test_an_obstacle_about_one_row_leads_to_its_page(account: BillingAccount) -> None:
    led = {way: link(Obstacle(way, "Something.", "x_1"))[1] for way in Way}
    assert (led[Way.INVOICE], led[Way.PAYMENT]) == ("/invoices/x_1", "/credits/return?payment=x_1")
    assert led[Way.REFUND] == led[Way.DISPUTE] == "/transactions/x_1"
    assert led[Way.ADJUSTMENT].startswith("mailto:")
    assert led[Way.STAFF] == ""


def test_another_account_that_closes_with_it_is_named(browser: Client, account: BillingAccount) -> None:
    owner = account.memberships.get().user
    second = open_account(name="Southwind", email="south@example.com", user=owner, profile="ads")
    assert "Closed with it, as nobody else is in it: Southwind." in text(browser)[1]
    hold(second.pk, 5)
    page = text(browser)[1]
    assert "Southwind: 1 request is still running" in page
    assert "See running requests" not in page, "its page is not this account's"


@pytest.mark.parametrize("role", ["billing", "developer", "viewer"])
def test_only_an_owner_may(account: BillingAccount, sign_in: SignIn, role: str) -> None:
    member = sign_in(account, role)
    assert text(member)[0] == 403
    assert text(member, typed="Northwind")[0] == 403
    assert ADDRESS not in member.get("/settings").content.decode()


def test_where_others_stay_only_the_person_goes(
    browser: Client, account: BillingAccount, sign_in: SignIn
) -> None:
    sign_in(account, "viewer")
    assert "make one of them owner" in text(browser)[1]
    other = User.objects.create_user("second@example.com", "x")
    account.memberships.create(user=other, role="owner")
    assert "Delete my data" in text(browser)[1]
    assert text(browser, typed="Northwind")[0] == 302
    account.refresh_from_db()
    assert (account.status, account.memberships.count()) == ("active", 2)


@pytest.mark.slow
def test_staff_erase_a_person_with_a_reason(browser: Client, account: BillingAccount) -> None:
    owner = account.memberships.get().user
    office = Client()
    office.force_login(User.objects.create_superuser("staff@example.com", "x"))
    address = reverse("admin:accounts_user_erase", args=[owner.pk])
    form = office.get(address).content.decode()
    assert owner.email in form
    sent = {
        "typed": owner.email,
        "reason": "Letter of 3 May",
        "nonce": "0199b7c0-0000-7000-8000-000000000001",
    }
    assert office.post(address, sent | {"typed": "x@example.com"}).status_code == 422
    assert office.post(address, sent | {"reason": ""}).status_code == 422
    assert Erasure.objects.count() == 0
    page = office.post(address, sent, follow=True).content.decode()
    assert "is erased, with 1 account." in page
    done = Erasure.objects.get()
    assert (done.reason, done.asked_by.email) == ("Letter of 3 May", "staff@example.com")
    for name, arguments in (("changelist", []), ("change", [done.pk])):
        shown = office.get(reverse(f"admin:billing_erasure_{name}", args=arguments))
        assert shown.status_code == 200


def test_staff_without_the_right_erase_nobody(browser: Client, account: BillingAccount) -> None:
    owner = account.memberships.get().user
    office = Client()
    office.force_login(User.objects.create_user("look@example.com", "x", is_staff=True))
    assert office.get(reverse("admin:accounts_user_erase", args=[owner.pk])).status_code == 403
