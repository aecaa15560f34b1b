"""Auto-recharge: one payment when it is needed, sized, capped; waiting, backing off and pausing when it
fails.
"""

import time
from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.ledger.models import Balance, Transaction
from billing.models import AutoRecharge, OutboxMessage, Payment
from billing.services import auto_recharge, payments, topups
from tests.billing.paying import CREDIT, DECLINED_LATER, NEEDS_3DS, OK, credits, dollars, save_card, spend
from tests.stripe_simulator.fixtures import Simulator


def switch_on(
    account: BillingAccount, *, threshold: int = 20, amount: str = "25", cap: str | None = None
) -> None:
    auto_recharge.configure(
        account=account,
        enabled=True,
        threshold=threshold * CREDIT,
        amount=dollars(amount),
        monthly_cap=dollars(cap) if cap else None,
    )


@pytest.fixture
def ready(account: BillingAccount, payments_at: Simulator) -> BillingAccount:
    """50 credits, a good card, auto-recharge below 20."""
    save_card(account, payments_at)
    switch_on(account)
    return account


def charged(simulator: Simulator) -> int:
    """PaymentIntents that Stripe has."""
    return len(simulator.client().v1.payment_intents.list({"limit": 100}).data)


def test_recharges_below_the_threshold(ready: BillingAccount, payments_at: Simulator) -> None:
    spend(ready, 31)
    assert auto_recharge.recharge_now(ready.pk)
    assert credits(ready) == 19 + 250
    posted = Transaction.objects.get(kind="auto_recharge")
    assert posted.amount == 250 * CREDIT
    assert Payment.objects.get().route == "off_session"


def test_exactly_at_the_threshold_nothing_is_charged(ready: BillingAccount, payments_at: Simulator) -> None:
    spend(ready, 30)
    assert auto_recharge.recharge_now(ready.pk)
    assert credits(ready) == 20
    assert charged(payments_at) == 0


def test_the_ledger_asks_for_it_at_the_same_line(ready: BillingAccount) -> None:
    row = Balance.objects.get(pk=ready.pk)
    assert (row.recharge_below, row.recharge_after) == (20 * CREDIT, None)


def test_a_short_request_recharges_though_above_the_threshold(
    ready: BillingAccount, payments_at: Simulator
) -> None:
    assert auto_recharge.recharge_now(ready.pk, 60 * CREDIT)
    assert credits(ready) == 300
    assert charged(payments_at) == 1


def test_a_shortfall_beyond_one_amount_is_one_larger_payment(
    ready: BillingAccount, payments_at: Simulator
) -> None:
    assert auto_recharge.recharge_now(ready.pk, 600 * CREDIT)
    assert Payment.objects.get().cash_minor == 3 * 2500
    assert credits(ready) == 50 + 750
    assert charged(payments_at) == 1


def test_a_shortfall_beyond_the_cap_is_refused_without_a_payment(
    account: BillingAccount, payments_at: Simulator
) -> None:
    save_card(account, payments_at)
    switch_on(account, cap="50")
    assert not auto_recharge.recharge_now(account.pk, 600 * CREDIT)
    assert charged(payments_at) == 0
    assert auto_recharge.recharge_now(account.pk, 60 * CREDIT), "a need that fits is still met"


def test_the_monthly_cap_stops_and_says_so_once(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    switch_on(account, cap="50")
    for needed in (60, 310):
        assert auto_recharge.recharge_now(account.pk, needed * CREDIT)
    for _ in range(3):
        assert not auto_recharge.recharge_now(account.pk, 1000 * CREDIT)

    assert charged(payments_at) == 2
    assert OutboxMessage.objects.filter(kind="email.recharge_capped").count() == 1
    after = AutoRecharge.objects.get().next_attempt_at
    assert after is not None
    assert (after.day, after.hour) == (1, 0)
    assert after > now()
    assert Balance.objects.get(pk=account.pk).recharge_after == after


def test_last_months_payments_do_not_count(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    switch_on(account, cap="25")
    assert auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    Payment.objects.update(created_at=now().replace(day=1) - timedelta(days=1))
    assert auto_recharge.recharge_now(account.pk, 310 * CREDIT)


def test_switched_off_nothing_happens(ready: BillingAccount, payments_at: Simulator) -> None:
    auto_recharge.configure(
        account=ready, enabled=False, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    spend(ready, 45)
    assert not auto_recharge.recharge_now(ready.pk, 10 * CREDIT)
    assert charged(payments_at) == 0
    assert Balance.objects.get(pk=ready.pk).recharge_below is None


def test_without_a_card_it_waits_for_one(account: BillingAccount, payments_at: Simulator) -> None:
    switch_on(account)
    assert AutoRecharge.objects.get().pause_reason == "no_card"
    assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)

    save_card(account, payments_at)
    assert auto_recharge.recharge_now(account.pk, 60 * CREDIT)


def test_a_declined_card_is_tried_once_per_wait(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, DECLINED_LATER)
    switch_on(account)
    for _ in range(20):
        assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)

    assert Payment.objects.count() == 1
    settings = AutoRecharge.objects.get()
    assert settings.failures == 1
    assert settings.next_attempt_at is not None
    assert OutboxMessage.objects.filter(kind="email.recharge_failed").count() == 1


def test_three_failures_in_a_row_pause_it(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, DECLINED_LATER)
    switch_on(account)
    for _ in range(5):
        AutoRecharge.objects.update(next_attempt_at=None)
        assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)

    assert Payment.objects.filter(status="failed").count() == 3
    settings = AutoRecharge.objects.get()
    assert settings.pause_reason == "failures"
    assert OutboxMessage.objects.filter(kind="email.recharge_paused").count() == 1
    assert Balance.objects.get(pk=account.pk).recharge_below is None

    save_card(account, payments_at, OK)
    assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT), "it waits for the customer"
    switch_on(account)
    assert auto_recharge.recharge_now(account.pk, 60 * CREDIT)


