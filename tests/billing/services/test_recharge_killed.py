"""A process killed in the middle of a payment: the money is found and credited once."""

import os
import subprocess
import sys
import time

import pytest
from django.db import connection
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.models import AutoRecharge, Payment
from billing.services import auto_recharge, payments
from tests.billing.paying import CREDIT, credits, dollars, save_card
from tests.stripe_simulator.fixtures import Simulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

RECHARGE = """
import sys, uuid, django
django.setup()
from billing.services import auto_recharge
auto_recharge.recharge_now(uuid.UUID(sys.argv[1]), 60_000_000)
"""


def child(account: BillingAccount, simulator: Simulator) -> "subprocess.Popen[bytes]":
    """Recharges the account in another process, on the test's database."""
    info = connection.connection.info
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "DATABASE_URL": f"postgres://{info.user}@/{info.dbname}?host={info.host}&port={info.port}",
        "STRIPE_API_HOST": simulator.base_url,
        "STRIPE_ANSWER_SECONDS": "30",
    }
    return subprocess.Popen([sys.executable, "-c", RECHARGE, str(account.pk)], env=environment)


@pytest.mark.parametrize(
    ("fault", "charged"),
    [("slow", True), ("delay", False)],
    ids=["after Stripe charged", "before Stripe charged"],
)
def test_killed_while_stripe_is_asked(
    account: BillingAccount, payments_at: Simulator, fault: str, charged: bool
) -> None:
    save_card(account, payments_at)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    payments_at.faults(fault, "/v1/payment_intents", method="POST", seconds=5)
    process = child(account, payments_at)
    deadline = time.monotonic() + 60
    while not (payment := Payment.objects.filter(status="submitted").first()):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1)  # let the request reach the simulator
    process.kill()
    process.wait()
    assert credits(account) == 50

    Payment.objects.update(next_check_at=now())
    payments.reconcile_unknown()
    payment.refresh_from_db()
    assert payment.status == ("succeeded" if charged else "submitted")

    # The request that was under way may still reach Stripe after its sender's death.
    time.sleep(5)
    Payment.objects.update(next_check_at=now())
    payments.reconcile_unknown()
    AutoRecharge.objects.update(next_attempt_at=None)
    auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    intents = payments_at.client().v1.payment_intents.list().data
    assert len([intent for intent in intents if intent.status == "succeeded"]) == 1
    assert credits(account) == 300
