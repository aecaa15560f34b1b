"""People, accounts and keys for the tests of accounts."""

from collections.abc import Iterator
from itertools import count
from typing import Protocol

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client

from accounts.models import BillingAccount, Membership, Role, User
from catalog import snapshot
from tests import price_lists

_numbers = count(1)
PASSWORD = "correct horse battery"


class MakeUser(Protocol):
    def __call__(self, email: str | None = None, **fields: object) -> User: ...


class MakeAccount(Protocol):
    def __call__(self, name: str = ..., **members: User) -> BillingAccount: ...


class SignIn(Protocol):
    def __call__(self, user: User) -> Client: ...


@pytest.fixture(autouse=True)
def _no_rate_limit_left_over() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def make_user(db: None) -> MakeUser:
    """A person with a verified e-mail address."""

    def make(email: str | None = None, **fields: object) -> User:
        user = User.objects.create_user(email or f"person{next(_numbers)}@example.com", PASSWORD, **fields)
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user

    return make


@pytest.fixture
def make_account(db: None) -> MakeAccount:
    """A billing account with the given members: ``make_account(owner=user, viewer=other)``."""

    def make(name: str = "Northwind", **members: User) -> BillingAccount:
        account = BillingAccount.objects.create(
            name=name, email="billing@example.com", profile="ads", unit="credit"
        )
        for role, user in members.items():
            Membership.objects.create(account=account, user=user, role=Role(role))
        return account

    return make


@pytest.fixture
def account(make_account: MakeAccount) -> BillingAccount:
    return make_account()


@pytest.fixture
def sign_in() -> SignIn:
    """A browser signed in as this person; it enforces CSRF only where a test asks for it."""

    def client_of(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return client_of


@pytest.fixture
def ads(db: None) -> Iterator[None]:
    """The catalog has profile ``ads``, whose accounts have no maximum of keys; it is the default."""
    price_lists.load(default="ads")
    snapshot.refresh()
    yield
    snapshot.expire()


@pytest.fixture
def toon(db: None) -> Iterator[None]:
    """The catalog has profile ``toon``: plans with 0, 4, 10 and 20 keys."""
    price_lists.load("toon")
    snapshot.refresh()
    yield
    snapshot.expire()
