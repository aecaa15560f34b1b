"""Profile ``images``: the whole balance is good for 12 months from the last paid top-up. What moves that clock, to the
microsecond, and what does not.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import BillingAccount, User
from billing import outbox
from billing.ledger import balances, grants, holds, refunds
from billing.ledger.models import Grant, Transaction
from billing.models import Payment
from billing.services import expiry, reconciliation, reversals, topups, validity
from billing.services.accounts import open_account
from billing.services.adjustments import adjust
from catalog.pricing.units import Amount
from tests.billing.ledger.conftest import at
from tests.billing.paying import CANCEL, RETURN
from tests.stripe_simulator.fixtures import Simulator

EUR = 1_000_000
MICROSECOND = timedelta(microseconds=1)
FIRST = datetime(2028, 2, 29, 12, tzinfo=UTC)
"""A leap day: twelve months later is 28 February."""
FIRST_END = datetime(2029, 2, 28, 12, tzinfo=UTC)
SECOND = datetime(2028, 6, 1, 9, 30, 0, 5, tzinfo=UTC)
SECOND_END = datetime(2029, 6, 1, 9, 30, 0, 5, tzinfo=UTC)


@pytest.fixture
def account(images: None) -> BillingAccount:
    """With its trial grant of 0.50 EUR."""
    return open_account(name="Lumen", email="pay@lumen.example", profile="images")


@pytest.fixture(autouse=True)
def _nothing_is_left_to_send(payments_at: Simulator) -> Iterator[None]:
    """Before the books are looked at, at the moment the clock was moved to."""
    yield
    outbox.relay()


def buy(
    account: BillingAccount, simulator: Simulator, moment: datetime, cash: str = "20", card: str = ""
) -> Payment:
    """Pay that much at this moment of the ledger's clock, or try to."""
    payment = topups.start(
        account=account, cash=Amount.parse(cash, "EUR"), return_url=RETURN, cancel_url=CANCEL
    )
    simulator.pay(payment.checkout_url, *([card] if card else []), country="DE", postal_code="10115")
    at(moment)
    return topups.complete(payment.pk)


def ends(account: BillingAccount) -> set[datetime | None]:
    """The expiries of everything the account still has."""
    return set(Grant.objects.filter(account=account, is_spent=False).values_list("expires_at", flat=True))


def available(account: BillingAccount) -> int:
    return balances.of(account.pk).available


def give_back(payment: Payment, simulator: Simulator, minor: int | None = None) -> None:
    """Refund a payment, or so many cents of it, as support does at Stripe, and take that over."""
    assert payment.stripe_intent_id is not None
    whole = payment.cash_minor + payment.tax_minor
    refund = simulator.client().v1.refunds.create(
        {"payment_intent": payment.stripe_intent_id, "amount": minor or whole}
    )
    reversals.record_refund(refund.id)


def test_the_whole_balance_lapses_to_the_microsecond(account: BillingAccount, payments_at: Simulator) -> None:
    assert ends(account) == {None}, "the trial alone has no clock"
    buy(account, payments_at, FIRST)
    assert ends(account) == {FIRST_END}
    at(FIRST_END - MICROSECOND)
    assert available(account) == 20_500_000
    at(FIRST_END)
    assert available(account) == 0
    assert expiry.expire_credits() == 1
    lapsed = Transaction.objects.filter(account=account, kind="expiry")
    assert sum(row.amount for row in lapsed) == -20_500_000
    outbox.relay()
    assert not [finding for finding in reconciliation.run() if finding.breaches]


def test_another_paid_top_up_in_the_last_microsecond_keeps_everything(
    account: BillingAccount, payments_at: Simulator
) -> None:
    buy(account, payments_at, FIRST)
    buy(account, payments_at, FIRST_END - MICROSECOND, "5")
    (end,) = ends(account)
    assert end == datetime(2030, 2, 28, 12, tzinfo=UTC) - MICROSECOND
    at(end - MICROSECOND)
    assert available(account) == 25_500_000
    at(end)
    assert available(account) == 0


def test_one_that_comes_at_the_end_itself_brings_nothing_back(
    account: BillingAccount, payments_at: Simulator
) -> None:
    buy(account, payments_at, FIRST)
    buy(account, payments_at, FIRST_END, "5")
    assert available(account) == 5_000_000
    assert ends(account) == {datetime(2030, 2, 28, 12, tzinfo=UTC)}


