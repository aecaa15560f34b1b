"""Each role against each view, and every view against somebody from another account."""

import pytest
from django.test import Client

from accounts import keys
from accounts.models import ApiKey, BillingAccount, Invitation, Membership, Role
from accounts.permissions import PERMISSIONS
from tests.accounts.conftest import MakeAccount, MakeUser, SignIn
from tests.accounts.test_invitations import invite

OWNER, BILLING, DEVELOPER, VIEWER = "owner", "billing", "developer", "viewer"
EVERYBODY = {OWNER, BILLING, DEVELOPER, VIEWER}

# method, path, who may. {member}, {invitation} and {key} are things of the account in view.
VIEWS = [
    ("GET", "/team", EVERYBODY),
    ("POST", "/team/invitations", {OWNER}),
    ("POST", "/team/invitations/{invitation}/resend", {OWNER}),
    ("POST", "/team/invitations/{invitation}/revoke", {OWNER}),
    ("POST", "/team/members/{member}/role", {OWNER}),
    ("GET", "/team/members/{member}/remove", {OWNER}),
    ("POST", "/team/members/{member}/remove", {OWNER}),
    ("GET", "/team/leave", EVERYBODY),
    ("GET", "/settings", EVERYBODY),
    ("POST", "/settings/profile", EVERYBODY),
    ("POST", "/settings/account", {OWNER, BILLING}),
    ("GET", "/keys", EVERYBODY),
    ("GET", "/keys/new", {OWNER, DEVELOPER}),
    ("POST", "/keys/new", {OWNER, DEVELOPER}),
    ("GET", "/keys/{key}/rename", {OWNER, DEVELOPER}),
    ("POST", "/keys/{key}/rename", {OWNER, DEVELOPER}),
    ("GET", "/keys/{key}/rotate", {OWNER, DEVELOPER}),
    ("POST", "/keys/{key}/rotate", {OWNER, DEVELOPER}),
    ("GET", "/keys/{key}/revoke", {OWNER, DEVELOPER}),
    ("POST", "/keys/{key}/revoke", {OWNER, DEVELOPER}),
]
OF_SOMETHING = [(method, path) for method, path, _ in VIEWS if "{" in path]


def things_of(account: BillingAccount) -> dict[str, object]:
    """A member, an invitation and a key of the account, as the paths name them."""
    invitation = account.invitations.get()
    return {
        "member": account.memberships.get(role=Role.VIEWER, user__email="bystander@example.com").pk,
        "invitation": invitation.pk,
        "key": account.api_keys.get().public_id,
    }


@pytest.fixture
def furnished(make_account: MakeAccount, make_user: MakeUser) -> BillingAccount:
    owner = make_user()
    account = make_account(owner=owner, viewer=make_user("bystander@example.com"))
    invite(account, owner, "guest@example.com")
    keys.create_key(account=account, name="Production")
    return account


@pytest.mark.usefixtures("ads")
@pytest.mark.parametrize("role", sorted(EVERYBODY))
@pytest.mark.parametrize(("method", "path", "may"), VIEWS)
def test_a_role_may_what_the_table_says(
    furnished: BillingAccount,
    make_user: MakeUser,
    sign_in: SignIn,
    role: str,
    method: str,
    path: str,
    may: set[str],
) -> None:
    me = make_user()
    Membership.objects.create(account=furnished, user=me, role=role)
    response = sign_in(me).generic(method, path.format(**things_of(furnished)))
    if role in may:
        assert response.status_code in {200, 302, 422}
    else:
        assert response.status_code == 403
        assert f"You are {role}" in response.content.decode()


@pytest.mark.parametrize(("method", "path"), OF_SOMETHING)
def test_things_of_another_account_do_not_exist(
    furnished: BillingAccount,
    make_account: MakeAccount,
    make_user: MakeUser,
    sign_in: SignIn,
    method: str,
    path: str,
) -> None:
    me = make_user()
    make_account(owner=me)
    before = snapshot_of(furnished)
    response = sign_in(me).generic(method, path.format(**things_of(furnished)))
    assert response.status_code == 404
    assert snapshot_of(furnished) == before


@pytest.mark.parametrize(("method", "path"), OF_SOMETHING)
def test_things_that_never_existed_answer_alike(
    make_account: MakeAccount, make_user: MakeUser, sign_in: SignIn, method: str, path: str
) -> None:
    me = make_user()
    make_account(owner=me)
    nothing = {"member": 999_999, "invitation": 999_999, "key": "key_" + "0" * 32}
    assert sign_in(me).generic(method, path.format(**nothing)).status_code == 404


@pytest.mark.parametrize("path", [path for method, path, _ in VIEWS if method == "POST"])
def test_without_the_csrf_token_nothing_happens(furnished: BillingAccount, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(furnished.memberships.get(role=Role.OWNER).user)
    before = snapshot_of(furnished)
    assert client.post(path.format(**things_of(furnished))).status_code == 403
    assert snapshot_of(furnished) == before


@pytest.mark.parametrize(
    "path", ["/team/invitations", "/settings/profile", "/settings/account", "/switch-account"]
)
def test_what_changes_something_does_not_answer_get(
    furnished: BillingAccount, sign_in: SignIn, path: str
) -> None:
    client = sign_in(furnished.memberships.get(role=Role.OWNER).user)
    assert client.get(path).status_code == 405


def test_the_403_page_names_the_owners(furnished: BillingAccount, sign_in: SignIn) -> None:
    client = sign_in(furnished.memberships.get(role=Role.VIEWER).user)
    page = client.get("/keys/new").content.decode()
    assert furnished.memberships.get(role=Role.OWNER).user.email in page
    assert "owner or developer" in page


def test_every_role_has_its_row() -> None:
    assert set(PERMISSIONS) == set(Role)


@pytest.mark.django_db
def test_a_member_of_no_account_gets_404(make_user: MakeUser, sign_in: SignIn) -> None:
    assert sign_in(make_user()).get("/team").status_code == 404


def snapshot_of(account: BillingAccount) -> tuple[object, ...]:
    """Everything the views could have changed."""
    return (
        list(Membership.objects.filter(account=account).order_by("pk").values_list()),
        [(i.pk, bytes(i.token_digest), i.role) for i in Invitation.objects.filter(account=account)],
        list(
            ApiKey.objects.filter(account=account)
            .order_by("pk")
            .values_list("pk", "name", "revoked_at", "expires_at")
        ),
        list(BillingAccount.objects.filter(pk=account.pk).values_list()),
    )
