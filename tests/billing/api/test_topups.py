"""Starting a payment over the API, with Stripe's stand-in over HTTP."""

import pytest

from billing.models import Payment
from tests.billing.api.conftest import Payer
from tests.stripe_simulator.fixtures import Simulator

BODY = {"amount": "25", "currency": "USD"}


def test_a_payment_page_is_opened(ann: Payer, payments_at: Simulator) -> None:
    reply = ann.api.post("/v1/topups", BODY)
    assert reply.status == 200
    assert list(reply.body) == ["checkout_url"]
    assert reply.body["checkout_url"].startswith(payments_at.base_url)
    payment = Payment.objects.get()
    assert (payment.account_id, payment.cash_minor, payment.status) == (ann.account.pk, 2500, "submitted")


def test_the_same_request_again_opens_the_same_page(ann: Payer, payments_at: Simulator) -> None:
    first = ann.api.post("/v1/topups", BODY, idem="one")
    again = ann.api.post("/v1/topups", BODY, idem="one")
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert Payment.objects.count() == 1
    other = ann.api.post("/v1/topups", BODY | {"amount": "50"}, idem="one")
    assert (other.status, other.code) == (409, "idempotency_conflict")


def test_one_key_of_two_customers_is_two_payments(ann: Payer, bob: Payer, payments_at: Simulator) -> None:
    ann.api.post("/v1/topups", BODY, idem="one")
    bob.api.post("/v1/topups", BODY, idem="one")
    assert Payment.objects.count() == 2


def test_a_currency_in_lower_case_is_the_same(ann: Payer, payments_at: Simulator) -> None:
    assert ann.api.post("/v1/topups", BODY | {"currency": "usd"}).status == 200


WRONG = [
    ({"amount": "4.99"}, "amount"),
    ({"amount": "10000.01"}, "amount"),
    ({"amount": "25.001"}, "amount"),
    ({"amount": 25}, "amount"),
    ({"amount": "0"}, "amount"),
    ({"amount": "-25"}, "amount"),
    ({"amount": "٢٥"}, "amount"),
    ({"currency": "EUR"}, "currency"),
    ({"currency": "US"}, "currency"),
    ({"currency": "$"}, "currency"),
    ({"return_url": "https://evil.example"}, "return_url"),
]


@pytest.mark.parametrize(("change", "field"), WRONG, ids=[str(change) for change, _ in WRONG])
def test_a_wrong_amount_starts_nothing(ann: Payer, change: dict[str, object], field: str) -> None:
    reply = ann.api.post("/v1/topups", BODY | change)
    assert (reply.status, reply.fields) == (422, {field})
    assert not Payment.objects.exists()


def test_the_bounds_are_said_in_a_sentence_and_at_the_field(ann: Payer) -> None:
    reply = ann.api.post("/v1/topups", BODY | {"amount": "4.99"})
    assert reply.body["detail"] == "The amount must be between 5 and 10000 USD."
    assert reply.body["errors"] == [{"field": "amount", "message": "must be between 5 and 10000 USD"}]
