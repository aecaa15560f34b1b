"""Staff see people, accounts and keys; what money depends on is read-only, secrets are nowhere."""

import json
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts import keys
from accounts.models import ApiKey, BillingAccount, Invitation, Membership, User
from tests.accounts.conftest import MakeAccount, MakeUser, SignIn
from tests.accounts.test_invitations import invite

MODELS: dict[str, Any] = {
    "user": User,
    "billingaccount": BillingAccount,
    "membership": Membership,
    "invitation": Invitation,
    "apikey": ApiKey,
}


@pytest.fixture
def staff(make_user: MakeUser, make_account: MakeAccount) -> User:
    staff = make_user("staff@example.com", is_staff=True, is_superuser=True)
    make_account("House", owner=staff)
    return staff


@pytest.fixture
def account(make_account: MakeAccount, make_user: MakeUser) -> BillingAccount:
    owner = make_user("customer@example.com")
    account = make_account(owner=owner)
    invite(account, owner, "guest@example.com")
    keys.create_key(account=account, name="Production", created_by=owner)
    return account


@pytest.mark.django_db
def test_admin_sign_in_is_everybody_s(client: Client) -> None:
    response = client.get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/accounts/login/?next=")
    assert client.post("/admin/login/", {"username": "a", "password": "b"}).status_code == 302


def test_customers_have_no_admin(account: BillingAccount, sign_in: SignIn) -> None:
    client = sign_in(account.memberships.get().user)
    assert client.get("/admin/", follow=True).status_code == 403


@pytest.mark.parametrize("model", list(MODELS))
def test_staff_list_search_and_open(
    staff: User, account: BillingAccount, sign_in: SignIn, model: str
) -> None:
    client = sign_in(staff)
    assert client.get(f"/admin/accounts/{model}/").status_code == 200
    assert client.get(f"/admin/accounts/{model}/?q=northwind").status_code == 200
    shown = MODELS[model].objects.latest("pk")
    page = client.get(f"/admin/accounts/{model}/{shown.pk}/change/").content.decode()
    for key in ApiKey.objects.all():
        assert bytes(key.digest).hex() not in page
    assert "token_digest" not in page
    assert 'name="password"' not in page


@pytest.mark.parametrize("model", list(MODELS))
def test_nothing_is_added_or_deleted_by_hand(
    staff: User, account: BillingAccount, sign_in: SignIn, model: str
) -> None:
    client = sign_in(staff)
    assert client.get(f"/admin/accounts/{model}/add/").status_code == 403
    shown = MODELS[model].objects.latest("pk")
    assert client.post(f"/admin/accounts/{model}/{shown.pk}/delete/", {"post": "yes"}).status_code == 403
    assert MODELS[model].objects.filter(pk=shown.pk).exists()


def test_what_money_depends_on_is_not_editable(staff: User, account: BillingAccount, sign_in: SignIn) -> None:
    inlines = {
        f"{name}-{part}": "0"
        for name in (
            "memberships",
            "api_keys",
            "spending_limit",
            "balance_alert",
            "notice_choices",
            "notices",
        )
        for part in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")
    }
    changes = {"profile": "toon", "plan": "pro", "mode": "postpaid", "unit": "EUR", "status": "closed"}
    data = {
        "name": "Renamed",
        "email": "new@example.com",
        "stripe_customer_id": "cus_evil",
        **changes,
        **inlines,
    }
    response = sign_in(staff).post(f"/admin/accounts/billingaccount/{account.pk}/change/", data)
    assert response.status_code == 302
    account.refresh_from_db()
    assert (account.name, account.email) == ("Renamed", "new@example.com")
    assert (account.profile, account.plan, account.mode, account.unit) == ("ads", "", "prepaid", "credit")
    assert (account.status, account.stripe_customer_id) == ("active", None)


def test_an_account_is_found_by_the_id_customers_know(
    staff: User, account: BillingAccount, sign_in: SignIn
) -> None:
    page = sign_in(staff).get(f"/admin/accounts/billingaccount/?q={account.public_id}").content.decode()
    assert f"/admin/accounts/billingaccount/{account.pk}/change/" in page


def test_staff_revoke_keys_and_it_is_logged(staff: User, account: BillingAccount, sign_in: SignIn) -> None:
    key = account.api_keys.get()
    data = {"action": "revoke", "_selected_action": [str(key.pk)]}
    sign_in(staff).post("/admin/accounts/apikey/", data)
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert LogEntry.objects.get().user == staff


def test_staff_revoke_invitations(staff: User, account: BillingAccount, sign_in: SignIn) -> None:
    data = {"action": "revoke", "_selected_action": [str(account.invitations.get().pk)]}
    sign_in(staff).post("/admin/accounts/invitation/", data)
    assert not Invitation.objects.exists()


def test_only_superusers_make_superusers(
    account: BillingAccount, make_user: MakeUser, make_account: MakeAccount, sign_in: SignIn
) -> None:
    from django.contrib.auth.models import Permission

    helper = make_user("helper@example.com", is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    boss = make_user("boss@example.com", is_staff=True, is_superuser=True)
    client = sign_in(helper)
    client.post(
        f"/admin/accounts/user/{helper.pk}/change/", {"is_superuser": "on", "timezone": "UTC", "locale": "en"}
    )
    client.post(f"/admin/accounts/user/{boss.pk}/change/", {"is_active": ""})
    helper.refresh_from_db()
    boss.refresh_from_db()
    assert not helper.is_superuser
    assert boss.is_active


def test_staff_need_a_second_factor_where_it_is_required(
    staff: User, sign_in: SignIn, settings: Settings
) -> None:
    client = sign_in(staff)
    assert client.get("/admin/").status_code == 200
    settings.PORTAL_STAFF_MFA_REQUIRED = True
    assert client.get("/admin/")["Location"] == "/accounts/2fa/"
    assert "needs two-step sign-in" in client.get("/accounts/2fa/").content.decode()


# --- the command


@pytest.mark.django_db
def test_the_command_prints_a_working_service_key() -> None:
    out = StringIO()
    call_command("create_service_key", "--name", "studio", "--json", stdout=out)
    key = keys.verify(json.loads(out.getvalue())["api_key"])
    assert key is not None
    assert (key.kind, key.name) == ("service", "studio")
    out = StringIO()
    call_command("create_service_key", "--name", "studio", stdout=out)
    assert keys.verify(out.getvalue().strip()) is not None


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb"])
def test_the_command_refuses_a_bad_name(name: str) -> None:
    with pytest.raises(CommandError, match="1 to 80"):
        call_command("create_service_key", "--name", name)
    assert not ApiKey.objects.exists()
