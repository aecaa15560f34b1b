"""The simulator, for tests of the fixture that watches it."""

from tests.stripe_simulator.fixtures import clean_stripe, stripe_simulator

__all__ = ["clean_stripe", "stripe_simulator"]
