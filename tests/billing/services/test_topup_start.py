"""Starting a top-up: what is committed, what Stripe is asked, what is refused."""

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.errors import (
    IdempotencyConflict,
    InvalidRequest,
    InvalidState,
    RateLimited,
    ServiceUnavailable,
)
from billing.models import Payment
from billing.services import payments, topups
from catalog.pricing.units import Amount
from tests.billing.paying import CANCEL, RETURN, credited, credits, dollars, start
from tests.stripe_simulator.fixtures import Simulator


def test_opens_the_payment_page(account: BillingAccount, payments_at: Simulator) -> None:
    payment = start(account, "25")

    assert payment.status == "submitted"
    assert payment.checkout_url.startswith(payments_at.base_url)
    assert (payment.cash_minor, payment.currency, payment.credits) == (2500, "USD", 250_000_000)
    account.refresh_from_db()
    assert payment.stripe_customer_id == account.stripe_customer_id
    assert credits(account) == 50


def test_the_page_sends_the_customer_back_with_the_payment(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = topups.start(account=account, cash=dollars("25"), return_url=f"{RETURN}?a=1", cancel_url=CANCEL)
    answer = payments_at.pay(payment.checkout_url)
    assert answer.headers["location"] == f"{RETURN}?a=1&payment={payment.public_id}"


def test_paid_and_completed_it_is_credited_once(account: BillingAccount, payments_at: Simulator) -> None:
    payment = start(account, "25")
    payments_at.pay(payment.checkout_url)

    for _ in range(3):
        assert topups.complete(payment.pk).status == "succeeded"

    assert credits(account) == 300
    done = Payment.objects.get(pk=payment.pk)
    assert [row.pk for row in credited(payment.pk)] == [done.transaction_id]
    assert done.card == "Visa •••• 4242"
    assert done.receipt_url
    assert done.checkout_url == ""


def test_opened_unpaid_nothing_is_credited(account: BillingAccount, payments_at: Simulator) -> None:
    payment = start(account)
    assert topups.complete(payment.pk).status == "submitted"
    assert credits(account) == 50


def test_a_declined_card_leaves_the_page_open_for_another(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url, "4000000000000002")
    assert topups.complete(payment.pk).status == "submitted"

    payments_at.pay(payment.checkout_url)
    assert topups.complete(payment.pk).status == "succeeded"
    assert credits(account) == 300


@pytest.mark.parametrize("cash", ["0", "-25", "4.99", "25.001", "999999"])
def test_refuses_amounts_that_are_not_sold(
    account: BillingAccount, payments_at: Simulator, cash: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        start(account, cash)
    assert refusal.value.extra["errors"][0]["field"] == "amount"
    assert not Payment.objects.exists()


def test_refuses_another_currency(account: BillingAccount, payments_at: Simulator) -> None:
    with pytest.raises(InvalidRequest):
        topups.start(account=account, cash=Amount.parse("25", "EUR"), return_url=RETURN, cancel_url=CANCEL)


def test_refuses_a_closed_account(account: BillingAccount, payments_at: Simulator) -> None:
    BillingAccount.objects.filter(pk=account.pk).update(status="closed")
    with pytest.raises(InvalidState):
        start(account)


def test_the_same_request_key_opens_the_same_page(account: BillingAccount, payments_at: Simulator) -> None:
    first = start(account, key="dialog-1")
    assert start(account, key="dialog-1").pk == first.pk
    assert start(account, key="dialog-2").pk != first.pk
    with pytest.raises(IdempotencyConflict):
        start(account, "50", key="dialog-1")


@pytest.mark.parametrize("kind", ["error_after", "drop", pytest.param("timeout", marks=pytest.mark.slow)])
def test_an_answer_lost_once_is_asked_for_again_with_the_same_key(
    account: BillingAccount, payments_at: Simulator, kind: str
) -> None:
    payments_at.faults(kind, "/v1/checkout/sessions", method="POST", seconds=3)
    payment = start(account)
    assert payment.status == "submitted"
    asked = [
        row for row in payments_at.log() if row["path"] == "/v1/checkout/sessions" and row["method"] == "POST"
    ]
    assert len(asked) == 2
    assert len(payments_at.client().v1.checkout.sessions.list().data) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rate_limit", "lock_timeout"])
def test_waits_while_stripe_is_busy(account: BillingAccount, payments_at: Simulator, kind: str) -> None:
    payments_at.faults(kind, "/v1/checkout/sessions", times=2)
    assert start(account).status == "submitted"


def test_stripe_down_the_attempt_stays_unknown_and_the_same_key_tries_again(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payments_at.faults("refuse", "/v1/checkout/sessions", times=2)
    with pytest.raises(ServiceUnavailable):
        start(account, key="dialog")
    assert Payment.objects.get().status == "unknown"

    payment = start(account, key="dialog")
    assert payment.checkout_url
    assert Payment.objects.get().status == "submitted"


def test_a_page_whose_address_was_lost_is_found_by_the_sweeper(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payments_at.faults("drop", "/v1/checkout/sessions", method="POST", times=2)
    with pytest.raises(ServiceUnavailable):
        start(account)
    payment = Payment.objects.get()
    payments_at.pay(payments_at.client().v1.checkout.sessions.list().data[0].url or "")

    Payment.objects.update(next_check_at=payment.created_at)
    assert payments.reconcile_unknown() == 1
    assert credits(account) == 300


def test_a_page_that_was_given_up_is_not_opened_again(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = start(account, key="dialog")
    payments_at.client().v1.checkout.sessions.expire(payment.stripe_checkout_id or "")
    topups.complete(payment.pk)
    with pytest.raises(InvalidState):
        start(account, key="dialog")


def test_trying_cards_one_after_the_other_is_slowed_down(
    account: BillingAccount, payments_at: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topups, "ATTEMPTS_PER_HOUR", 3)
    first = start(account, key="1")
    for key in ("2", "3"):
        start(account, key=key)
    with pytest.raises(RateLimited):
        start(account, key="4")
    assert start(account, key="1").pk == first.pk
    Payment.objects.update(created_at=now() - timedelta(hours=2))
    assert start(account, key="4").checkout_url
