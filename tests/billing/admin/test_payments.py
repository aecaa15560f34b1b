"""Staff see payments, what went back of them, and what accounts set, in amounts and not in millionths."""

import re
from typing import Any

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.keys import create_key
from accounts.models import BillingAccount, User
from billing.ledger.models import KeyLimit, Transaction
from billing.models import (
    AutoRecharge,
    CreditLimitDecision,
    EstimateAccuracy,
    Payment,
    Reversal,
    SpendingLimit,
)
from billing.services import key_limits, limits

CREDIT = 1_000_000
BOUGHT: dict[str, Any] = {"cash_minor": 2500, "currency": "USD", "credits": 250 * CREDIT, "unit": "credit"}


@pytest.fixture
def staff(client: Client, ads: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


def shown(staff: Client, row: Model) -> str:
    """The words of a row's page."""
    meta = row._meta
    answer = staff.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[row.pk]))
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_a_payment_and_what_went_back_of_it(staff: Client, account: BillingAccount) -> None:
    posted = Transaction.objects.get(account=account)
    payment = Payment.objects.create(
        transaction_id=posted.pk,
        finished_at=now(),
        account=account,
        purpose="topup",
        route="checkout",
        status="succeeded",
        **BOUGHT,
    )
    reversal = Reversal.objects.create(
        payment=payment,
        kind="refund",
        stripe_id="re_1",
        status="succeeded",
        cash_minor=1000,
        withdrawn=100 * CREDIT,
    )
    for text in (shown(staff, payment), shown(staff, reversal)):
        assert "10 USD" in text
        assert "100 credit" in text
        assert "000000" not in re.sub(r"[0-9a-f-]{32,}", "", text)
    assert "25 USD" in shown(staff, payment)
    assert "250 credit" in shown(staff, payment)


def test_what_an_account_set(staff: Client, account: BillingAccount) -> None:
    key, _ = create_key(account=account, name="Production")
    key_limits.set_limits(key, monthly=5 * CREDIT, budget=50 * CREDIT)
    limits.set_spending_limit(account.pk, 75 * CREDIT)
    recharge = AutoRecharge.objects.create(
        account=account, enabled=True, threshold=20 * CREDIT, amount_minor=2500, currency="USD"
    )
    decided = CreditLimitDecision.objects.create(
        account=account, source="staff", limit=30 * CREDIT, reason="Known"
    )
    measured = EstimateAccuracy.objects.create(
        profile="ads", model="full", operation="generate", count=4, estimated=60 * CREDIT, effective=66 * CREDIT,
        median=100_000, p95=200_000, excess=200_000, over_hold=1, measured_at=now(),
    )  # fmt: skip
    rows = [KeyLimit.objects.get(), SpendingLimit.objects.get(), recharge, decided, measured]
    for row, amount in zip(rows, ["50", "75 credits", "20 credits", "30 credits", "66"], strict=True):
        text = shown(staff, row)
        assert f" {amount} " in text
        assert "000000" not in re.sub(r"[0-9a-f-]{32,}", "", text)
