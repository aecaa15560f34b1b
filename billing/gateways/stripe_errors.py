"""Stripe's exceptions by what they mean for money: it did not happen, or nobody knows."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import stripe

from billing.gateways.protocol import Busy, GatewayError, Missing, Rejected, Unreachable

log = logging.getLogger(__name__)

# The object or the idempotency key is in use by another request right now.
BUSY_CODES: Final = ("lock_timeout", "rate_limit", "idempotency_key_in_use")


@contextmanager
def named_errors() -> Iterator[None]:
    """Turn Stripe's errors into the gateway's. A card's refusal is an answer and passes through."""
    try:
        yield
    except stripe.CardError:
        raise
    except stripe.StripeError as error:
        raise _named(error) from error


def _named(error: stripe.StripeError) -> GatewayError:
    code = error.code or ""
    if isinstance(error, stripe.RateLimitError) or code in BUSY_CODES or error.http_status == 409:
        return Busy(str(error))
    if isinstance(error, stripe.APIConnectionError | stripe.APIError):
        return Unreachable(str(error))
    if error.http_status == 404 or code == "resource_missing":
        return Missing(str(error), code)
    log.error("stripe refused a request: %s", error)
    return Rejected(str(error), code)
