"""The API keys page: shown once, stored never, counted against the plan's slots."""

import re
from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client

from accounts import keys
from accounts.models import ApiKey, BillingAccount
from config.ids import new_id
from tests.accounts.conftest import MakeAccount, MakeUser, SignIn
from tests.accounts.test_pages import assert_whole

pytestmark = pytest.mark.usefixtures("ads")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def account(make_account: MakeAccount, make_user: MakeUser) -> BillingAccount:
    return make_account(owner=make_user())


@pytest.fixture
def browser(account: BillingAccount, sign_in: SignIn) -> Client:
    return sign_in(account.memberships.get().user)


def key_in(html: str) -> str:
    [text] = re.findall(r"bpk_[0-9A-Za-z]{38}", html)
    assert isinstance(text, str)
    return text


def new_key(browser: Client, name: str = "Production", **headers: str) -> str:
    data = {"id": str(new_id()), "name": name}
    return browser.post("/keys/new", data, headers=headers or None).content.decode()


def test_no_keys_yet(browser: Client) -> None:
    page = browser.get("/keys").content.decode()
    assert_whole(page)
    assert "No keys yet" in page
    assert "there is no maximum" not in page


def test_a_key_is_created_without_javascript(browser: Client) -> None:
    form = browser.get("/keys/new").content.decode()
    assert_whole(form)
    key_id = re.search(r'name="id" value="([^"]+)"', form)
    assert key_id is not None
    response = browser.post("/keys/new", {"id": key_id[1], "name": "Production"})
    assert "no-store" in response["Cache-Control"]
    page = response.content.decode()
    assert_whole(page)
    found = keys.verify(key_in(page))
    assert found is not None
    assert (found.name, str(found.pk)) == ("Production", key_id[1])


def test_a_key_is_created_in_a_dialog(browser: Client) -> None:
    dialog = browser.get("/keys/new", headers=HTMX).content.decode()
    assert "<html" not in dialog
    assert "<dialog" in dialog
    assert keys.verify(key_in(new_key(browser, **HTMX))) is not None


def test_the_text_of_a_key_is_shown_once_and_kept_nowhere(
    browser: Client, caplog: pytest.LogCaptureFixture
) -> None:
    text = key_in(new_key(browser))
    later = browser.get("/keys").content.decode()
    assert text not in later
    assert text[:10] in later
    assert text[-4:] in later
    assert text not in caplog.text
    assert [text in str(session.get_decoded()) for session in Session.objects.all()] == [False]
    with connection.cursor() as cursor:
        cursor.execute("select table_name from information_schema.tables where table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'select count(*) from "{table}" t where t::text like %s', [f"%{text[10:40]}%"])
            assert cursor.fetchone()[0] == 0, table


def test_sending_the_form_twice_makes_one_key(browser: Client) -> None:
    data = {"id": str(new_id()), "name": "Production"}
    browser.post("/keys/new", data)
    page = browser.post("/keys/new", data, follow=True).content.decode()
    assert "was made already" in page
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "two\nlines", "a\x00b", "a\u202eb"])
def test_a_bad_name_is_refused_and_kept(browser: Client, name: str) -> None:
    response = browser.post("/keys/new", {"id": str(new_id()), "name": name}, headers=HTMX)
    assert response.status_code == 422
    assert 'id="id_name_error"' in response.content.decode()
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("key_id", ["", "nonsense", "1"])
def test_a_bad_id_is_refused(browser: Client, key_id: str) -> None:
    assert browser.post("/keys/new", {"id": key_id, "name": "Production"}).status_code == 422


def test_a_name_is_text_wherever_it_stands(browser: Client) -> None:
    new_key(browser, '<script>alert(1)</script>"')
    key = ApiKey.objects.get()
    for path in ("/keys", f"/keys/{key.public_id}/rename", f"/keys/{key.public_id}/revoke"):
        assert "<script>alert" not in browser.get(path).content.decode()


