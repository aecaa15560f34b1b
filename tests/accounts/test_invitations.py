"""Invitations: sent, accepted once by the right person in time, replaced, revoked."""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from allauth.account.models import EmailAddress
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test import Client

from accounts import invitations
from accounts.errors import AlreadyMember, InvitationForSomeoneElse, InvitationNotValid, TooManyInvitations
from accounts.models import BillingAccount, Invitation, Membership, User
from tests.accounts.conftest import MakeAccount, MakeUser, SignIn

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def invite(account: BillingAccount, by: User, email: str, role: str = "developer") -> str:
    return invitations.invite(account=account, email=email, role=role, invited_by=by)[1]


@pytest.fixture
def owner(make_user: MakeUser) -> User:
    return make_user("owner@example.com", name="Olivia")


@pytest.fixture
def account(make_account: MakeAccount, owner: User) -> BillingAccount:
    return make_account(owner=owner)


# --- the service


def test_the_invited_person_becomes_a_member_with_the_role(
    account: BillingAccount, owner: User, make_user: MakeUser
) -> None:
    guest = make_user("guest@example.com")
    membership = invitations.accept(token=invite(account, owner, "guest@example.com"), user=guest)
    assert (membership.account, membership.user, membership.role) == (account, guest, "developer")


def test_the_case_of_the_address_does_not_matter(
    account: BillingAccount, owner: User, make_user: MakeUser
) -> None:
    token = invite(account, owner, "Guest@Example.COM ")
    assert invitations.accept(token=token, user=make_user("guest@example.com")).role == "developer"


def test_a_link_works_once(account: BillingAccount, owner: User, make_user: MakeUser) -> None:
    guest, token = make_user("guest@example.com"), invite(account, owner, "guest@example.com")
    membership = invitations.accept(token=token, user=guest)
    membership.delete()
    with pytest.raises(InvitationNotValid):
        invitations.accept(token=token, user=guest)
    assert not Membership.objects.filter(user=guest).exists()


def test_a_link_works_for_seven_days(account: BillingAccount, owner: User, make_user: MakeUser) -> None:
    guest = make_user("guest@example.com")
    with time_machine.travel(NOON, tick=False) as clock:
        token = invite(account, owner, "guest@example.com")
        clock.shift(timedelta(days=7))
        with pytest.raises(InvitationNotValid):
            invitations.accept(token=token, user=guest)
        clock.shift(-timedelta(microseconds=1))
        assert invitations.accept(token=token, user=guest).account == account


def test_somebody_else_cannot_use_it(account: BillingAccount, owner: User, make_user: MakeUser) -> None:
    token = invite(account, owner, "guest@example.com")
    with pytest.raises(InvitationForSomeoneElse, match=r"guest@example\.com"):
        invitations.accept(token=token, user=make_user("other@example.com"))
    assert invitations.find(token).accepted_at is None


def test_an_unverified_address_does_not_count(
    account: BillingAccount, owner: User, make_user: MakeUser
) -> None:
    other = make_user("other@example.com")
    EmailAddress.objects.create(user=other, email="guest@example.com", verified=False)
    with pytest.raises(InvitationForSomeoneElse):
        invitations.accept(token=invite(account, owner, "guest@example.com"), user=other)


def test_a_revoked_link_does_not_work(account: BillingAccount, owner: User) -> None:
    token = invite(account, owner, "guest@example.com")
    invitations.revoke(invitations.find(token))
    with pytest.raises(InvitationNotValid):
        invitations.find(token)


