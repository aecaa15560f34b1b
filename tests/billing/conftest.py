"""An account on profile ``ads`` and the Stripe simulator, wired as the portal is: over HTTP with the real
client.
"""

from collections.abc import Iterator

import pytest
import stripe
from pytest_django import Settings

from accounts.models import BillingAccount
from billing.gateways import gateway
from billing.services import reconciliation
from billing.services.accounts import open_account as open_billing_account
from catalog import snapshot
from tests import price_lists
from tests.stripe_simulator.fixtures import Simulator, clean_stripe, stripe_simulator
from tests.stripe_types.fixtures import checked_stripe

__all__ = ["checked_stripe", "clean_stripe", "stripe_simulator"]


@pytest.fixture
def ads(db: None) -> Iterator[None]:
    """The catalog has profile ``ads``."""
    price_lists.load(default="ads")
    snapshot.refresh()
    yield
    snapshot.expire()


@pytest.fixture
def account(ads: None) -> BillingAccount:
    """A new account: 50 credits of welcome bonus, no card."""
    return open_billing_account(name="Northwind", email="pay@northwind.example", profile="ads")


@pytest.fixture
def images(ads: None) -> None:
    """The catalog has profile ``images`` too: EUR, tax by Stripe, credits good for 12 months."""
    price_lists.load("images")
    snapshot.refresh()


@pytest.fixture
def payments_at(
    db: None, clean_stripe: Simulator, checked_stripe: Simulator, settings: Settings
) -> Iterator[Simulator]:
    """The portal talks to an empty simulator.

    At the end of the test all that went over the wire was of Stripe's types, and the books are in order.
    """
    settings.STRIPE_API_HOST = clean_stripe.base_url
    settings.STRIPE_ANSWER_SECONDS = 2
    before = stripe.api_base
    stripe.api_base = clean_stripe.base_url
    gateway.cache_clear()
    yield clean_stripe
    clean_stripe.clear_faults()
    stripe.api_base = before
    gateway.cache_clear()
    broken = [finding for finding in reconciliation.run() if finding.breaches]
    assert not broken
