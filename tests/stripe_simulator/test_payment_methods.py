from typing import Any

import pytest
import stripe

from tests.stripe_simulator.reading import plain

CARD: Any = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"}


def test_a_card_shows_what_it_is_and_never_its_number(client: stripe.StripeClient) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": CARD})
    card = plain(method)["card"]
    assert (card["brand"], card["last4"], card["exp_year"]) == ("visa", "4242", 2034)
    assert card["checks"]["cvc_check"] == "unchecked"
    assert "4242424242424242" not in str(client.v1.payment_methods.retrieve(method.id))


def test_one_number_has_one_fingerprint(client: stripe.StripeClient) -> None:
    first, again, other = (
        plain(client.v1.payment_methods.create({"type": "card", "card": CARD | {"number": number}}))["card"]
        for number in ("4242424242424242", "4242 4242 4242 4242", "5555555555554444")
    )
    assert first["fingerprint"] == again["fingerprint"] != other["fingerprint"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"number": "4242424242424241"}, "incorrect_number"),
        ({"exp_month": 13}, "invalid_expiry_month"),
        ({"exp_year": 2019}, "invalid_expiry_year"),
        ({"cvc": "12"}, "invalid_cvc"),
    ],
)
def test_impossible_details_are_card_errors(
    client: stripe.StripeClient, change: dict[str, object], code: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": CARD | change})
    assert (refused.value.http_status, refused.value.code) == (402, code)


def test_attach_list_and_detach(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": CARD})
    attached = client.v1.payment_methods.attach(method.id, {"customer": customer.id})
    assert attached.customer == customer.id
    assert plain(attached)["card"]["checks"]["cvc_check"] == "pass"
    assert [entry.id for entry in client.v1.customers.payment_methods.list(customer.id).data] == [method.id]
    assert [entry.id for entry in client.v1.payment_methods.list({"customer": customer.id})] == [method.id]
    assert client.v1.payment_methods.detach(method.id).customer is None
    assert client.v1.customers.payment_methods.list(customer.id).data == []
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        client.v1.payment_methods.attach(method.id, {"customer": customer.id})


def test_detaching_the_default_card_leaves_no_default(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    client.v1.payment_methods.detach(method.id)
    found = plain(client.v1.customers.retrieve(customer.id))
    assert found["invoice_settings"]["default_payment_method"] is None


@pytest.mark.parametrize(
    ("number", "can_be_saved"),
    [("4000000000000341", True), ("4000000000000002", False), ("4000000000009995", False)],
)
def test_a_card_that_declines_cannot_be_saved_but_for_the_one_made_for_it(
    client: stripe.StripeClient, customer: stripe.Customer, number: str, can_be_saved: bool
) -> None:
    method = client.v1.payment_methods.create({"type": "card", "card": CARD | {"number": number}})
    if can_be_saved:
        assert client.v1.payment_methods.attach(method.id, {"customer": customer.id}).customer == customer.id
        return
    with pytest.raises(stripe.CardError):
        client.v1.payment_methods.attach(method.id, {"customer": customer.id})
    assert client.v1.payment_methods.retrieve(method.id).customer is None


def test_a_test_name_makes_a_new_card_each_time(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    first = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    second = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer.id})
    assert first.id != second.id
    assert plain(first)["card"]["brand"] == "mastercard"


def test_a_saved_card_can_be_updated(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    method = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    details = {"card": {"exp_month": 1, "exp_year": 2040}, "billing_details": {"address": {"country": "FR"}}}
    changed = plain(client.v1.payment_methods.update(method.id, details))  # type: ignore[arg-type]
    assert (changed["card"]["exp_month"], changed["card"]["exp_year"]) == (1, 2040)
    assert changed["billing_details"]["address"]["country"] == "FR"
    assert client.v1.events.list({"type": "payment_method.updated"}).data


def test_a_token_serves_once(client: stripe.StripeClient) -> None:
    token = client.v1.tokens.create(
        {"card": {"number": "4242424242424242", "exp_month": "12", "exp_year": "2034", "cvc": "123"}}
    )
    method = client.v1.payment_methods.create({"type": "card", "card": {"token": token.id}})
    assert plain(method)["card"]["last4"] == "4242"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_methods.create({"type": "card", "card": {"token": token.id}})
    assert refused.value.code == "token_already_used"
