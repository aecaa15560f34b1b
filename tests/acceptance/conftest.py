"""Installations with all five profiles or with one, loaded once for many tests; every test's own work is undone."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from accounts.keys import create_key, create_service_key
from accounts.models import BillingAccount, Membership, Role, User
from billing.ledger import grants
from billing.services.accounts import open_account
from billing.throttle import throttle
from catalog import snapshot
from tests import price_lists
from tests.billing.api.conftest import Api, Payer

PROFILES = ("ads", "images", "toon", "sites", "gateway")
CREDIT = 1_000_000


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside leaves no trace in the database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def loaded(*profiles: str) -> Iterator[None]:
    """An installation with these profiles, the first one the default."""
    with undone():
        for name in profiles:
            price_lists.load(name)
        snapshot.expire()
        yield
    snapshot.expire()


@pytest.fixture(scope="module")
def installed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """All five profiles side by side."""
    with django_db_blocker.unblock(), loaded(*PROFILES):
        yield


@pytest.fixture(scope="module", params=PROFILES)
def alone(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[str]:
    """Each profile as the only one of its installation; the default therefore."""
    with django_db_blocker.unblock(), loaded(request.param):
        yield request.param


@pytest.fixture
def together(installed: None, db: None) -> Iterator[None]:
    """All five profiles; what the test does is undone."""
    throttle.clear()
    yield
    snapshot.expire()


Open = Callable[..., Payer]


@pytest.fixture
def opened() -> Open:
    """``opened("toon", plan="pro", credits=100)``: a new account with a key."""
    return customer


def customer(profile: str, *, credits: int = 0, keyed: bool = True, **options: Any) -> Payer:
    """A new account of a profile with a key, and ``credits`` bought besides what the profile gives."""
    name = f"c{uuid.uuid4().hex[:10]}"
    account = open_account(name=name, email=f"{name}@example.com", profile=profile, **options)
    key = create_key(account=account, name="Test", slots=None)[1] if keyed else ""
    payer = Payer(account, key, Api(key))
    if credits:
        grants.add(
            account_id=account.pk,
            micros=credits * CREDIT,
            source="topup",
            kind="topup",
            description="Top-up",
            key=f"test:{uuid.uuid4()}",
        )
    return payer


@pytest.fixture
def service() -> Api:
    """The company's generation service."""
    return Api(create_service_key("Service")[1])


def browser_of(account: BillingAccount, role: str = Role.OWNER) -> Client:
    """The browser of a new member of the account."""
    user = User.objects.create(email=f"{uuid.uuid4().hex[:12]}@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    Membership.objects.create(account=account, user=user, role=role)
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, path: str) -> str:
    """A page that is there, as HTML."""
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()