def test_a_success_in_between_starts_the_count_again(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, DECLINED_LATER)
    switch_on(account)
    assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    AutoRecharge.objects.update(next_attempt_at=None)
    save_card(account, payments_at, OK)
    assert auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    assert AutoRecharge.objects.get().failures == 0


def test_the_bank_wants_the_customer(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, NEEDS_3DS)
    switch_on(account)
    assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)

    payment = Payment.objects.get()
    assert payment.status == "requires_action"
    assert payment.action_url
    assert AutoRecharge.objects.get().pause_reason == "action_required"
    assert auto_recharge.of(account).action_url == payment.action_url
    assert OutboxMessage.objects.filter(kind="email.recharge_action").count() == 1

    payments_at.pay(payment.action_url)
    for _ in range(2):
        assert topups.complete(payment.pk).status == "succeeded"
    assert credits(account) == 300
    assert AutoRecharge.objects.get().paused_at is not None, "it goes on when the customer says so"


def test_the_link_is_made_later_when_stripe_did_not_answer(
    account: BillingAccount, payments_at: Simulator
) -> None:
    save_card(account, payments_at, NEEDS_3DS)
    switch_on(account)
    payments_at.faults("refuse", "/v1/checkout/sessions", times=2)
    assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    assert not OutboxMessage.objects.filter(kind="email.recharge_action").exists()

    for _ in range(2):
        auto_recharge.ask_waiting_customers()
    assert Payment.objects.get().action_url
    assert OutboxMessage.objects.filter(kind="email.recharge_action").count() == 1


@pytest.mark.parametrize("kind", ["error_after", "drop", pytest.param("timeout", marks=pytest.mark.slow)])
def test_charged_but_the_answer_was_lost(ready: BillingAccount, payments_at: Simulator, kind: str) -> None:
    """The second try, under the same idempotency key, hears of the first one's payment."""
    payments_at.faults(kind, "/v1/payment_intents", method="POST", seconds=3)
    auto_recharge.recharge_now(ready.pk, 60 * CREDIT)
    Payment.objects.filter(next_check_at__isnull=False).update(next_check_at=now())
    payments.reconcile_unknown()
    assert credits(ready) == 300
    assert charged(payments_at) == 1


def test_stripe_silent_the_sweeper_credits_what_was_charged(
    ready: BillingAccount, payments_at: Simulator
) -> None:
    payments_at.faults("drop", "/v1/payment_intents", method="POST", times=2)
    assert not auto_recharge.recharge_now(ready.pk, 60 * CREDIT)
    assert Payment.objects.get().status == "unknown"
    assert not auto_recharge.recharge_now(ready.pk, 60 * CREDIT), (
        "no second payment while the first is unknown"
    )

    Payment.objects.update(next_check_at=now())
    assert payments.reconcile_unknown() == 1
    assert credits(ready) == 300
    assert charged(payments_at) == 1


def test_a_charge_that_never_reached_stripe_is_given_up(
    ready: BillingAccount, payments_at: Simulator
) -> None:
    payments_at.faults("refuse", "/v1/payment_intents", method="POST", times=2)
    assert not auto_recharge.recharge_now(ready.pk, 60 * CREDIT)
    Payment.objects.update(next_check_at=now())
    assert payments.reconcile_unknown() == 0, "too early to say"

    Payment.objects.update(
        next_check_at=now(), submitted_at=now() - payments.LOST_AFTER - timedelta(seconds=1)
    )
    assert payments.reconcile_unknown() == 1
    assert Payment.objects.get().status == "canceled"
    AutoRecharge.objects.update(next_attempt_at=None)
    assert auto_recharge.recharge_now(ready.pk, 60 * CREDIT)
    assert credits(ready) == 300


def test_nobody_waits_for_a_payment_whose_process_died(ready: BillingAccount, payments_at: Simulator) -> None:
    Payment.objects.create(
        account=ready,
        purpose="auto_recharge",
        route="off_session",
        cash_minor=2500,
        currency="USD",
        credits=250 * CREDIT,
        unit="credit",
        created_at=now() - timedelta(seconds=auto_recharge.WAIT_SECONDS + 1),
    )
    began = time.monotonic()
    assert not auto_recharge.recharge_now(ready.pk, 60 * CREDIT)
    assert time.monotonic() - began < 5


def test_the_sweep_finds_who_is_below(ready: BillingAccount, payments_at: Simulator) -> None:
    spend(ready, 40)
    assert auto_recharge.run_due() == 1
    assert auto_recharge.run_due() == 0
    assert credits(ready) == 10 + 250
