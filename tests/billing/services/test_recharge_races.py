"""Many at once on real connections: one payment, one credit, and no lock or transaction open while Stripe
is asked.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from django.db import connection, transaction

from accounts.models import BillingAccount
from billing.gateways.stripe_gateway import StripeGateway
from billing.models import AutoRecharge, Payment
from billing.services import auto_recharge, payments, recharge_rule, topups
from tests.billing.paying import CREDIT, OK, credits, dollars, order, save_card, start
from tests.stripe_simulator.fixtures import Simulator

T = TypeVar("T")

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def at_once(count: int, work: Callable[[], T]) -> list[T]:
    """Run the work on so many connections, all let go at the same moment."""
    gate = threading.Barrier(count)

    def run(_: int) -> T:
        try:
            connection.ensure_connection()
            gate.wait(30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.fixture
def ready(account: BillingAccount, payments_at: Simulator) -> BillingAccount:
    save_card(account, payments_at, OK)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=None
    )
    return account


def intents(simulator: Simulator) -> int:
    return len(simulator.client().v1.payment_intents.list({"limit": 100}).data)


def test_a_hundred_short_requests_make_one_payment(ready: BillingAccount, payments_at: Simulator) -> None:
    payments_at.faults("slow", "/v1/payment_intents", method="POST", seconds=0.5)
    answers = at_once(100, lambda: auto_recharge.recharge_now(ready.pk, 60 * CREDIT))
    assert answers == [True] * 100
    assert intents(payments_at) == 1
    assert credits(ready) == 300


def test_who_finds_the_payment_spent_by_others_is_recharged_for_too(
    ready: BillingAccount, payments_at: Simulator
) -> None:
    """400 credits asked for at once; 50 there, and one payment of 250 does not reach for all of them."""
    payments_at.faults("slow", "/v1/payment_intents", method="POST", seconds=0.5)

    assert at_once(20, lambda: order(ready)) == ["settled"] * 20
    assert (intents(payments_at), credits(ready)) == (2, 150)


def test_without_the_guard_there_would_be_many(
    ready: BillingAccount, payments_at: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: no lock, no look at running payments, no unique index."""
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX payment_one_live_recharge")
    try:
        monkeypatch.setattr(Payment, "IN_FLIGHT", ())
        monkeypatch.setattr(
            recharge_rule,
            "locked",
            lambda account_id: AutoRecharge.objects.get(pk=account_id),
        )
        at_once(8, lambda: auto_recharge.recharge_now(ready.pk, 60 * CREDIT))
        assert intents(payments_at) > 1
    finally:
        Payment.objects.exclude(status="succeeded").delete()  # what the index does not allow
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE UNIQUE INDEX payment_one_live_recharge ON billing_payment (account_id)"
                " WHERE purpose = 'auto_recharge' AND status IN ('created', 'submitted', 'unknown')"
            )


def test_everyone_who_hears_of_a_payment_credits_it_once(
    account: BillingAccount, payments_at: Simulator
) -> None:
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    done = at_once(20, lambda: topups.complete(payment.pk).status)
    assert set(done) == {"succeeded"}
    assert credits(account) == 300


def test_opening_the_page_twice_at_once_makes_one_payment(
    account: BillingAccount, payments_at: Simulator
) -> None:
    opened = at_once(8, lambda: start(BillingAccount.objects.get(pk=account.pk), key="dialog").pk)
    assert len(set(opened)) == 1
    assert len(payments_at.client().v1.checkout.sessions.list().data) == 1
    assert len(payments_at.client().v1.customers.list().data) == 1


def test_a_manual_top_up_beside_a_recharge_both_count(ready: BillingAccount, payments_at: Simulator) -> None:
    payment = start(ready)
    payments_at.pay(payment.checkout_url)
    work: list[Callable[[], object]] = [
        lambda: topups.complete(payment.pk),
        lambda: auto_recharge.recharge_now(ready.pk, 60 * CREDIT),
    ]
    at_once(2, lambda: work.pop()())
    assert credits(ready) in (300, 550), "the recharge may find enough already"
    assert credits(ready) == 50 + 250 * Payment.objects.filter(status="succeeded").count()


def test_stripe_is_never_asked_inside_a_transaction(
    ready: BillingAccount, payments_at: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    for name in ("create_checkout", "charge_card", "checkout", "intent", "create_customer", "wallet"):
        ask = getattr(StripeGateway, name)

        def watched(self: StripeGateway, *args: Any, _ask: Any = ask, **kwargs: Any) -> Any:
            asked.append(_ask.__name__)
            assert not connection.in_atomic_block
            return _ask(self, *args, **kwargs)

        monkeypatch.setattr(StripeGateway, name, watched)

    payment = start(ready)
    payments_at.pay(payment.checkout_url)
    topups.complete(payment.pk)
    auto_recharge.recharge_now(ready.pk, 600 * CREDIT)
    payments.compare_recent(payment.created_at)
    assert {"create_checkout", "checkout", "charge_card"} <= set(asked)


def test_a_payment_never_goes_back(account: BillingAccount, payments_at: Simulator) -> None:
    """The database itself refuses it, whoever asks."""
    payment = start(account)
    payments_at.pay(payment.checkout_url)
    topups.complete(payment.pk)
    with pytest.raises(Exception, match="Invalid transition"), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(status="failed", transaction_id=None)
