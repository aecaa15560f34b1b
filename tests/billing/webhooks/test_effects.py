"""What events lead to: one credit whatever their number and order, cards mirrored, payments finished."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.models import AutoRecharge, Payment, PaymentMethod, WebhookInbox
from billing.services import auto_recharge, inbox, payment_methods, topups
from tests.billing.paying import CREDIT, OK, credited, credits, dollars, save_card, start
from tests.billing.webhooks.conftest import Post
from tests.stripe_simulator.fixtures import Simulator

pytestmark = pytest.mark.django_db

Events = Callable[..., list[dict[str, Any]]]


def test_paid_then_told_it_is_credited(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    for event in events("checkout.session.completed"):
        assert post(event) == 200
    assert credits(account) == 300
    payment.refresh_from_db()
    assert payment.status == "succeeded"


def test_the_intents_event_alone_is_enough(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    for event in events("payment_intent.succeeded"):
        assert post(event) == 200
    assert credits(account) == 300


@pytest.mark.parametrize("version", ["2017-08-15", "2099-01-01.unheard", None])
def test_an_event_in_another_api_versions_shape_is_carried_out_by_what_stripe_says_in_ours(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events, version: str | None
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    (event,) = events("payment_intent.succeeded")
    thing = event["data"]["object"]
    kept = {name: thing[name] for name in ("id", "object", "metadata")}
    changed = {"amount": "1", "status": "paid", "charges": {"data": 7}, "latest_charge": None}
    assert post(event | {"api_version": version, "data": {"object": kept | changed}}) == 200
    assert credits(account) == 300


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_event_many_times_in_any_order_is_one_credit(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events, seed: int
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url, "4000000000000002")
    payments_at.pay(payment.checkout_url)
    deliveries = events() * 5
    random.Random(seed).shuffle(deliveries)
    for number, event in enumerate(deliveries):
        assert post(event) in (200, 503), event["type"]
        if number == len(deliveries) // 2:
            topups.complete(payment.pk)
    assert len(credited(payment.pk)) == 1
    assert credits(account) == 300
    assert not WebhookInbox.objects.filter(done_at__isnull=True).exists()
    assert not WebhookInbox.objects.exclude(mirror_error="").exists()


def test_stripe_silent_at_first_the_sweeper_finishes(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    (event,) = events("checkout.session.completed")
    payments_at.faults("error", "/v1/checkout/sessions/*", method="GET", times=20)
    post(event)
    assert credits(account) == 50
    row = WebhookInbox.objects.get()
    assert row.last_error
    assert inbox.sweep() == 0, "not before its time"

    payments_at.clear_faults()
    WebhookInbox.objects.update(next_attempt_at=now())
    assert inbox.sweep() == 1
    assert credits(account) == 300


def test_an_expired_page_cancels_the_payment(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.client().v1.checkout.sessions.expire(payment.stripe_checkout_id or "")
    for event in events("checkout.session.expired"):
        assert post(event) == 200
    payment.refresh_from_db()
    assert (payment.status, payment.checkout_url) == ("canceled", "")


def test_a_foreign_payment_leaves_no_trace(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    """Paid by nobody we know, but pointing at a payment of ours by its metadata."""
    payment = start(account)
    stripe = payments_at.client().v1
    stranger = stripe.customers.create({"email": "stranger@example.com"})
    stripe.payment_intents.create(
        {
            "amount": 2500,
            "currency": "usd",
            "customer": stranger.id,
            "payment_method": OK,
            "payment_method_types": ["card"],
            "confirm": True,
            "metadata": {"payment": payment.public_id, "account": account.public_id},
        }
    )
    for event in events("payment_intent.succeeded"):
        assert post(event) == 200
    payment.refresh_from_db()
    assert payment.status == "submitted"
    assert credits(account) == 50


def test_another_amount_than_asked_for_is_quarantined(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    Payment.objects.filter(pk=payment.pk).update(cash_minor=2400)
    done = topups.complete(payment.pk)
    assert (done.status, done.failure_code) == ("quarantined", "mismatch")
    assert credits(account) == 50
    assert topups.complete(payment.pk).status == "quarantined"


def test_a_recharge_whose_answer_was_lost_is_credited_by_its_event(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    save_card(account, payments_at)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    payments_at.faults("drop", "/v1/payment_intents", method="POST", times=2)
    assert not auto_recharge.recharge_now(account.pk, 60 * CREDIT)
    for event in events("payment_intent.succeeded"):
        assert post(event) == 200
    assert credits(account) == 300
    assert Payment.objects.get().purpose == "auto_recharge"


# Cards


def test_a_card_saved_on_the_setup_page_is_the_default_one(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    page = payment_methods.start_setup(account=account, return_url="http://t/back", cancel_url="http://t/no")
    answer = payments_at.pay(page.url)
    assert answer.headers["location"] == f"http://t/back?setup={page.id}"
    for event in events("checkout.session.completed", "payment_method.attached", "setup_intent.succeeded"):
        assert post(event) == 200
    card = PaymentMethod.objects.get()
    assert (card.account_id, card.label, card.is_default) == (account.pk, "Visa •••• 4242", True)


def test_paying_saves_the_card_too(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    for event in events("payment_method.attached", "checkout.session.completed"):
        assert post(event) == 200
    assert PaymentMethod.objects.get().is_default


def test_a_card_removed_at_stripe_goes_here_too(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    card = save_card(account, payments_at)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    payments_at.client().v1.payment_methods.detach(card)
    for event in events("payment_method.detached"):
        assert post(event) == 200
    assert not PaymentMethod.objects.exists()
    assert AutoRecharge.objects.get().pause_reason == "no_card"


def test_a_customer_deleted_at_stripe_costs_nothing(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    topups.complete(payment.pk)
    gone = payment.stripe_customer_id
    payments_at.client().v1.customers.delete(gone)
    for event in events("customer.deleted"):
        assert post(event) == 200

    account.refresh_from_db()
    assert account.stripe_customer_id not in (None, gone)
    assert Payment.objects.get(pk=payment.pk).stripe_customer_id == gone
    assert credits(account) == 300
    assert start(account).checkout_url


def test_metadata_cannot_move_a_customer_to_another_account(
    account: BillingAccount, payments_at: Simulator, post: Post, events: Events
) -> None:
    other = BillingAccount.objects.create(name="Other", email="o@example.com", profile="ads", unit="credit")
    save_card(account, payments_at)
    payments_at.client().v1.customers.update(
        account.stripe_customer_id or "",
        {"metadata": {"account": other.public_id, "djstripe_subscriber": str(other.pk)}},
    )
    for event in events("customer.updated"):
        assert post(event) == 200
    other.refresh_from_db()
    assert other.stripe_customer_id is None
    assert PaymentMethod.objects.get().account_id == account.pk
