"""Paying at once with the saved card, and keeping cards: default, removal, other people's."""

import pytest
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.errors import InvalidState, NotFound, PaymentFailed, ServiceUnavailable
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.services import auto_recharge, payment_methods, payments, topups
from billing.services.accounts import open_account
from tests.billing.paying import (
    CREDIT,
    DECLINED_LATER,
    NEEDS_3DS,
    OK,
    RETURN,
    credits,
    dollars,
    save_card,
)
from tests.stripe_simulator.fixtures import Simulator


def pay(account: BillingAccount, key: str | None = None) -> Payment:
    return topups.charge_saved_card(account=account, cash=dollars("25"), return_url=RETURN, request_key=key)


def test_pays_at_once(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    payment = pay(account)
    assert (payment.status, payment.card) == ("succeeded", "Visa •••• 4242")
    assert credits(account) == 300


def test_the_same_request_pays_once(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    assert pay(account, "dialog").pk == pay(account, "dialog").pk
    assert credits(account) == 300


def test_a_decline_says_why_and_charges_nothing(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, DECLINED_LATER)
    for _ in range(2):
        with pytest.raises(PaymentFailed, match="declined") as refusal:
            pay(account, "dialog")
    assert refusal.value.extra["decline_code"]
    assert Payment.objects.get().status == "failed"
    assert credits(account) == 50


def test_3d_secure_goes_through_the_banks_page(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, NEEDS_3DS)
    payment = pay(account)
    assert payment.status == "requires_action"
    assert topups.complete(payment.pk).status == "requires_action"

    payments_at.authenticate(payment.action_url)
    assert topups.complete(payment.pk).status == "succeeded"
    assert credits(account) == 300


def test_3d_secure_refused_by_the_customer(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at, NEEDS_3DS)
    payment = pay(account)
    payments_at.authenticate(payment.action_url, passed=False)
    assert topups.complete(payment.pk).status == "failed"
    assert credits(account) == 50


def test_without_a_card_there_is_nothing_to_charge(account: BillingAccount, payments_at: Simulator) -> None:
    with pytest.raises(InvalidState):
        pay(account)
    assert not Payment.objects.exists()


def test_stripe_silent_nobody_pays_twice(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    payments_at.faults("drop", "/v1/payment_intents", method="POST", times=2)
    with pytest.raises(ServiceUnavailable):
        pay(account, "dialog")
    with pytest.raises(ServiceUnavailable):
        pay(account, "dialog")
    payments.refresh(Payment.objects.get().pk)
    assert pay(account, "dialog").status == "succeeded"
    assert credits(account) == 300
    assert len(payments_at.client().v1.payment_intents.list().data) == 1


def test_a_day_later_when_stripe_has_forgotten_the_key_nobody_pays_twice(
    account: BillingAccount, payments_at: Simulator
) -> None:
    """Stripe keeps its idempotency keys for a day. A charge without an answer is looked for, and never sent again."""
    save_card(account, payments_at)
    payments_at.faults("drop", "/v1/payment_intents", method="POST", times=2)
    with pytest.raises(ServiceUnavailable):
        pay(account, "dialog")
    payments_at.advance(25 * 3600)
    with pytest.raises(ServiceUnavailable):
        pay(account, "dialog")
    Payment.objects.update(next_check_at=now())
    assert payments.reconcile_unknown() == 1
    assert pay(account, "dialog").status == "succeeded"
    assert credits(account) == 300
    assert len(payments_at.client().v1.payment_intents.list().data) == 1


def test_another_default_card_is_charged(account: BillingAccount, payments_at: Simulator) -> None:
    first = save_card(account, payments_at)
    second = save_card(account, payments_at, "pm_card_mastercard")
    assert PaymentMethod.objects.get(is_default=True).stripe_id == second
    payment_methods.set_default(account=account, stripe_id=first)
    assert PaymentMethod.objects.get(is_default=True).stripe_id == first
    assert pay(account).card == "Visa •••• 4242"


def test_removing_the_default_card_makes_another_the_default(
    account: BillingAccount, payments_at: Simulator
) -> None:
    first = save_card(account, payments_at)
    second = save_card(account, payments_at, "pm_card_mastercard")
    payment_methods.remove(account=account, stripe_id=second)
    assert PaymentMethod.objects.get().stripe_id == first
    assert PaymentMethod.objects.get().is_default


def test_removing_the_last_card_pauses_auto_recharge(account: BillingAccount, payments_at: Simulator) -> None:
    card = save_card(account, payments_at)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    payment_methods.remove(account=account, stripe_id=card)
    assert AutoRecharge.objects.get().pause_reason == "no_card"


def test_other_peoples_cards_are_not_found(account: BillingAccount, payments_at: Simulator) -> None:
    card = save_card(account, payments_at, OK)
    other = open_account(name="Other", email="other@example.com", profile="ads")
    with pytest.raises(NotFound):
        payment_methods.remove(account=other, stripe_id=card)
    with pytest.raises(NotFound):
        payment_methods.set_default(account=other, stripe_id=card)
    with pytest.raises(InvalidState):
        topups.charge_saved_card(
            account=other, cash=dollars("25"), return_url=RETURN, method=PaymentMethod.objects.get()
        )
    assert PaymentMethod.objects.get().is_default


def test_a_setup_page_of_someone_else_saves_nothing(account: BillingAccount, payments_at: Simulator) -> None:
    page = payment_methods.start_setup(account=account, return_url=RETURN, cancel_url=RETURN)
    assert payment_methods.finish_setup(page.id, account) is None, "nothing saved yet"
    payments_at.pay(page.url)
    other = open_account(name="Other", email="other@example.com", profile="ads")
    with pytest.raises(NotFound):
        payment_methods.finish_setup(page.id, other)
    with pytest.raises(NotFound):
        payment_methods.finish_setup("cs_test_nonsense", account)
    card = payment_methods.finish_setup(page.id, account)
    assert card is not None
    assert card.is_default


def test_no_card_number_is_stored(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    stored = {field.name for field in PaymentMethod._meta.fields}
    assert not stored & {"number", "pan", "cvc", "fingerprint"}


def test_a_payment_given_up_meanwhile_is_not_charged(account: BillingAccount, payments_at: Simulator) -> None:
    save_card(account, payments_at)
    auto_recharge.configure(
        account=account, enabled=True, threshold=60 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    claim = auto_recharge._claim(account.pk, 0)
    assert isinstance(claim, tuple)
    payments.give_up(claim[0].pk, status=Payment.Status.CANCELED, code="not_submitted", message="")
    done = topups.submit_card(claim[0], method_id=claim[0].stripe_method_id)
    assert done.status == "canceled"
    assert not payments_at.client().v1.payment_intents.list().data
    assert credits(account) == 50