def test_sending_again_ends_the_link_sent_before(account: BillingAccount, owner: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = invite(account, owner, "guest@example.com")
        clock.shift(timedelta(minutes=1))
        second = invitations.resend(Invitation.objects.get())
        assert invitations.find(second).expires_at == NOON + timedelta(days=7, minutes=1)
    with pytest.raises(InvitationNotValid):
        invitations.find(first)


def test_inviting_an_address_again_replaces_the_open_invitation(account: BillingAccount, owner: User) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        invite(account, owner, "guest@example.com", "viewer")
        clock.shift(timedelta(minutes=1))
        invite(account, owner, "GUEST@example.com", "billing")
    assert [i.role for i in Invitation.objects.all()] == ["billing"]


def test_an_address_is_not_mailed_twice_within_a_minute(account: BillingAccount, owner: User) -> None:
    invite(account, owner, "guest@example.com")
    with pytest.raises(TooManyInvitations):
        invite(account, owner, "guest@example.com")
    with pytest.raises(TooManyInvitations):
        invitations.resend(Invitation.objects.get())


def test_an_account_has_fifty_open_invitations_at_most(account: BillingAccount, owner: User) -> None:
    for number in range(invitations.OPEN_AT_MOST):
        invite(account, owner, f"guest{number}@example.com")
    with pytest.raises(TooManyInvitations):
        invite(account, owner, "one.more@example.com")


def test_a_member_is_not_invited(account: BillingAccount, owner: User) -> None:
    with pytest.raises(AlreadyMember):
        invite(account, owner, "OWNER@example.com")


def test_a_member_who_accepts_keeps_the_role_they_have(account: BillingAccount, owner: User) -> None:
    token = invite(account, owner, "second@example.com", "viewer")
    EmailAddress.objects.create(user=owner, email="second@example.com", verified=True)
    assert invitations.accept(token=token, user=owner).role == "owner"


def test_a_closed_account_takes_nobody_in(account: BillingAccount, owner: User, make_user: MakeUser) -> None:
    token = invite(account, owner, "guest@example.com")
    BillingAccount.objects.update(status=BillingAccount.Status.CLOSED)
    with pytest.raises(InvitationNotValid):
        invitations.accept(token=token, user=make_user("guest@example.com"))


def test_the_token_is_stored_only_hashed(account: BillingAccount, owner: User) -> None:
    token = invite(account, owner, "guest@example.com")
    with connection.cursor() as cursor:
        cursor.execute("select row_to_json(i)::text from accounts_invitation i")
        assert token not in cursor.fetchone()[0]


@pytest.mark.django_db(transaction=True)
def test_a_link_used_twice_at_once_joins_once(make_account: MakeAccount, make_user: MakeUser) -> None:
    owner, guest = make_user(), make_user("guest@example.com")
    token = invite(make_account(owner=owner), owner, "guest@example.com")
    start, outcomes = threading.Barrier(4), []

    def accept() -> None:
        start.wait()
        try:
            invitations.accept(token=token, user=guest)
            outcomes.append("joined")
        except InvitationNotValid:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=accept) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["joined", "refused", "refused", "refused"]


# --- the pages


def link_in(mail: EmailMultiAlternatives) -> str:
    found = re.search(r"https?://[^/]+(/\S+)", str(mail.body))
    assert found is not None
    return found[1]


