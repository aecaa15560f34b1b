"""People, accounts and keys for the tests of accounts."""

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache

from accounts.models import BillingAccount, Membership, Role, User

_numbers = count(1)
PASSWORD = "correct horse battery"

MakeUser = Callable[..., User]
MakeAccount = Callable[..., BillingAccount]


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
