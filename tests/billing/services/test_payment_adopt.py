"""A database restored from a backup: payments made since are found at Stripe and credited once."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.models import Payment, PaymentMethod
from billing.services import auto_recharge, payments
from tests.billing.paying import CREDIT, credits, dollars, save_card, start
from tests.stripe_simulator.fixtures import Simulator

YESTERDAY = timedelta(days=1)


def forget_payments() -> None:
    """As if the backup had been made before them."""
    Payment.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica; DELETE FROM billing_statuschange")
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def test_a_paid_page_nobody_remembers(account: BillingAccount, payments_at: Simulator) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    forget_payments()
    BillingAccount.objects.filter(pk=account.pk).update(stripe_customer_id=None)

    assert payments.compare_recent(now() - YESTERDAY) == 1
    assert payments.compare_recent(now() - YESTERDAY) == 0
    assert credits(account) == 300
    assert Payment.objects.get().pk == payment.pk
    account.refresh_from_db()
    assert account.stripe_customer_id == payment.stripe_customer_id


def test_a_recharge_nobody_remembers_is_told_apart(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    payments_at.faults("drop", "/v1/payment_intents", method="POST", times=2)
    auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    forget_payments()

    assert payments.compare_recent(now() - YESTERDAY) == 1
    assert credits(account) == 300
    assert Payment.objects.get().purpose == "auto_recharge"


@pytest.mark.parametrize(
    "change", [{"payment": "pay_" + "0" * 31}, {"account": "acct_" + "0" * 32}, {"cash_minor": "x"}]
)
def test_what_is_not_ours_is_left_alone(
    account: BillingAccount, payments_at: Simulator, change: dict[str, str]
) -> None:
    save_card(account, payments_at)
    card = PaymentMethod.objects.get()
    account.refresh_from_db()
    sent = {"payment": "pay_" + "0" * 32, "account": account.public_id, "cash_minor": "2500"} | change
    payments_at.client().v1.payment_intents.create(
        {
            "amount": 2500,
            "currency": "usd",
            "customer": account.stripe_customer_id or "",
            "payment_method": card.stripe_id,
            "payment_method_types": ["card"],
            "confirm": True,
            "metadata": sent,
        }
    )
    assert payments.compare_recent(now() - YESTERDAY) == 0
    assert not Payment.objects.exists()