def test_an_owner_invites_by_mail(
    account: BillingAccount, owner: User, sign_in: SignIn, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    client = sign_in(owner)
    response = client.post(
        "/team/invitations", {"email": "guest@example.com", "role": "billing"}, follow=True
    )
    assert "Invitation sent to guest@example.com" in response.content.decode()
    [mail] = mailoutbox
    assert mail.to == ["guest@example.com"]
    assert mail.subject == "Olivia invited you to Northwind"
    assert "as billing" in str(mail.body)
    path = link_in(mail)
    assert path in str(mail.alternatives[0][0])
    assert Client().get(path).status_code == 200


def test_a_name_cannot_put_markup_into_the_mail(
    account: BillingAccount, owner: User, sign_in: SignIn, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    BillingAccount.objects.update(name='<img src="//evil.example">')
    sign_in(owner).post("/team/invitations", {"email": "guest@example.com", "role": "viewer"})
    assert "<img" not in str(mailoutbox[0].alternatives[0][0])


@pytest.mark.parametrize(
    "data",
    [
        {"email": "no address", "role": "viewer"},
        {"email": "guest@example.com", "role": "emperor"},
        {"email": "owner@example.com", "role": "viewer"},
        {"email": "a" * 300 + "@example.com", "role": "viewer"},
        {"email": "g\x00@example.com", "role": "viewer"},
        {},
    ],
)
def test_a_bad_invitation_keeps_what_was_typed(
    account: BillingAccount, owner: User, sign_in: SignIn, data: dict[str, str], mailoutbox: list[object]
) -> None:
    response = sign_in(owner).post("/team/invitations", data)
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert mailoutbox == []
    assert not Invitation.objects.exists()


def test_a_mail_server_that_is_down_is_said_and_the_invitation_stays(
    account: BillingAccount, owner: User, sign_in: SignIn, settings: object
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"  # type: ignore[attr-defined]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9  # type: ignore[attr-defined]
    data = {"email": "guest@example.com", "role": "viewer"}
    response = sign_in(owner).post("/team/invitations", data, follow=True)
    assert "could not be sent" in response.content.decode()
    assert Invitation.objects.count() == 1


def test_twenty_mails_an_hour_are_enough(account: BillingAccount, owner: User, sign_in: SignIn) -> None:
    client = sign_in(owner)
    answers = [
        client.post("/team/invitations", {"email": f"g{n}@example.com", "role": "viewer"}).status_code
        for n in range(21)
    ]
    assert answers == [302] * 20 + [429]


def test_a_person_signed_in_joins_and_looks_at_the_account(
    account: BillingAccount, owner: User, make_user: MakeUser, make_account: MakeAccount, sign_in: SignIn
) -> None:
    guest = make_user("guest@example.com")
    make_account("Own", owner=guest)
    client, token = sign_in(guest), invite(account, owner, "guest@example.com")
    assert "Join Northwind" in client.get(f"/invitations/{token}").content.decode()
    assert client.post(f"/invitations/{token}").status_code == 302
    page = client.get("/team").content.decode()
    assert "Members of Northwind" in page
    assert client.get(f"/invitations/{token}").status_code == 410


def test_the_wrong_person_is_told_whose_it_is(
    account: BillingAccount, owner: User, make_user: MakeUser, sign_in: SignIn
) -> None:
    token = invite(account, owner, "guest@example.com")
    response = sign_in(make_user("other@example.com")).post(f"/invitations/{token}")
    assert response.status_code == 403
    assert "was sent to guest@example.com" in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("token", ["x", "a" * 43, "ä%00", "%F0%9F%92%A9"])
def test_a_made_up_link_does_not_work(client: Client, token: str) -> None:
    assert client.get(f"/invitations/{token}").status_code == 410


def test_a_stranger_posting_joins_nothing(account: BillingAccount, owner: User, client: Client) -> None:
    token = invite(account, owner, "guest@example.com")
    assert client.post(f"/invitations/{token}").status_code == 200
    assert invitations.find(token).accepted_at is None


@pytest.mark.usefixtures("ads")
def test_signing_up_from_the_link_needs_no_second_mail(
    account: BillingAccount, owner: User, client: Client, mailoutbox: list[object]
) -> None:
    path = f"/invitations/{invite(account, owner, 'guest@example.com')}"
    page = client.get(path).content.decode()
    assert f"/accounts/signup/?next={path.replace('/', '%2F')}" in page
    data = {"email": "Guest@example.com", "password1": "a long enough one", "next": path}
    response = client.post("/accounts/signup/", data)
    assert response["Location"] == path
    assert mailoutbox == []
    client.post(path)
    assert Membership.objects.get(account=account, user__email="guest@example.com").role == "developer"


@pytest.mark.usefixtures("ads")
def test_the_link_vouches_for_no_other_address(account: BillingAccount, owner: User, client: Client) -> None:
    client.get(f"/invitations/{invite(account, owner, 'guest@example.com')}")
    client.post("/accounts/signup/", {"email": "ceo@example.com", "password1": "a long enough one"})
    assert not EmailAddress.objects.get(email="ceo@example.com").verified
