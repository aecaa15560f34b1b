"""Every page of accounts answers, whole: no component left unrendered, no style or script inline."""

import re

import pytest
from django.test import Client

from tests.accounts.conftest import MakeAccount, MakeUser, SignIn

SIGNED_OUT = [
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/nonsense/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-nonsense/",
    "/accounts/password/reset/key/done/",
    "/accounts/login/code/",
    "/accounts/inactive/",
]
SIGNED_IN = [
    "/team",
    "/team/leave",
    "/settings",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/logout/",
    "/accounts/sessions/",
    "/accounts/2fa/",
    "/accounts/reauthenticate/",
]


def assert_whole(html: str) -> None:
    assert "<c-" not in html
    assert "{{" not in html
    assert "{%" not in html
    assert re.search(r"\sstyle=", html) is None
    assert re.search(r"\son\w+=", html) is None
    assert re.search(r"<script(?![^>]*(?:src=|application/json))", html) is None
    assert len(re.findall(r"<h1", html)) == 1
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids)), sorted(name for name in ids if ids.count(name) > 1)
    labelled = set(re.findall(r'<label[^>]* for="([^"]+)"', html))
    for tag in re.findall(r"<(?:input|select|textarea)[^>]*>", html):
        name = re.search(r'\sid="([^"]+)"', tag)
        hidden = 'type="hidden"' in tag or 'type="radio"' in tag
        assert hidden or (name is not None and name[1] in labelled), tag


@pytest.mark.django_db
@pytest.mark.parametrize("path", SIGNED_OUT)
def test_a_signed_out_page_is_whole(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 200
    assert_whole(response.content.decode())


@pytest.mark.parametrize("path", SIGNED_IN)
def test_a_signed_in_page_is_whole_and_stays_out_of_caches(
    make_user: MakeUser, make_account: MakeAccount, sign_in: SignIn, path: str
) -> None:
    user = make_user(name="Ada")
    make_account(owner=user, viewer=make_user())
    response = sign_in(user).get(path)
    assert response.status_code == 200
    assert_whole(response.content.decode())
    assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize("path", ["/team", "/settings", "/keys", "/accounts/2fa/", "/team/leave"])
def test_a_stranger_is_sent_to_sign_in_and_back(db: None, client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 302
    assert response["Location"] == f"/accounts/login/?next={path}"


@pytest.mark.django_db
def test_a_stranger_s_htmx_request_moves_the_whole_page(client: Client) -> None:
    response = client.get("/keys/new", headers={"HX-Request": "true"})
    assert response.status_code == 200
    assert response["HX-Redirect"] == "/accounts/login/?next=/keys/new"
    assert response.content == b""
