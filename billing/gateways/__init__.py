"""The way out to the payment provider. Services ask ``gateway()``; nothing else calls Stripe."""

from functools import cache

from django.conf import settings

from billing.gateways.protocol import PaymentGateway
from billing.gateways.stripe_gateway import StripeGateway


@cache
def gateway() -> PaymentGateway:
    """The payment gateway of this process: Stripe, or what ``STRIPE_API_HOST`` points to."""
    return StripeGateway(
        api_key=settings.STRIPE_SECRET_KEY,
        api_version=settings.STRIPE_API_VERSION,
        base_address=getattr(settings, "STRIPE_API_HOST", None),
        answer_seconds=settings.STRIPE_ANSWER_SECONDS,
    )