def test_bonus_trial_and_what_support_gives_move_nothing_and_lapse_with_the_rest(
    account: BillingAccount, payments_at: Simulator
) -> None:
    buy(account, payments_at, FIRST)
    at(SECOND)
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    adjust(account_id=account.pk, micros=3 * EUR, reason="Sorry", staff=staff, nonce=uuid.uuid4())
    for source in ("bonus", "trial"):
        grants.add(
            account_id=account.pk,
            micros=EUR,
            source=source,
            kind=source,
            description="Given",
            key=f"test:{source}",
            expires_at=validity.good_until(account),
        )
    assert ends(account) == {FIRST_END}
    at(FIRST_END)
    assert available(account) == 0


def test_what_support_gives_without_a_clock_or_after_it_ran_out_can_be_used(
    account: BillingAccount, payments_at: Simulator
) -> None:
    staff = User.objects.create_user("staff@example.com", is_staff=True)
    adjust(account_id=account.pk, micros=EUR, reason="Hello", staff=staff, nonce=uuid.uuid4())
    assert ends(account) == {None}
    buy(account, payments_at, FIRST)
    at(FIRST_END + MICROSECOND)
    adjust(account_id=account.pk, micros=EUR, reason="Sorry", staff=staff, nonce=uuid.uuid4())
    assert available(account) == EUR


def test_a_payment_that_fails_moves_nothing(account: BillingAccount, payments_at: Simulator) -> None:
    buy(account, payments_at, FIRST)
    assert buy(account, payments_at, SECOND, card="4000000000000002").status != "succeeded"
    assert ends(account) == {FIRST_END}


def test_a_charge_that_is_refunded_moves_nothing(account: BillingAccount, payments_at: Simulator) -> None:
    buy(account, payments_at, FIRST)
    at(SECOND)
    work = holds.PlaceRequest(
        account=account.pk,
        amount=EUR,
        model="m",
        operation="generate",
        description="W",
        ttl=60,
        settle_now=True,
    )
    charge = holds.place([work])[0]
    refunds.refund_charge(charge_id=charge["id"], micros=None, reason="Failed")
    assert ends(account) == {FIRST_END}
    assert available(account) == 20_500_000


def test_a_top_up_given_back_in_full_takes_its_reset_back(
    account: BillingAccount, payments_at: Simulator
) -> None:
    buy(account, payments_at, FIRST)
    second = buy(account, payments_at, SECOND)
    assert ends(account) == {SECOND_END}
    at(SECOND + timedelta(days=3))
    give_back(second, payments_at)
    assert ends(account) == {FIRST_END}
    assert available(account) == 20_500_000


def test_a_part_given_back_leaves_a_paid_top_up(account: BillingAccount, payments_at: Simulator) -> None:
    buy(account, payments_at, FIRST)
    second = buy(account, payments_at, SECOND)
    at(SECOND + timedelta(days=3))
    give_back(second, payments_at, minor=500)
    assert ends(account) == {SECOND_END}


def test_without_any_paid_top_up_left_there_is_no_clock(
    account: BillingAccount, payments_at: Simulator
) -> None:
    first = buy(account, payments_at, FIRST)
    at(FIRST + timedelta(days=3))
    give_back(first, payments_at)
    assert ends(account) == {None}
    assert validity.good_until(account) is None


def test_an_earlier_end_that_has_passed_meanwhile_ends_the_balance(
    account: BillingAccount, payments_at: Simulator
) -> None:
    buy(account, payments_at, FIRST)
    second = buy(account, payments_at, FIRST_END - timedelta(days=1))
    at(FIRST_END + timedelta(days=1))
    give_back(second, payments_at)
    assert available(account) == 0


def test_the_clock_is_the_last_paid_one_whatever_order_they_are_given_back_in(
    account: BillingAccount, payments_at: Simulator
) -> None:
    first = buy(account, payments_at, FIRST)
    buy(account, payments_at, SECOND)
    at(SECOND + timedelta(days=3))
    give_back(first, payments_at)
    assert ends(account) == {SECOND_END}
    assert validity.good_until(account) == SECOND_END
