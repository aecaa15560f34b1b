"""The Stripe adapter: outcomes by name, errors by what they mean for money."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from billing.gateways import gateway
from billing.gateways.protocol import (
    Busy,
    CardOrder,
    CheckoutOrder,
    GatewayError,
    Missing,
    Outcome,
    Rejected,
    Tax,
    Unreachable,
)
from tests.stripe_simulator.fixtures import Simulator

HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


@pytest.fixture
def customer(payments_at: Simulator) -> str:
    return gateway().create_customer(key=str(uuid.uuid4()), account="acct_1", email="a@example.com", name="A")


def card_order(
    simulator: Simulator, customer: str, method: str = "pm_card_visa", **changes: object
) -> CardOrder:
    saved = simulator.client().v1.payment_methods.attach(method, {"customer": customer})
    fields = {
        "key": str(uuid.uuid4()),
        "reference": "pay_1",
        "notes": {"account": "acct_1"},
        "customer_id": customer,
        "method_id": saved.id,
        "amount_minor": 2500,
        "currency": "USD",
        "title": "250 credits",
        "return_url": None,
    }
    return CardOrder(**(fields | changes))  # type: ignore[arg-type]


def test_the_same_key_makes_one_customer(payments_at: Simulator) -> None:
    made = {
        gateway().create_customer(key="one", account="acct_1", email="a@example.com", name="A")
        for _ in range(3)
    }
    assert len(made) == 1


def test_a_charge_says_what_it_took_from_which_card(payments_at: Simulator, customer: str) -> None:
    standing = gateway().charge_card(card_order(payments_at, customer))
    assert standing.outcome is Outcome.SUCCEEDED
    assert (standing.amount_minor, standing.currency, standing.customer_id) == (2500, "USD", customer)
    assert (standing.reference, standing.card) == ("pay_1", "Visa •••• 4242")
    assert standing == gateway().intent(standing.intent_id or "")


def test_a_decline_is_an_outcome_with_its_reason(payments_at: Simulator, customer: str) -> None:
    standing = gateway().charge_card(card_order(payments_at, customer, "pm_card_chargeCustomerFail"))
    assert (standing.outcome, standing.failure_code) == (Outcome.FAILED, "generic_decline")
    assert standing.failure_message
    assert gateway().intent(standing.intent_id or "").outcome is Outcome.FAILED


def test_a_bank_that_wants_the_absent_customer(payments_at: Simulator, customer: str) -> None:
    standing = gateway().charge_card(card_order(payments_at, customer, "pm_card_authenticationRequired"))
    assert standing.outcome is Outcome.REQUIRES_ACTION
    assert gateway().intent(standing.intent_id or "").outcome is Outcome.REQUIRES_ACTION


def test_a_bank_that_wants_the_present_customer_gives_its_page(payments_at: Simulator, customer: str) -> None:
    order = card_order(payments_at, customer, "pm_card_authenticationRequired", return_url="http://t/back")
    standing = gateway().charge_card(order)
    assert standing.outcome is Outcome.REQUIRES_ACTION
    assert standing.action_url.startswith(payments_at.base_url)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("error", Unreachable),
        ("error_after", Unreachable),
        ("drop", Unreachable),
        ("refuse", Unreachable),
        pytest.param("timeout", Unreachable, marks=pytest.mark.slow),
        ("rate_limit", Busy),
        ("lock_timeout", Busy),
    ],
)
def test_errors_are_named_by_what_is_known(
    payments_at: Simulator, customer: str, fault: str, error: type[GatewayError]
) -> None:
    order = card_order(payments_at, customer)
    payments_at.faults(fault, "/v1/payment_intents", method="POST", seconds=3)
    with pytest.raises(error):
        gateway().charge_card(order)


def test_a_key_used_for_something_else_is_rejected(payments_at: Simulator, customer: str) -> None:
    order = card_order(payments_at, customer)
    gateway().charge_card(order)
    with pytest.raises(Rejected):
        gateway().charge_card(card_order(payments_at, customer, key=order.key, amount_minor=9900))


def test_what_is_not_there_is_missing(payments_at: Simulator) -> None:
    with pytest.raises(Missing):
        gateway().intent("pi_nonsense")
    assert not gateway().wallet("cus_nonsense").exists


def test_a_lost_charge_is_found_by_its_reference(payments_at: Simulator, customer: str) -> None:
    made = gateway().charge_card(card_order(payments_at, customer, reference="pay_lost"))
    gateway().charge_card(card_order(payments_at, customer, reference="pay_other"))
    found = gateway().find_intent(customer_id=customer, reference="pay_lost", since=HOUR_AGO)
    assert found == made
    assert gateway().find_intent(customer_id=customer, reference="pay_none", since=HOUR_AGO) is None


def test_a_lost_page_is_found_by_its_reference(payments_at: Simulator, customer: str) -> None:
    order = CheckoutOrder(
        key="k",
        reference="pay_page",
        notes={"account": "acct_1"},
        customer_id=customer,
        amount_minor=2500,
        currency="USD",
        title="250 credits",
        success_url="http://t/back",
        cancel_url="http://t/no",
        tax=Tax.NONE,
    )
    made = gateway().create_checkout(order)
    assert made.outcome is Outcome.OPEN
    found = gateway().find_checkout(customer_id=customer, reference="pay_page", since=HOUR_AGO)
    assert found is not None
    assert found.checkout_id == made.checkout_id


def test_the_wallet_knows_cards_and_the_default_one(payments_at: Simulator, customer: str) -> None:
    client = payments_at.client().v1
    first = client.payment_methods.attach("pm_card_visa", {"customer": customer})
    second = client.payment_methods.attach("pm_card_mastercard", {"customer": customer})
    gateway().set_default_card(customer, first.id)
    wallet = gateway().wallet(customer)
    assert {card.id for card in wallet.cards} == {first.id, second.id}
    assert wallet.default_id == first.id

    for _ in range(2):
        gateway().detach_card(second.id)
    assert [card.id for card in gateway().wallet(customer).cards] == [first.id]


def test_a_refund_under_the_same_key_is_one(payments_at: Simulator, customer: str) -> None:
    paid = gateway().charge_card(card_order(payments_at, customer))
    made = {gateway().refund(key="r", intent_id=paid.intent_id or "", amount_minor=1000).id for _ in range(2)}
    assert len(made) == 1
    (refund,) = gateway().refunds_of(paid.charge_id or "")
    assert (refund.amount_minor, refund.status) == (1000, "succeeded")
