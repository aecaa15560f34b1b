"""Refunds and disputes: credits go back once, as far as they are unspent; a lost dispute leaves a debt."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import stripe

from accounts.models import BillingAccount
from billing.gateways import gateway
from billing.ledger.models import Transaction
from billing.models import Payment, Reversal
from billing.services import reconciliation, reversals, topups
from tests.billing.paying import CREDIT, OK, credits, spend, start
from tests.billing.webhooks.conftest import Post, endpoint, events, post
from tests.stripe_simulator.fixtures import Simulator

__all__ = ["endpoint", "events", "post"]

Events = Callable[..., list[dict[str, Any]]]
DISPUTED = "4000000000000259"
REFUND_FAILS_LATER = "4000000000005126"


def bought(account: BillingAccount, simulator: Simulator, card: str = "4242424242424242") -> Payment:
    """250 credits for 25 USD, beside the 50 of the welcome bonus."""
    payment = start(account)
    simulator.pay(payment.checkout_url, card)
    return topups.complete(payment.pk)


def refund(simulator: Simulator, payment: Payment, cents: int | None = None) -> str:
    """Refunded in Stripe's dashboard."""
    params: stripe.params.RefundCreateParams = {"payment_intent": payment.stripe_intent_id or ""}
    if cents is not None:
        params["amount"] = cents
    made = simulator.client().v1.refunds.create(params)
    return made.id


def test_a_refund_made_at_stripe_takes_the_credits_back_once(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = bought(account, payments_at)
    refund_id = refund(payments_at, payment)
    for event in events("refund.created", "charge.refunded", "refund.updated") * 3:
        assert post(event) == 200
    assert credits(account) == 50
    posted = Transaction.objects.get(key=f"refund:{refund_id}")
    assert (posted.kind, posted.amount) == ("refund", -250 * CREDIT)
    assert Reversal.objects.get().withdrawn == 250 * CREDIT


def test_partial_refunds_add_up(account: BillingAccount, payments_at: Simulator) -> None:
    payment = bought(account, payments_at)
    for cents, left in ((833, 216), (833, 133), (834, 50)):
        reversals.record_refund(refund(payments_at, payment, cents))
        assert credits(account) == left
    assert sum(row.withdrawn for row in Reversal.objects.all()) == payment.credits


def test_only_what_is_unspent_of_that_purchase_goes_back(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = bought(account, payments_at)
    spend(account, 50 + 200)
    reversals.record_refund(refund(payments_at, payment))
    assert credits(account) == 0
    assert Reversal.objects.get().withdrawn == 50 * CREDIT


def test_another_purchase_is_not_touched(account: BillingAccount, payments_at: Simulator) -> None:
    first = bought(account, payments_at)
    spend(account, 300)
    bought(account, payments_at)
    reversals.record_refund(refund(payments_at, first))
    assert credits(account) == 250
    assert Reversal.objects.get().withdrawn == 0


def test_a_refund_heard_of_before_its_payment(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    intent = payments_at.client().v1.payment_intents.list().data[0]
    payments_at.client().v1.refunds.create({"payment_intent": intent.id})
    for event in events("refund.created"):
        assert post(event) == 200
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert credits(account) == 50


def test_a_refund_that_fails_later_gives_the_credits_back(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = bought(account, payments_at, REFUND_FAILS_LATER)
    refund_id = refund(payments_at, payment)
    payments_at.wait_idle()
    as_it_was = replace(gateway().refund_state(refund_id), status="succeeded")
    reversals.take_over(Reversal.Kind.REFUND, as_it_was)
    assert credits(account) == 50
    for _ in range(3):
        row = reversals.record_refund(refund_id)
    assert row is not None
    assert row.status == "failed"
    assert credits(account) == 300


def test_a_refund_after_one_that_failed_takes_what_came_back(
    account: BillingAccount, payments_at: Simulator
) -> None:
    """The credits are in their purchase's grant again; otherwise the money would go back and the credits stay."""
    payment = bought(account, payments_at, REFUND_FAILS_LATER)
    failed = gateway().refund_state(refund(payments_at, payment))
    for status in ("succeeded", "failed"):
        reversals.take_over(Reversal.Kind.REFUND, replace(failed, status=status))
    spend(account, 50 + 100)
    reversals.take_over(Reversal.Kind.REFUND, replace(failed, id="re_second", status="succeeded"))
    assert credits(account) == 0
    assert Reversal.objects.get(stripe_id="re_second").withdrawn == 150 * CREDIT
    assert [finding.name for finding in reconciliation.run() if finding.breaches] == []


def test_news_of_an_earlier_standing_that_come_late_change_nothing(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = bought(account, payments_at, REFUND_FAILS_LATER)
    refund_id = refund(payments_at, payment)
    payments_at.wait_idle()
    failed = gateway().refund_state(refund_id)
    assert failed.status == "failed"
    for status in ("failed", "pending", "succeeded"):
        row = reversals.take_over(Reversal.Kind.REFUND, replace(failed, status=status))
        assert row is not None
        assert (row.status, credits(account)) == ("failed", 300)


def test_a_dispute_takes_nothing_until_it_is_lost_then_leaves_a_debt(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    bought(account, payments_at, DISPUTED)
    spend(account, 300)
    payments_at.wait_idle()
    for event in events("charge.dispute.created"):
        assert post(event) == 200
    assert credits(account) == 0
    dispute = Reversal.objects.get(kind="dispute")
    assert dispute.transaction_id is None

    payments_at.client().v1.disputes.close(dispute.stripe_id)
    for event in events("charge.dispute.closed") * 3:
        assert post(event) == 200
    assert credits(account) == -250
    assert Transaction.objects.filter(kind="dispute").count() == 1


def test_a_refund_of_a_payment_that_is_not_ours_is_left_alone(
    account: BillingAccount, payments_at: Simulator
) -> None:
    client = payments_at.client().v1
    intent = client.payment_intents.create(
        {
            "amount": 500,
            "currency": "usd",
            "payment_method": OK,
            "payment_method_types": ["card"],
            "confirm": True,
        }
    )
    made = client.refunds.create({"payment_intent": intent.id})
    assert reversals.record_refund(made.id) is None
    assert not Reversal.objects.exists()
