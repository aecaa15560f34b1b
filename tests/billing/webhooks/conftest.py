"""Stripe's events, posted as Stripe does: the simulator's own, signed for an endpoint that dj-stripe
knows.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import stripe
from django.test import Client
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from billing.webhooks import endpoint as endpoints
from tests.stripe_simulator.fixtures import Simulator

SECRET = "whsec_" + "a" * 32
NAME = "0199b7c0-0000-7000-8000-000000000001"
Post = Callable[..., int]


@pytest.fixture
def endpoint(db: None, settings: Settings, payments_at: Simulator) -> WebhookEndpoint:
    settings.STRIPE_WEBHOOK_ENDPOINT = NAME
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    made: WebhookEndpoint = endpoints.set_up()
    return made


@pytest.fixture
def post(endpoint: WebhookEndpoint) -> Post:
    """Posts a body (an event, or raw bytes) and answers the status. ``secret`` and ``at`` are of the
    signature.
    """
    client = Client(raise_request_exception=False)

    def post(
        body: "dict[str, Any] | bytes", *, secret: str = SECRET, at: int | None = None, **headers: str
    ) -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = stripe.WebhookSignature.generate_signature_header(
            raw.decode("utf-8", "replace"), secret, timestamp=int(time.time()) if at is None else at
        )
        sent = {"stripe-signature": signature} | headers
        answer = client.post(f"/stripe/webhook/{NAME}/", raw, content_type="application/json", headers=sent)
        return answer.status_code

    return post


@pytest.fixture
def events(payments_at: Simulator) -> Callable[..., list[dict[str, Any]]]:
    """The events that Stripe has made so far, of these types or all."""

    def events(*types: str) -> list[dict[str, Any]]:
        made = [row["event"] for row in payments_at.events()]
        return [event for event in made if not types or event["type"] in types]

    return events
