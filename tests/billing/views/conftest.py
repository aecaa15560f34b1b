"""Members of an account on profile ``ads``, signed in."""

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from django.test import Client

from accounts.models import BillingAccount, Membership, Role, User
from billing.ledger import holds
from billing.services.accounts import open_account

CREDIT = 1_000_000
SignIn = Callable[[BillingAccount, str], Client]


@pytest.fixture
def sign_in() -> SignIn:
    """``sign_in(account, "viewer")``: a browser of a new member with that role."""

    def member(account: BillingAccount, role: str = Role.OWNER) -> Client:
        user = User.objects.create_user(f"{role}-{account.pk.hex[-8:]}@example.com", "correct horse battery")
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        Membership.objects.create(account=account, user=user, role=role)
        client = Client()
        client.force_login(user)
        return client

    return member


@pytest.fixture
def browser(account: BillingAccount, sign_in: SignIn) -> Client:
    """The owner's browser."""
    return sign_in(account, Role.OWNER)


@pytest.fixture
def stranger(ads: None) -> BillingAccount:
    """Somebody else's account."""
    return open_account(name="Larkspur", email="pay@larkspur.example", profile="ads")


def work(account: BillingAccount, credits: int, **wanted: object) -> holds.Outcome:
    """Charge so many credits at once, or with ``settle_now=False`` hold them."""
    options: dict[str, object] = {
        "model": "static",
        "operation": "generate",
        "description": "Static, generate",
        "ttl": 600,
        "settle_now": True,
        "lines": [
            {"what": "Static, generate", "quantity": "1", "unit_price": str(credits), "amount": str(credits)}
        ],
    }
    request = holds.PlaceRequest(account=account.pk, amount=credits * CREDIT, **(options | wanted))  # type: ignore[arg-type]
    outcome = holds.place([request])[0]
    assert outcome["code"] in ("settled", "authorized"), outcome
    return outcome
