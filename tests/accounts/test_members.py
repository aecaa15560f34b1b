"""Roles changed, members removed, the last owner kept; the account in view."""

import threading

import pytest
from django.db import connection, transaction

from accounts import members
from accounts.errors import LastOwner
from accounts.models import BillingAccount, Membership, Role
from tests.accounts.conftest import MakeAccount, MakeUser, SignIn


def test_the_last_owner_stays_owner(make_account: MakeAccount, make_user: MakeUser) -> None:
    only = make_account(owner=make_user(), viewer=make_user()).memberships.get(role=Role.OWNER)
    with pytest.raises(LastOwner):
        members.change_role(only, Role.BILLING)
    with pytest.raises(LastOwner):
        members.remove(only)
    only.refresh_from_db()
    assert only.role == Role.OWNER


def test_one_of_two_owners_may_go(make_account: MakeAccount, make_user: MakeUser) -> None:
    account = make_account(owner=make_user(), viewer=make_user())
    second = account.memberships.get(role=Role.VIEWER)
    members.change_role(second, Role.OWNER)
    members.remove(account.memberships.exclude(pk=second.pk).get())
    assert [member.pk for member in account.memberships.all()] == [second.pk]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "step_down", [members.remove, lambda member: members.change_role(member, Role.VIEWER)]
)
def test_two_owners_stepping_down_at_once_leave_one(
    make_account: MakeAccount, make_user: MakeUser, step_down: object
) -> None:
    account = make_account(owner=make_user())
    Membership.objects.create(account=account, user=make_user(), role=Role.OWNER)
    first, second = account.memberships.order_by("pk")
    refused = []

    def go() -> None:
        try:
            step_down(second)  # type: ignore[operator]
        except LastOwner:
            refused.append(second)
        finally:
            connection.close()

    other = threading.Thread(target=go)
    with transaction.atomic():
        step_down(first)  # type: ignore[operator]
        other.start()
        other.join(timeout=0.5)
        assert other.is_alive(), "the second waits until the first is decided"
    other.join()
    assert refused == [second]
    assert account.memberships.filter(role=Role.OWNER).count() == 1


def test_an_owner_changes_a_role_on_the_page(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    owner = make_user()
    account = make_account(owner=owner, viewer=make_user("vi@example.com"))
    member = account.memberships.get(role=Role.VIEWER)
    response = sign_in(owner).post(f"/team/members/{member.pk}/role", {"role": "developer"}, follow=True)
    assert "vi@example.com is now developer" in response.content.decode()
    response = sign_in(owner).post(f"/team/members/{member.pk}/role", {"role": "emperor"}, follow=True)
    assert "no such role" in response.content.decode()
    member.refresh_from_db()
    assert member.role == "developer"


def test_the_last_owner_who_leaves_is_told_what_to_do(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    owner = make_user()
    make_account(owner=owner)
    response = sign_in(owner).post("/team/leave", follow=True)
    assert "Make somebody else owner first" in response.content.decode()


def test_a_viewer_leaves(make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn) -> None:
    viewer = make_user()
    account = make_account(owner=make_user(), viewer=viewer)
    assert sign_in(viewer).post("/team/leave").status_code == 302
    assert not account.memberships.filter(user=viewer).exists()


def test_a_removed_member_sees_nothing_any_more(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    owner, viewer = make_user(), make_user()
    account = make_account(owner=owner, viewer=viewer)
    browser = sign_in(viewer)
    assert browser.get("/team").status_code == 200
    sign_in(owner).post(f"/team/members/{account.memberships.get(user=viewer).pk}/remove")
    assert browser.get("/team").status_code == 404


# --- the account in view


def test_switching_accounts_lasts(make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn) -> None:
    me = make_user()
    make_account("First", owner=me)
    second = make_account("Second", viewer=me, owner=make_user())
    client = sign_in(me)
    assert "Members of First" in client.get("/team").content.decode()
    assert client.post("/switch-account", {"account": second.public_id}).status_code == 302
    assert "Members of Second" in client.get("/team").content.decode()


@pytest.mark.parametrize("shown", ["theirs", "acct_" + "0" * 32, "nonsense", ""])
def test_other_people_s_accounts_cannot_be_looked_at(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn, shown: str
) -> None:
    me = make_user()
    make_account("Mine", owner=me)
    theirs = make_account("Theirs", owner=make_user())
    client = sign_in(me)
    chosen = theirs.public_id if shown == "theirs" else shown
    assert client.post("/switch-account", {"account": chosen}).status_code == 404
    assert "Members of Mine" in client.get("/team").content.decode()


def test_a_closed_account_is_not_shown(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn
) -> None:
    me = make_user()
    closed = make_account("Closed", owner=me)
    make_account("Open", owner=me)
    BillingAccount.objects.filter(pk=closed.pk).update(status=BillingAccount.Status.CLOSED)
    assert "Members of Open" in sign_in(me).get("/team").content.decode()


@pytest.mark.usefixtures("ads")
def test_who_has_no_account_gets_one_on_the_first_page(make_user: MakeUser, sign_in: SignIn) -> None:
    me = make_user(company="Analytical")
    assert "Members of Analytical" in sign_in(me).get("/team").content.decode()
    assert BillingAccount.objects.get().opened_for == me


@pytest.mark.usefixtures("ads")
def test_working_in_the_admin_opens_no_account(make_user: MakeUser, sign_in: SignIn) -> None:
    client = sign_in(make_user(is_staff=True, is_superuser=True))
    assert client.get("/admin/").status_code == 200
    assert client.get("/accounts/2fa/").status_code == 200
    assert not BillingAccount.objects.exists()
