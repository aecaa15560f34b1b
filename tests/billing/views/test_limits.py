"""The limits page: what is used of the month's limit, and setting, changing and removing it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from accounts.models import BillingAccount, Role, User
from accounts.notices import recipients
from billing import tasks
from billing.ledger import balances, grants, holds
from billing.ledger.models import Balance, Charge
from billing.selectors import low_balance
from billing.services import limit_notices
from billing.services.accounts import open_account
from catalog import snapshot
from tests import price_lists
from tests.billing.views.conftest import CREDIT, SignIn, work

HTMX = {"HX-Request": "true", "HX-Target": "limits"}


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("\xa0", " ")


def page(browser: Client, path: str = "/limits") -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return response.content.decode()


def limit_of(account: BillingAccount) -> int | None:
    return balances.of(account.pk).spend_limit


@pytest.fixture
def metered(ads: None) -> BillingAccount:
    """Pays per use in USD under a limit of 50 that has to be there."""
    price_lists.load("toon")
    snapshot.refresh()
    return open_account(name="Inkwell", email="pay@inkwell.example", profile="toon", mode="metered")


def used_last_month(account: BillingAccount, credits: int) -> None:
    """Work that was accepted and settled on the 15th of the month before, as if the account had been there then."""
    Balance.objects.filter(pk=account.pk).update(posted_at=None)
    day = (now().astimezone(UTC).replace(day=1) - timedelta(days=1)).replace(day=15)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.now = %s", [day.isoformat()])
        work(account, credits)
        cursor.execute("SET LOCAL ledger.now = ''")


def test_a_limit_is_set_and_its_meter_shown(browser: Client, account: BillingAccount) -> None:
    work(account, 41)
    response = browser.post("/limits", {"limit": "50"})
    assert (response.status_code, response["Location"]) == (302, "/limits")
    assert limit_of(account) == 50 * CREDIT
    html = page(browser)
    assert "41 credits of 50 credits" in words(html)
    assert "9 credits left" in words(html)
    assert '<rect class="meter-fill" width="82%"' in html
    assert re.findall(r'class="meter-tick" x="(\d+)%"', html) == ["50", "80"]


def test_what_stops_is_said_in_a_sentence(browser: Client, account: BillingAccount) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.now = '2027-12-31T23:30:00Z'")
    balances.set_spend_limit(account.pk, 50 * CREDIT)
    assert (
        "A request that would take a month past 50 credits is refused; jobs already running finish, "
        "and counting starts again on 1 January, 00:00 UTC." in words(page(browser))
    )


@pytest.mark.parametrize(("spent", "tone"), [(39, ""), (40, "warn"), (49, "warn"), (50, "bad")])
def test_the_meter_warns_at_80_and_fails_at_100(
    browser: Client, account: BillingAccount, spent: int, tone: str
) -> None:
    work(account, spent)
    balances.set_spend_limit(account.pk, 50 * CREDIT)
    found = re.search(r'class="meter (\w*) ', page(browser))
    assert found is not None
    assert found[1] == tone


def test_holds_count_until_they_are_given_back(browser: Client, account: BillingAccount) -> None:
    balances.set_spend_limit(account.pk, 50 * CREDIT)
    work(account, 20, settle_now=False)
    assert "20 credits of 50 credits" in words(page(browser))
    charge = Charge.objects.get(account=account)
    holds.finish([holds.FinishRequest(id=charge.pk, action="void", reason="stopped")])
    assert "0 credits of 50 credits" in words(page(browser))


def test_without_a_limit_one_and_a_half_times_last_month_is_suggested(
    browser: Client, account: BillingAccount
) -> None:
    used_last_month(account, 15)
    work(account, 5)
    html = page(browser)
    assert 'name="limit" value="23"' in html
    assert "one and a half times the 15 credits of" in words(html)
    assert "No limit is set" in words(html)
    assert limit_of(account) is None


def test_nothing_is_suggested_that_would_stop_requests_at_once(
    browser: Client, account: BillingAccount
) -> None:
    used_last_month(account, 2)
    work(account, 5)
    html = page(browser)
    assert 'name="limit" value=""' in html
    assert "came to 2 credits." in words(html)


def test_money_in_is_no_spending(browser: Client, account: BillingAccount) -> None:
    day = (now().astimezone(UTC).replace(day=1) - timedelta(days=1)).replace(day=15)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.now = %s", [day.isoformat()])
        grants.add(
            account_id=account.pk,
            micros=CREDIT,
            source="admin",
            kind="adjustment",
            description="Gift",
            key="gift",
        )
        cursor.execute("SET LOCAL ledger.now = ''")
    assert "Nothing was spent in" in words(page(browser))


def test_a_limit_that_is_spent_already_asks_first(browser: Client, account: BillingAccount) -> None:
    balances.set_spend_limit(account.pk, 100 * CREDIT)
    work(account, 30)
    response = browser.post("/limits", {"limit": "30"})
    said = words(response.content.decode())
    assert response.status_code == 422
    assert "This stops requests at once. 30 credits are spent already" in said
    assert "Set 30 credits and stop requests" in said
    assert limit_of(account) == 100 * CREDIT
    confirmed = re.search(r'name="confirmed" value="(\d+)"', response.content.decode())
    assert confirmed is not None
    browser.post("/limits", {"limit": "30", "confirmed": confirmed[1]})
    assert limit_of(account) == 30 * CREDIT


def test_a_yes_to_one_amount_is_no_yes_to_another(browser: Client, account: BillingAccount) -> None:
    work(account, 30)
    response = browser.post("/limits", {"limit": "10", "confirmed": str(30 * CREDIT)})
    assert response.status_code == 422
    assert limit_of(account) is None


def test_raising_a_used_up_limit_does_not_ask(browser: Client, account: BillingAccount) -> None:
    work(account, 30)
    balances.set_spend_limit(account.pk, 10 * CREDIT)
    assert browser.post("/limits", {"limit": "20"}).status_code == 302
    assert limit_of(account) == 20 * CREDIT


def test_a_limit_is_removed(browser: Client, account: BillingAccount) -> None:
    balances.set_spend_limit(account.pk, 50 * CREDIT)
    assert 'name="action" value="remove"' in page(browser)
    html = browser.post("/limits", {"limit": "50", "action": "remove"}, follow=True).content.decode()
    assert limit_of(account) is None
    assert "The spending limit is removed." in words(html)
    assert 'name="action" value="remove"' not in html


@pytest.mark.parametrize("typed", ["", "abc", "-5", "1e9", "1.2345678", "\x00"])
def test_what_cannot_be_read_is_kept_explained_and_not_saved(
    browser: Client, account: BillingAccount, typed: str
) -> None:
    response = browser.post("/limits", {"limit": typed})
    html = response.content.decode()
    assert response.status_code == 422
    assert re.search(r'id="id_limit" name="limit"[^>]*aria-invalid="true"', html)
    if typed.isprintable():
        assert f'name="limit" value="{typed}"' in html
    assert limit_of(account) is None


def test_htmx_gets_the_part_in_place_and_moves_on_when_saved(
    browser: Client, account: BillingAccount
) -> None:
    wrong = browser.post("/limits", {"limit": "abc"}, headers=HTMX)
    html = wrong.content.decode()
    assert wrong.status_code == 422
    assert "<html" not in html
    assert 'id="limits"' in html
    saved = browser.post("/limits", {"limit": "50"}, headers=HTMX)
    assert saved["HX-Redirect"] == "/limits"
    assert limit_of(account) == 50 * CREDIT


def test_the_meter_follows_the_typing_and_saves_nothing(browser: Client, account: BillingAccount) -> None:
    work(account, 30)
    html = page(browser, "/limits/preview?limit=60")
    assert '<rect class="meter-fill" width="50%"' in html
    assert "Not saved yet" in html
    assert limit_of(account) is None
    assert "No limit is set" in page(browser, "/limits/preview?limit=abc")


def test_pay_per_use_keeps_a_limit_within_the_profile_s_bounds(
    metered: BillingAccount, sign_in: SignIn
) -> None:
    browser = sign_in(metered, Role.OWNER)
    html = page(browser)
    assert 'name="limit" value="50"' in html
    assert "always runs under a limit, at most $10,000." in words(html)
    assert 'value="remove"' not in html
    removed = browser.post("/limits", {"action": "remove"})
    assert removed.status_code == 422
    assert "The limit must be set: this account pays per use." in words(removed.content.decode())
    high = browser.post("/limits", {"limit": "10,000.01"})
    assert "The limit must be at most 10000 USD." in words(high.content.decode())
    assert limit_of(metered) == 50 * CREDIT
    browser.post("/limits", {"limit": "$75"})
    standing = balances.of(metered.pk)
    assert (standing.spend_limit, standing.credit_limit) == (75 * CREDIT, 75 * CREDIT)


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
def test_others_see_it_and_change_nothing(account: BillingAccount, sign_in: SignIn, role: str) -> None:
    browser = sign_in(account, role)
    balances.set_spend_limit(account.pk, 50 * CREDIT)
    html = page(browser)
    assert "The limit is 50 credits a month." in words(html)
    assert 'name="limit"' not in html
    assert browser.post("/limits", {"limit": "5"}).status_code == 403
    assert browser.get("/limits/preview").status_code == 403
    assert limit_of(account) == 50 * CREDIT


def test_somebody_else_s_limit_stays(browser: Client, stranger: BillingAccount) -> None:
    browser.post("/limits", {"limit": "5"})
    assert limit_of(stranger) is None


def test_the_way_there(browser: Client) -> None:
    home = page(browser, "/")
    assert '<a href="/limits">No spending limit is set.</a>' in home
    assert re.search(r'<a class="nav-item" href="/limits">', home)
    assert re.search(r'href="/limits" aria-current="page"', page(browser))


def test_the_month_is_utc_whatever_the_viewer_s_zone(browser: Client, account: BillingAccount) -> None:
    User.objects.update(timezone="Pacific/Kiritimati")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.now = %s", [datetime(2027, 3, 31, 20, tzinfo=UTC).isoformat()])
    assert "Spent in March" in words(page(browser))


def test_a_limit_that_only_alerts_is_set_said_and_shown(browser: Client, account: BillingAccount) -> None:
    work(account, 30)
    response = browser.post("/limits", {"limit": "20", "mode": "alert"}, follow=True)
    assert response.status_code == 200, "nothing stops, so nothing is asked"
    text = words(response.content.decode())
    assert "You are told at 20 credits a month; nothing is stopped." in text
    assert "Alert only" in text
    assert "10 credits past it" in text
    assert "Requests go on past 20 credits as before" in text
    assert limit_of(account) is None
    work(account, 5)
    asked = browser.post("/limits", {"limit": "20", "mode": "hard"})
    assert asked.status_code == 422, "to stop at once is asked"
    assert re.search(r'value="hard" checked', asked.content.decode())


def test_pay_per_use_is_offered_no_mere_alert(metered: BillingAccount, sign_in: SignIn) -> None:
    browser = sign_in(metered, Role.OWNER)
    assert 'value="alert"' not in page(browser)
    refused = browser.post("/limits", {"limit": "60", "mode": "alert"})
    assert refused.status_code == 422
    assert "this account pays per use" in refused.content.decode()
    assert limit_of(metered) == 50 * CREDIT


def test_the_ticks_show_when_they_were_told(browser: Client, account: BillingAccount) -> None:
    browser.post("/limits", {"limit": "20"})
    work(account, 10)
    assert re.search(r"50% reached ?80% not reached", words(page(browser))), "before anybody is told"
    tasks.sweep_notices()
    text = words(page(browser))
    assert re.search(r"50% sent \w+ \d+, \d\d:\d\d ?80% not reached ?100% not reached", text)
    work(account, 10)
    tasks.sweep_notices()
    assert re.search(r"80% passed \w+ \d+, \d\d:\d\d ?100% sent", words(page(browser)))
    limit_notices.stopped(account.pk, 15 * CREDIT)
    assert re.search(r"Refused first request \w+ \d+", words(page(browser)))


def test_recipients_are_chosen_here(browser: Client, account: BillingAccount) -> None:
    owner = account.memberships.get()
    assert re.search(rf'value="{owner.pk}" checked', page(browser))
    assert 'value="account"' in page(browser)
    browser.post("/limits/recipients", {"reader": ["account", "999"]})
    assert recipients(account, "limits") == ["pay@northwind.example"]
    assert recipients(account, "balance") == [owner.user.email], "another topic is another choice"
    browser.post("/limits/recipients", {})
    assert recipients(account, "limits") == []


def test_the_mark_of_a_low_balance_is_set_and_given_back(browser: Client, account: BillingAccount) -> None:
    assert 'placeholder="20"' in page(browser)
    browser.post("/limits/low-balance", {"below": "12.5"})
    assert low_balance.chosen_mark(account) == 12_500_000
    assert 'name="below" value="12.5"' in page(browser)
    wrong = browser.post("/limits/low-balance", {"below": "abc"})
    assert wrong.status_code == 422
    assert 'id="id_below_error"' in wrong.content.decode()
    browser.post("/limits/low-balance", {"below": ""})
    assert low_balance.chosen_mark(account) is None


@pytest.mark.parametrize("path", ["/limits/recipients", "/limits/low-balance"])
def test_others_choose_neither(account: BillingAccount, sign_in: SignIn, path: str) -> None:
    browser = sign_in(account, Role.DEVELOPER)
    assert browser.post(path, {"below": "1", "reader": "account"}).status_code == 403
    assert "Save recipients" not in page(browser)
