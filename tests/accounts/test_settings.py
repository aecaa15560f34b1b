"""The settings page: own profile, account name and billing address."""

import re

import pytest

from accounts.forms import LOCALES, timezones
from accounts.models import BillingAccount, NoticeTopic
from accounts.notices import choose, recipients, wants
from billing.money_text import money_text
from tests.accounts.conftest import MakeAccount, MakeUser, SignIn

PROFILE = {"name": "Ada", "timezone": "Europe/Berlin", "locale": "de"}


def test_the_profile_is_saved(make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn) -> None:
    me = make_user()
    make_account(viewer=me, owner=make_user())
    response = sign_in(me).post("/settings/profile", PROFILE, follow=True)
    assert "Profile saved" in response.content.decode()
    me.refresh_from_db()
    assert (me.name, me.timezone, me.locale) == ("Ada", "Europe/Berlin", "de")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timezone", "Mars/Base"),
        ("timezone", "../etc"),
        ("locale", "xx"),
        ("name", "a\x00b"),
        ("name", "x" * 121),
    ],
)
def test_a_bad_profile_changes_nothing_and_keeps_what_was_typed(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn, field: str, value: str
) -> None:
    me = make_user(name="Before")
    make_account(owner=me)
    response = sign_in(me).post("/settings/profile", {**PROFILE, field: value})
    assert response.status_code == 422
    page = response.content.decode()
    assert f'id="profile_{field}_error"' in page
    assert 'value="Ada"' in page or field == "name"
    me.refresh_from_db()
    assert me.name == "Before"


def test_nobody_makes_themselves_staff_or_takes_an_address(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    me = make_user("me@example.com")
    make_account(owner=me)
    sign_in(me).post(
        "/settings/profile", {**PROFILE, "is_staff": "1", "is_superuser": "1", "email": "you@example.com"}
    )
    me.refresh_from_db()
    assert (me.is_staff, me.is_superuser, me.email) == (False, False, "me@example.com")


def test_the_account_is_saved_and_nothing_money_depends_on(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    me = make_user()
    make_account(owner=me)
    data = {
        "name": "Northwind & Sons",
        "email": "pay@example.com",
        "plan": "business",
        "mode": "postpaid",
        "unit": "EUR",
    }
    response = sign_in(me).post("/settings/account", data, follow=True)
    assert "Northwind &amp; Sons" in response.content.decode()
    account = BillingAccount.objects.get()
    assert (account.name, account.email) == ("Northwind & Sons", "pay@example.com")
    assert (account.plan, account.mode, account.unit) == ("", "prepaid", "credit")


def test_an_account_needs_a_name_and_an_address(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    me = make_user()
    make_account(owner=me)
    response = sign_in(me).post("/settings/account", {"name": " ", "email": "nothing"})
    assert response.status_code == 422
    page = response.content.decode()
    assert 'id="account_name_error"' in page
    assert 'id="account_email_error"' in page
    assert BillingAccount.objects.get().name == "Northwind"


@pytest.mark.parametrize(("locale", "label"), LOCALES)
def test_a_locale_writes_numbers_as_its_label_says(locale: str, label: str) -> None:
    written = (
        money_text(1_234_560_000, "credit", locale, bare=True).replace("\xa0", " ").replace("\u202f", " ")
    )
    assert written in label.replace("\u202f", " ")


def test_time_zones_are_places() -> None:
    names = [name for name, _ in timezones()]
    assert names[0] == "UTC"
    assert {"Europe/Berlin", "America/New_York", "Asia/Tokyo"} <= set(names)
    assert not [name for name in names if name.startswith(("posix", "right", "Etc"))]


def test_everybody_chooses_their_own_notices(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    owner, me = make_user(), make_user()
    account = make_account(owner=owner, viewer=me)
    mine, theirs = (account.memberships.get(user=user) for user in (me, owner))
    assert [wants(theirs, topic) for topic in NoticeTopic.values] == [True] * 3
    assert [wants(mine, topic) for topic in NoticeTopic.values] == [False] * 3
    response = sign_in(me).post("/settings/notices", {"topic": ["balance", "nonsense"]}, follow=True)
    page = response.content.decode()
    assert "Notices saved." in page
    assert re.search(r'value="balance" checked', page)
    assert not re.search(r'value="limits" checked', page)
    assert [wants(mine, topic) for topic in NoticeTopic.values] == [False, True, False]
    assert [wants(theirs, topic) for topic in NoticeTopic.values] == [True] * 3
    sign_in(me).post("/settings/notices", {})
    assert not wants(mine, "balance")


def test_who_has_chosen_is_heeded_whatever_their_role_becomes(
    make_account: MakeAccount, make_user: MakeUser
) -> None:
    owner, me = make_user("owner@example.com"), make_user("me@example.com")
    account = make_account(owner=owner, developer=me)
    mine = account.memberships.get(user=me)
    assert recipients(account, "expiry") == ["owner@example.com"]
    mine.role = "billing"
    mine.save()
    assert recipients(account, "expiry") == ["owner@example.com", "me@example.com"]
    choose(account, mine, "expiry", wanted=False)
    assert recipients(account, "expiry") == ["owner@example.com"]
    choose(account, None, "expiry", wanted=True)
    assert recipients(account, "expiry") == ["owner@example.com", account.email]
    owner.is_active = False
    owner.save()
    assert recipients(account, "expiry") == [account.email]
    assert recipients(account, "limits") == ["me@example.com"]


def test_an_account_nobody_is_a_member_of_is_written_to_at_its_address(make_account: MakeAccount) -> None:
    account = make_account()
    assert recipients(account, "limits") == [account.email]
