"""Every test here starts from an empty simulator, and what passes over the wire is type-checked."""

from collections.abc import Iterator

import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator, clean_stripe, stripe_simulator
from tests.stripe_types.fixtures import fail_on, violations

__all__ = ["clean_stripe", "stripe_simulator"]


@pytest.fixture
def simulator(clean_stripe: Simulator) -> Iterator[Simulator]:
    """Requests that are refused may be wrong on purpose: of those only the answer is checked."""
    marks = clean_stripe.marks()
    yield clean_stripe
    fail_on(violations(clean_stripe, marks, refused=False))


@pytest.fixture
def client(simulator: Simulator) -> stripe.StripeClient:
    return simulator.client()


@pytest.fixture
def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"email": "ada@example.com", "name": "Ada"})
