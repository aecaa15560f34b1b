"""``manage.py stripe_setup``: one endpoint however often it runs, and one sentence when Stripe does not have it."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from djstripe.models import WebhookEndpoint
from pytest_django import Settings

from tests.stripe_simulator.fixtures import Simulator

pytestmark = pytest.mark.django_db


def set_up() -> dict[str, str]:
    out = StringIO()
    call_command("stripe_setup", "--json", stdout=out)
    said: dict[str, str] = json.loads(out.getvalue())
    return said


def test_a_second_run_keeps_the_endpoint(payments_at: Simulator) -> None:
    first = set_up()
    assert set_up() == first
    (at_stripe,) = payments_at.client().v1.webhook_endpoints.list().data
    assert (at_stripe.id, at_stripe.url) == (first["endpoint"], first["url"])
    assert WebhookEndpoint.objects.get().id == first["endpoint"]


def test_stripe_that_does_not_answer_is_one_sentence(payments_at: Simulator) -> None:
    payments_at.faults("refuse", "/v1/webhook_endpoints", times=5)
    with pytest.raises(CommandError, match=r"^Stripe does not answer\. See .* and run the command again\.$"):
        set_up()
    assert not WebhookEndpoint.objects.exists()


def test_an_address_that_stripe_refuses_is_said(payments_at: Simulator, settings: Settings) -> None:
    settings.PORTAL_BASE_URL = "ftp://nowhere"
    with pytest.raises(CommandError, match=r"Stripe did not take the webhook endpoint: .*\S"):
        set_up()
    assert not WebhookEndpoint.objects.exists()
