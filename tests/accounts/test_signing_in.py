"""Signing up, confirming, signing in and out, resetting: what happens, and what nobody can learn."""

import re
import threading
from collections.abc import Iterable

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.test import Client

from accounts.models import BillingAccount, Membership, User
from tests.accounts.conftest import PASSWORD, MakeUser, SignIn

SIGN_UP = {
    "email": "Ada@Example.com",
    "password1": "a long enough one",
    "name": "Ada",
    "company": "Analytical",
}


def link_in(mail: EmailMultiAlternatives) -> str:
    found = re.search(r"https?://[^/]+(/\S+)", str(mail.body))
    assert found is not None
    return found[1]


def shape(html: str) -> str:
    """A page without its tokens, for comparing two."""
    return re.sub(r'(name="csrfmiddlewaretoken" value=|X-CSRFToken": )"[^"]+"', r"\1", html)


@pytest.mark.usefixtures("ads")
def test_sign_up_confirm_and_look_around(client: Client, mailoutbox: list[EmailMultiAlternatives]) -> None:
    response = client.post("/accounts/signup/", SIGN_UP)
    assert response["Location"] == "/accounts/confirm-email/"
    assert client.get("/team").status_code == 302, "signed in before the address is confirmed"

    [mail] = mailoutbox
    assert mail.to == ["ada@example.com"]
    assert mail.subject == "Confirm your email address"
    link = link_in(mail)
    assert link in str(mail.alternatives[0][0])

    assert client.get(link).status_code == 200
    assert not EmailAddress.objects.get().verified, "a mail scanner opening the link confirms nothing"
    assert client.post(link)["Location"] == "/"

    page = client.get("/team").content.decode()
    assert "Members of Analytical" in page
    user = User.objects.get()
    assert (user.email, user.name, user.company) == ("ada@example.com", "Ada", "Analytical")
    assert Membership.objects.get().role == "owner"
    assert BillingAccount.objects.get().opened_for == user


@pytest.mark.usefixtures("ads")
def test_the_page_one_came_for_is_reached_after_confirming(
    client: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    client.post("/accounts/signup/", {**SIGN_UP, "next": "/keys"})
    assert client.post(link_in(mailoutbox[0]))["Location"] == "/keys"


@pytest.mark.usefixtures("ads")
def test_a_sign_up_is_confirmed_once(client: Client, mailoutbox: list[EmailMultiAlternatives]) -> None:
    client.post("/accounts/signup/", SIGN_UP)
    link = link_in(mailoutbox[0])
    client.post(link)
    assert "This link does not work" in Client().get(link).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "no address"),
        ("email", "a" * 300 + "@example.com"),
        ("email", "a\x00@example.com"),
        ("password1", "short"),
        ("password1", "password123"),
        ("name", "x" * 121),
        ("name", "two\nlines"),
        ("company", "a\u202eb"),
    ],
)
def test_a_bad_sign_up_keeps_what_was_typed(client: Client, field: str, value: str) -> None:
    response = client.post("/accounts/signup/", {**SIGN_UP, field: value})
    assert response.status_code == 200
    page = response.content.decode()
    assert f'id="id_{field}_error"' in page
    assert re.search(rf'<input[^>]*name="{field}"[^>]*aria-describedby="[^"]*id_{field}_error', page)
    assert 'value="Analytical"' in page or field == "company"
    assert SIGN_UP["password1"] not in page
    assert not User.objects.exists()


# --- who exists stays unknown