def test_renaming_in_the_row(browser: Client, account: BillingAccount) -> None:
    key, _ = keys.create_key(account=account, name="Old")
    path = f"/keys/{key.public_id}/rename"
    assert browser.get(path, headers=HTMX).content.decode().lstrip().startswith("<td")
    row = browser.post(path, {"id": str(key.pk), "name": "New"}, headers=HTMX).content.decode()
    assert row.lstrip().startswith("<td")
    assert "New" in row
    assert "Saved" in row
    assert browser.post(path, {"id": str(key.pk), "name": ""}, headers=HTMX).status_code == 422
    key.refresh_from_db()
    assert key.name == "New"


def test_renaming_without_javascript(browser: Client, account: BillingAccount) -> None:
    key, _ = keys.create_key(account=account, name="Old")
    path = f"/keys/{key.public_id}/rename"
    assert_whole(browser.get(path).content.decode())
    page = browser.post(path, {"id": str(key.pk), "name": "New"}, follow=True).content.decode()
    assert "Name saved" in page


def test_revoking_takes_the_name(browser: Client, account: BillingAccount) -> None:
    key, text = keys.create_key(account=account, name="Production")
    path = f"/keys/{key.public_id}/revoke"
    assert_whole(browser.get(path).content.decode())
    wrong = browser.post(path, {"typed": "production"}, headers=HTMX)
    assert wrong.status_code == 422
    assert 'value="production"' in wrong.content.decode()
    assert keys.verify(text) is not None
    right = browser.post(path, {"typed": "Production"}, headers=HTMX)
    assert right["HX-Redirect"] == "/keys"
    assert keys.verify(text) is None
    assert "“Production” is revoked" in browser.get("/keys").content.decode()


def test_rotating_shows_the_new_key_and_when_the_old_one_ends(
    browser: Client, account: BillingAccount
) -> None:
    with time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False):
        key, old_text = keys.create_key(account=account, name="Production")
        path = f"/keys/{key.public_id}/rotate"
        assert_whole(browser.get(path).content.decode())
        page = browser.post(path).content.decode()
        assert "2026-11-21 12:00:00 UTC" in page
        assert keys.verify(key_in(page)) is not None
        assert keys.verify(old_text) is not None
        again = browser.post(path, follow=True).content.decode()
        assert "cannot be rotated" in again
        listed = browser.get("/keys").content.decode()
        assert "Ends" in listed
        assert_whole(listed)
    assert ApiKey.objects.count() == 2


# --- slots


@pytest.mark.usefixtures("toon")
@pytest.mark.parametrize(("plan", "slots"), [("free", 0), ("starter", 4), ("pro", 10), ("business", 20)])
def test_a_plan_gives_its_number_of_keys(
    browser: Client, account: BillingAccount, plan: str, slots: int
) -> None:
    BillingAccount.objects.update(profile="toon", plan=plan, mode="subscription", unit="credit")
    made = [new_key(browser, f"Key {number}") for number in range(slots + 1)]
    assert ApiKey.objects.count() == slots
    refusal = made[-1]
    assert ("Revoke one first: “Key 0”" if slots else "no API keys") in refusal
    page = browser.get("/keys").content.decode()
    assert_whole(page)
    assert f"{slots} of {slots} key" in page
    assert "/keys/new" not in page


@pytest.mark.usefixtures("toon")
def test_paying_per_use_is_not_bound_to_the_plan_s_slots(browser: Client) -> None:
    BillingAccount.objects.update(profile="toon", plan="free", mode="metered", unit="USD")
    assert keys.verify(key_in(new_key(browser))) is not None


def test_a_profile_without_plans_has_no_maximum(browser: Client) -> None:
    for number in range(25):
        new_key(browser, f"Key {number}")
    assert "25 keys in use; there is no maximum" in browser.get("/keys").content.decode()


def test_a_viewer_sees_keys_and_no_buttons(
    account: BillingAccount, make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    viewer = make_user()
    account.memberships.create(user=viewer, role="viewer")
    keys.create_key(account=account, name="Production")
    page = sign_in(viewer).get("/keys").content.decode()
    assert "Production" in page
    assert "/keys/" not in page
