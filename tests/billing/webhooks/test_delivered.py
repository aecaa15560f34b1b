"""Events really delivered: many copies, shuffled, many at once, to a server with real transactions."""

import pytest
from djstripe.models import WebhookEndpoint
from pytest_django.live_server_helper import LiveServer

from accounts.models import BillingAccount
from billing.models import Payment, WebhookInbox
from billing.services import inbox
from tests.billing.paying import credited, credits, start
from tests.billing.webhooks.conftest import NAME, SECRET
from tests.stripe_simulator.fixtures import Simulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_fifty_copies_shuffled_and_at_once_are_one_credit(
    account: BillingAccount, payments_at: Simulator, endpoint: WebhookEndpoint, live_server: LiveServer
) -> None:
    payments_at.send_events_to(f"{live_server.url}/stripe/webhook/{NAME}/", SECRET)
    payments_at.webhooks(copies=50, shuffle=True, concurrency=8, drop=["charge.*", "customer.*"])
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    payments_at.wait_idle(120)
    payments_at.webhooks(copies=1, shuffle=False, concurrency=1, drop=[])

    inbox.sweep()
    assert len(credited(payment.pk)) == 1
    assert credits(account) == 300
    assert Payment.objects.get().status == "succeeded"
    assert not WebhookInbox.objects.filter(done_at__isnull=True).exists()
    answers = {
        row["status"] for row in payments_at.deliveries() if row["type"] == "checkout.session.completed"
    }
    assert answers
