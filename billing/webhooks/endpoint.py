"""The webhook endpoint: known to Stripe with our address and events, and to dj-stripe with its secret."""

import uuid
from typing import Final

from django.conf import settings
from django.urls import reverse
from djstripe.models import WebhookEndpoint

from billing.gateways import gateway
from billing.gateways.protocol import Missing
from billing.services.inbox import EFFECTS

MIRRORED: Final = ("customer.created", "product.created", "product.updated", "price.created", "price.updated")
"""Events without an effect here, asked for so that dj-stripe's mirror is complete."""


def set_up() -> WebhookEndpoint:
    """Make sure the endpoint exists, here and at Stripe; safe to repeat. Raises GatewayError.

    Where the environment names the endpoint's uuid and secret, Stripe has it already and only dj-stripe is
    told. Otherwise it is made (or brought up to date) at Stripe, which says the secret once.
    """
    if settings.STRIPE_WEBHOOK_ENDPOINT:
        return _given(
            uuid.UUID(settings.STRIPE_WEBHOOK_ENDPOINT), settings.STRIPE_WEBHOOK_SECRET.split(",")[0]
        )
    known = WebhookEndpoint.objects.filter(
        metadata__has_key="djstripe_uuid", livemode=settings.STRIPE_LIVE_MODE
    ).first()
    if known is not None:
        try:
            gateway().update_endpoint(known.id, url=_address(known.djstripe_uuid), events=_events())
        except Missing:
            known.delete()
        else:
            return _row(known.id, known.djstripe_uuid, known.secret)
    name = uuid.uuid4()
    made = gateway().create_endpoint(
        url=_address(name), events=_events(), metadata={"djstripe_uuid": str(name)}
    )
    return _row(made.id, name, made.secret)


def _given(name: uuid.UUID, secret: str) -> WebhookEndpoint:
    known = WebhookEndpoint.objects.filter(djstripe_uuid=name).first()
    return _row(known.id if known else f"we_{name.hex}", name, secret)


def _row(stripe_id: str, name: uuid.UUID, secret: str) -> WebhookEndpoint:
    endpoint, _ = WebhookEndpoint.objects.update_or_create(
        id=stripe_id,
        defaults={
            "djstripe_uuid": name,
            "secret": secret,
            "url": _address(name),
            "livemode": settings.STRIPE_LIVE_MODE,
            "status": "enabled",
            "api_version": settings.STRIPE_API_VERSION,
            "enabled_events": _events(),
            "metadata": {"djstripe_uuid": str(name)},
            "stripe_data": {"id": stripe_id, "object": "webhook_endpoint"},
        },
    )
    return endpoint


def _address(name: uuid.UUID) -> str:
    return f"{settings.PORTAL_BASE_URL}{reverse('stripe_webhook', args=[name])}"


def _events() -> list[str]:
    return [*EFFECTS, *MIRRORED]
