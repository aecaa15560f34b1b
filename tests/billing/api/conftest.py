"""Accounts with keys on two profiles, and a client that holds every answer to the OpenAPI document."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client

from accounts.keys import create_key, create_service_key
from accounts.models import BillingAccount
from billing.api.document import document
from billing.ledger import grants
from billing.services.accounts import open_account
from billing.throttle import throttle
from catalog import snapshot
from tests import price_lists

CREDIT = 1_000_000


@dataclass(frozen=True)
class Reply:
    """An answer: status, headers, and the decoded body."""

    status: int
    headers: Any
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def fields(self) -> set[str]:
        """The fields a 422 names."""
        return {error["field"] for error in self.body["errors"]}


class Api:
    """Calls the API with a key. What is answered must be in the document: status, content type, schema."""

    def __init__(self, key: str | None = None) -> None:
        self.key = key
        self._client = Client(raise_request_exception=False)

    def get(self, path: str, **headers: str) -> Reply:
        return self.call("GET", path, None, **headers)

    def post(self, path: str, body: Any = None, idem: str | None = None, **headers: str) -> Reply:
        """``body`` is sent as JSON, bytes as they are."""
        if idem is not None:
            headers["Idempotency-Key"] = idem
        return self.call("POST", path, body, **headers)

    def put(self, path: str, body: Any) -> Reply:
        return self.call("PUT", path, body)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = self._client.generic(method, path, raw, content_type="application/json", headers=headers)
        assert not response.cookies, "the API sets no cookies"
        _in_document(method, response)
        return Reply(response.status_code, response.headers, json.loads(response.content or b"null"))


def _in_document(method: str, response: Any) -> None:
    match = response.resolver_match
    path = "/" + match.route.replace("<", "{").replace(">", "}")
    operation = document()["paths"].get(path, {}).get(method.lower())
    if operation is None or response.status_code == 405:
        return
    documented = operation["responses"].get(str(response.status_code))
    assert documented is not None, f"{method} {path} answered {response.status_code}, which is not documented"
    for content_type, content in documented.get("content", {}).items():
        assert response["Content-Type"] == content_type
        schema = {**content["schema"], "components": document()["components"]}
        jsonschema_rs.validate(schema, json.loads(response.content))


@dataclass(frozen=True)
class Payer:
    """A billing account and its customer's view of the API."""

    account: BillingAccount
    key: str
    api: Api

    @property
    def by_key(self) -> dict[str, str]:
        return {"api_key": self.key}

    def give(self, credits: int, **fields: Any) -> None:
        """Credits under a business key of their own."""
        grants.add(
            account_id=self.account.pk,
            micros=credits * CREDIT,
            description="Top-up",
            key=f"test:{uuid.uuid4()}",
            **{"source": "topup", "kind": "topup", **fields},
        )


@pytest.fixture
def catalog(db: None) -> Iterator[None]:
    """Profile ``ads``, the default one."""
    throttle.clear()
    price_lists.load(default="ads")
    snapshot.refresh()
    yield
    snapshot.expire()


@pytest.fixture
def images(catalog: None) -> None:
    """Profile ``images`` besides."""
    price_lists.load("images")
    snapshot.refresh()


@pytest.fixture
def toon(catalog: None) -> None:
    """Profile ``toon`` besides."""
    price_lists.load("toon")
    snapshot.refresh()


@pytest.fixture
def sites(catalog: None) -> None:
    """Profile ``sites`` besides."""
    price_lists.load("sites")
    snapshot.refresh()


def payer(name: str, profile: str, **options: Any) -> Payer:
    """A new account with one key."""
    account = open_account(name=name, email=f"{name.lower()}@example.com", profile=profile, **options)
    _, key = create_key(account=account, name="Test")
    return Payer(account, key, Api(key))


@pytest.fixture
def ann(catalog: None) -> Payer:
    """Profile ``ads``: 50 credits of welcome bonus; a static ad costs 5 on acceptance."""
    return payer("Ann", "ads")


@pytest.fixture
def bob(catalog: None) -> Payer:
    """Another account on profile ``ads``, to whom nothing of Ann's belongs."""
    return payer("Bob", "ads")


@pytest.fixture
def eva(images: None) -> Payer:
    """Profile ``images`` with 20 EUR; a generation is held and settled."""
    eva = payer("Eva", "images")
    eva.give(20)
    return eva


@pytest.fixture
def studio(catalog: None) -> Api:
    """The company's own generation service."""
    _, key = create_service_key("Studio")
    return Api(key)


@pytest.fixture
def anyone(catalog: None) -> Api:
    """No key at all."""
    return Api()