@pytest.mark.usefixtures("ads")
def test_signing_up_does_not_say_who_has_an_account(
    make_user: MakeUser, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    make_user("ada@example.com")
    known, unknown = Client(), Client()
    first = known.post("/accounts/signup/", SIGN_UP)
    second = unknown.post("/accounts/signup/", {**SIGN_UP, "email": "new@example.com"})
    assert (first.status_code, first["Location"]) == (second.status_code, second["Location"])
    assert shape(known.get(first["Location"]).content.decode()) == shape(
        unknown.get(second["Location"]).content.decode()
    )
    assert [mail.subject for mail in mailoutbox] == [
        "You have an account already",
        "Confirm your email address",
    ]
    assert User.objects.filter(email="ada@example.com").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_sign_ups_at_once_with_one_address_make_one_person(ads: None) -> None:
    start, answers = threading.Barrier(4), []

    def sign_up() -> None:
        start.wait()
        response = Client().post("/accounts/signup/", SIGN_UP)
        answers.append((response.status_code, response.get("Location")))
        connection.close()

    threads = [threading.Thread(target=sign_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(302, "/accounts/confirm-email/")] * 4
    assert User.objects.count() == 1
    assert BillingAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("path", "field", "extra"),
    [
        ("/accounts/login/", "login", {"password": "wrong"}),
        ("/accounts/password/reset/", "email", {}),
        ("/accounts/login/code/", "email", {}),
    ],
)
def test_no_form_says_who_has_an_account(
    make_user: MakeUser, path: str, field: str, extra: dict[str, str]
) -> None:
    make_user("ada@example.com")
    answers = []
    for email in ("ada@example.com", "eve@example.com"):
        response = Client().post(path, {field: email, **extra})
        answers.append(
            (
                response.status_code,
                response.get("Location"),
                shape(response.content.decode()).replace(email, ""),
            )
        )
    assert answers[0] == answers[1]


def test_a_wrong_password_is_slowed_down(make_user: MakeUser, client: Client) -> None:
    make_user("ada@example.com")
    for _ in range(5):
        client.post("/accounts/login/", {"login": "ada@example.com", "password": "wrong"})
    response = client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert "Too many failed login attempts" in response.content.decode()


def test_a_forged_address_header_does_not_lift_the_limit(make_user: MakeUser, client: Client) -> None:
    codes = [
        client.post(
            "/accounts/login/",
            {"login": f"p{n}@example.com", "password": "wrong"},
            headers={"X-Forwarded-For": f"10.0.0.{n}"},
        ).status_code
        for n in range(31)
    ]
    assert codes[-1] == 429


# --- sessions


def test_the_session_is_a_new_one_after_signing_in(make_user: MakeUser, client: Client) -> None:
    make_user("ada@example.com")
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    client.post("/accounts/login/", {"login": "ADA@example.com", "password": PASSWORD})
    assert client.session.session_key != before
    assert client.get("/accounts/2fa/").status_code == 200


def test_signing_out_takes_a_post(make_user: MakeUser, sign_in: SignIn) -> None:
    client = sign_in(make_user())
    client.get("/accounts/logout/")
    assert client.get("/accounts/2fa/").status_code == 200
    assert client.post("/accounts/logout/")["Location"] == "/accounts/login/"
    assert client.get("/accounts/2fa/").status_code == 302


def test_a_new_password_signs_other_browsers_out(
    make_user: MakeUser, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    make_user("ada@example.com")
    here, there = Client(), Client()
    for browser in (here, there):
        browser.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    data = {"oldpassword": PASSWORD, "password1": "another long one", "password2": "another long one"}
    here.post("/accounts/password/change/", data)
    assert here.get("/accounts/2fa/").status_code == 200
    assert there.get("/accounts/2fa/").status_code == 302
    assert [mail.subject for mail in mailoutbox] == ["Your password was changed"]


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_next_never_leads_to_another_site(
    make_user: MakeUser, client: Client, target: str, method: str
) -> None:
    make_user("ada@example.com")
    data = {"login": "ada@example.com", "password": PASSWORD}
    if method == "post":
        response = client.post("/accounts/login/", {**data, "next": target})
    else:
        response = client.post(f"/accounts/login/?next={target}", data)
    assert response["Location"] == "/"


def test_somebody_switched_off_cannot_sign_in(make_user: MakeUser, client: Client) -> None:
    make_user("ada@example.com", is_active=False)
    response = client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert response["Location"] == "/accounts/inactive/"
    assert client.get("/accounts/2fa/").status_code == 302


# --- without a password, with a second step


def test_reset_by_mail(make_user: MakeUser, client: Client, mailoutbox: list[EmailMultiAlternatives]) -> None:
    make_user("ada@example.com")
    client.post("/accounts/password/reset/", {"email": "ADA@example.com"})
    assert mailoutbox[0].subject == "Choose a new password"
    form = client.get(link_in(mailoutbox[0]))["Location"]
    assert "Choose a new password" in client.get(form).content.decode()
    client.post(form, {"password1": "another long one", "password2": "another long one"})
    assert User.objects.get().check_password("another long one")
    assert "This link does not work" in Client().get(link_in(mailoutbox[0])).content.decode()


def test_sign_in_by_code(
    make_user: MakeUser, client: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    make_user("ada@example.com")
    client.post("/accounts/login/code/", {"email": "ada@example.com"})
    code = str(mailoutbox[0].subject).split()[0]
    assert "Enter the code" in client.get("/accounts/login/code/confirm/").content.decode()
    assert client.post("/accounts/login/code/confirm/", {"code": code})["Location"] == "/"
    assert client.get("/accounts/2fa/").status_code == 200


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_step_sign_in(
    make_user: MakeUser, client: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    make_user("ada@example.com")
    credentials = {"login": "ada@example.com", "password": PASSWORD}
    client.post("/accounts/login/", credentials)
    asked = client.get("/accounts/2fa/totp/activate/")["Location"]
    assert "Is it you?" in client.get(asked).content.decode()
    assert client.post(asked, {"password": PASSWORD})["Location"] == "/accounts/2fa/totp/activate/"
    secret = client.get("/accounts/2fa/totp/activate/").context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": code_of(secret)})
    assert [mail.subject for mail in mailoutbox] == ["Authenticator app turned on"]
    assert secret not in "".join(rows_of(["mfa_authenticator"]))
    for page in (
        "",
        "recovery-codes/",
        "recovery-codes/generate/",
        "totp/deactivate/",
        "webauthn/",
        "webauthn/add/",
    ):
        assert client.get(f"/accounts/2fa/{page}").status_code == 200, page

    elsewhere = Client()
    assert elsewhere.post("/accounts/login/", credentials)["Location"] == "/accounts/2fa/authenticate/"
    assert elsewhere.get("/accounts/2fa/").status_code == 302
    assert "One more step" in elsewhere.get("/accounts/2fa/authenticate/").content.decode()
    assert elsewhere.post("/accounts/2fa/authenticate/", {"code": "000000"}).status_code == 200
    codes = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()
    assert elsewhere.post("/accounts/2fa/authenticate/", {"code": codes[0]})["Location"] == "/"
    assert elsewhere.get("/accounts/2fa/").status_code == 200


def code_of(secret: str) -> str:
    """The six digits the app shows now."""
    counter = next(iter(totp.yield_hotp_counters_from_time()))
    return str(totp.format_hotp_value(totp.hotp_value(secret, counter)))


# --- what is stored and mailed


@pytest.mark.usefixtures("ads")
def test_no_password_or_link_is_stored_in_the_clear(
    client: Client, mailoutbox: list[EmailMultiAlternatives]
) -> None:
    client.post("/accounts/signup/", SIGN_UP)
    token = link_in(mailoutbox[0]).split("/")[-2]
    everything = "\n".join(rows_of(["accounts_user", "account_emailaddress", "account_emailconfirmation"]))
    assert SIGN_UP["password1"] not in everything
    assert token not in everything


def rows_of(tables: Iterable[str]) -> Iterable[str]:
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'select row_to_json(t)::text from "{table}" t')
            yield from (row[0] for row in cursor.fetchall())


@pytest.mark.parametrize(
    "message", ["password_changed", "login_code", "unknown_account", "email_confirmation"]
)
def test_names_are_escaped_in_mails(message: str) -> None:
    from django.template.loader import render_to_string

    evil = '<a href="//evil.example">x</a>'
    context = {"brand": evil, "email": evil, "ip": evil, "user_agent": evil, "code": evil, "signup_url": evil}
    html = render_to_string(f"account/email/{message}_message.html", context | {"activate_url": evil})
    assert '<a href="//evil' not in html
