"""Who gets in: every operation with no key, a wrong key, a key of the other kind; and keys/verify."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.keys import create_key, create_service_key, generate, revoke
from billing.api.document import document, operations
from tests.billing.api.conftest import Api, Payer

CHARGE = "ch_" + "0" * 32


def keyed() -> Iterator[tuple[str, str, str]]:
    """Method, path and security scheme of every operation that needs a key."""
    for path, method, operation in operations(document()):
        schemes = [name for way in operation.get("security", []) for name in way]
        if schemes and {} not in operation["security"]:
            yield method.upper(), path.replace("{charge_id}", CHARGE), schemes[0]


KEYED = list(keyed())
IDS = [f"{method} {path}" for method, path, _ in KEYED]


def call(api: Api, method: str, path: str) -> tuple[int, str]:
    reply = api.call(method, path, None if method == "GET" else {})
    return reply.status, reply.code


@pytest.mark.parametrize(("method", "path", "scheme"), KEYED, ids=IDS)
def test_without_a_key_nothing_opens(anyone: Api, method: str, path: str, scheme: str) -> None:
    reply = anyone.call(method, path, None if method == "GET" else {})
    assert (reply.status, reply.code) == (401, "unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path", "scheme"), KEYED, ids=IDS)
def test_the_other_kind_of_key_is_forbidden(
    ann: Payer, studio: Api, method: str, path: str, scheme: str
) -> None:
    if scheme == "AnyKey":
        pytest.skip("takes both kinds")
    stranger = studio if scheme == "CustomerAuth" else ann.api
    assert call(stranger, method, path) == (403, "forbidden")


def bad_keys(good: str) -> dict[str, str]:
    return {
        "unknown": generate("customer"),
        "mistyped": good[:-1] + ("0" if good[-1] != "0" else "1"),
        "cut off": good[:-3],
        "longer": good + "x",
        "other prefix": "sk_live_" + good[4:],
        "upper case": good.upper(),
        "nothing": "",
        "not ASCII": "bpk_" + "ß" * 38,
        "two": f"{good} {good}",
    }


@pytest.mark.parametrize("what", bad_keys("bpk_" + "0" * 38))
def test_a_key_that_is_none_is_refused(ann: Payer, what: str) -> None:
    text = bad_keys(ann.key)[what]
    response = Client().get("/v1/balance", headers={"Authorization": f"Bearer {text}"})
    assert response.status_code == 401
    assert json.loads(response.content)["code"] == "unauthorized"
    if text:
        assert text not in response.content.decode()


@pytest.mark.parametrize("header", ["", "Bearer", "Basic {key}", "{key}", "Token {key}", "Bearer\t{key}"])
def test_the_header_has_one_form(ann: Payer, header: str) -> None:
    response = Client().get("/v1/balance", headers={"Authorization": header.format(key=ann.key)})
    assert response.status_code == 401


def test_a_key_is_not_taken_from_the_query(ann: Payer) -> None:
    assert Api().get(f"/v1/balance?api_key={ann.key}").status == 401


def test_a_session_is_not_a_key(ann: Payer) -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 32
    response = client.get("/v1/balance")
    assert response.status_code == 401
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_a_revoked_key_is_refused_at_once(ann: Payer) -> None:
    key, text = create_key(account=ann.account, name="Second")
    assert Api(text).get("/v1/balance").status == 200
    revoke(key)
    assert Api(text).get("/v1/balance").status == 401


def test_an_expired_key_is_refused(ann: Payer) -> None:
    key, text = create_key(account=ann.account, name="Second")
    type(key).objects.filter(pk=key.pk).update(expires_at=now() - timedelta(seconds=1))
    assert Api(text).get("/v1/balance").status == 401


def test_verify_says_whose_key_it_is(ann: Payer, studio: Api) -> None:
    assert studio.post("/v1/keys/verify", {"api_key": ann.key}).body == {
        "valid": True,
        "account": ann.account.public_id,
        "plan": None,
        "mode": "prepaid",
    }


def test_verify_says_nothing_of_other_texts(ann: Payer, studio: Api) -> None:
    _, service_key = create_service_key("Other")
    for text in (generate("customer"), "bpk_nonsense", "", "\U0001f511", service_key):
        reply = studio.post("/v1/keys/verify", {"api_key": text})
        assert reply.status == 200
        assert reply.body == {"valid": False, "account": None, "plan": None, "mode": None}


@pytest.mark.parametrize(
    "body", [{}, {"api_key": None}, {"api_key": 1}, {"api_key": "x" * 1001}, {"key": "x"}]
)
def test_verify_takes_one_text(studio: Api, body: dict[str, object]) -> None:
    assert studio.post("/v1/keys/verify", body).status == 422
