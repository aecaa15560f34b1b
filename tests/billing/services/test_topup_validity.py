"""Profile ``images``: a paid top-up gives the whole balance 12 more months, and Stripe adds the tax."""

from datetime import UTC, datetime

import pytest

from accounts.models import BillingAccount
from billing.ledger import balances, grants
from billing.ledger.models import Grant
from billing.services import topups
from billing.services.accounts import open_account
from billing.services.validity import add_months
from catalog.pricing.units import Amount
from tests.billing.paying import CANCEL, RETURN
from tests.stripe_simulator.fixtures import Simulator


@pytest.fixture
def studio(images: None) -> BillingAccount:
    return open_account(name="Lumen", email="pay@lumen.example", profile="images")


def buy(account: BillingAccount, simulator: Simulator, cash: str) -> str:
    payment = topups.start(
        account=account, cash=Amount.parse(cash, "EUR"), return_url=RETURN, cancel_url=CANCEL
    )
    simulator.pay(payment.checkout_url, country="DE", postal_code="10115")
    return str(topups.complete(payment.pk).status)


def gift(account: BillingAccount) -> datetime:
    """1 EUR from support that is good for a month; until when."""
    soon = add_months(datetime.now(UTC), 1)
    grants.add(
        account_id=account.pk,
        micros=1_000_000,
        source="admin",
        kind="adjustment",
        description="Gift",
        key="gift",
        expires_at=soon,
    )
    return soon


def test_a_top_up_resets_the_clock_of_everything(studio: BillingAccount, payments_at: Simulator) -> None:
    gift(studio)
    assert buy(studio, payments_at, "20") == "succeeded"
    until = {grant.expires_at for grant in Grant.objects.filter(account=studio, is_spent=False)}
    assert len(until) == 1
    (moment,) = until
    assert moment is not None
    assert abs((moment - add_months(datetime.now(UTC), 12)).total_seconds()) < 120


def test_a_payment_that_was_not_made_moves_nothing(studio: BillingAccount, payments_at: Simulator) -> None:
    soon = gift(studio)
    payment = topups.start(
        account=studio, cash=Amount.parse("20", "EUR"), return_url=RETURN, cancel_url=CANCEL
    )
    payments_at.pay(payment.checkout_url, "4000000000000002")
    topups.complete(payment.pk)
    assert Grant.objects.get(transaction__key="gift").expires_at == soon


def test_tax_is_paid_on_top_and_not_credited(studio: BillingAccount, payments_at: Simulator) -> None:
    before = balances.of(studio.pk).balance
    assert buy(studio, payments_at, "20") == "succeeded"
    payment = studio.payments.get()
    assert payment.tax_minor > 0
    assert balances.of(studio.pk).balance == before + 20_000_000
    assert payment.total.micros == 20_000_000 + payment.tax_minor * 10_000


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31", 1, "2026-02-28"),
        ("2024-01-31", 1, "2024-02-29"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2026-11-20", 12, "2027-11-20"),
        ("2026-12-31", 2, "2027-02-28"),
    ],
)
def test_months_end_where_the_month_does(start: str, months: int, end: str) -> None:
    assert add_months(datetime.fromisoformat(start), months) == datetime.fromisoformat(end)
