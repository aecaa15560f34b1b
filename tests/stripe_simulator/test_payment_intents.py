from typing import Any

import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain


def saved_card(client: stripe.StripeClient, customer: stripe.Customer, name: str = "pm_card_visa") -> str:
    return client.v1.payment_methods.attach(name, {"customer": customer.id}).id


def pay(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    """On-session, cards only, confirmed at once."""
    wanted = {"amount": 2500, "currency": "usd", "payment_method_types": ["card"], "confirm": True} | params
    return client.v1.payment_intents.create(wanted)  # type: ignore[arg-type]


def types_of(simulator: Simulator) -> list[str]:
    return [entry["event"]["type"] for entry in simulator.events()]


def test_an_off_session_payment_with_a_saved_card_succeeds(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    intent = plain(
        client.v1.payment_intents.create(
            {
                "amount": 2500,
                "currency": "usd",
                "customer": customer.id,
                "payment_method": saved_card(client, customer),
                "off_session": True,
                "confirm": True,
                "metadata": {"payment": "pay_1"},
                "expand": ["latest_charge"],
            }
        )
    )
    assert (intent["status"], intent["amount_received"]) == ("succeeded", 2500)
    assert intent["capture_method"] == "automatic_async"
    charge = intent["latest_charge"]
    assert (charge["paid"], charge["captured"], charge["amount_captured"]) == (True, True, 2500)
    assert charge["metadata"] == {"payment": "pay_1"}
    assert charge["balance_transaction"] is None
    assert charge["payment_method_details"]["card"]["last4"] == "4242"


def test_events_come_in_stripes_order(simulator: Simulator, client: stripe.StripeClient) -> None:
    pay(client, payment_method="pm_card_visa")
    simulator.wait_idle()
    assert types_of(simulator) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    created = simulator.events()[0]["event"]["data"]["object"]
    assert (created["status"], created["payment_method"]) == ("requires_payment_method", None)
    booked = simulator.events()[3]["event"]["data"]
    assert booked["previous_attributes"] == {"balance_transaction": None}


def test_the_balance_transaction_holds_amount_fee_and_net(client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa")
    expanded = ["latest_charge.balance_transaction"]
    found = plain(client.v1.payment_intents.retrieve(intent.id, {"expand": expanded}))
    entry = found["latest_charge"]["balance_transaction"]
    assert (entry["amount"], entry["fee"], entry["net"]) == (2500, 103, 2397)
    assert entry["source"] == found["latest_charge"]["id"]


@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
def test_a_declined_card_is_a_402_with_the_intent_inside(
    client: stripe.StripeClient, name: str, code: str, reason: str
) -> None:
    with pytest.raises(stripe.CardError) as refused:
        pay(client, payment_method=name)
    error: Any = refused.value.json_body["error"]  # type: ignore[index]
    assert (refused.value.http_status, error["code"], error["decline_code"]) == (402, code, reason)
    intent = plain(client.v1.payment_intents.retrieve(error["payment_intent"]["id"]))
    assert intent == error["payment_intent"]
    assert (intent["status"], intent["payment_method"]) == ("requires_payment_method", None)
    assert intent["last_payment_error"]["code"] == code
    charge = plain(client.v1.charges.retrieve(error["charge"]))
    assert (charge["status"], charge["paid"], charge["failure_code"]) == ("failed", False, code)


def test_a_declined_payment_can_be_tried_again_with_another_card(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as refused:
        pay(client, payment_method="pm_card_chargeDeclined")
    intent_id = refused.value.error.payment_intent.id  # type: ignore[union-attr]
    again = client.v1.payment_intents.confirm(intent_id, {"payment_method": "pm_card_visa"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)
    assert len(client.v1.charges.list({"payment_intent": intent_id}).data) == 2


def test_a_card_that_attaches_may_decline_when_charged(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    card = saved_card(client, customer, "pm_card_chargeCustomerFail")
    with pytest.raises(stripe.CardError) as refused:
        pay(client, customer=customer.id, payment_method=card, off_session=True)
    assert refused.value.code == "card_declined"
    assert client.v1.payment_methods.retrieve(card).customer == customer.id


@pytest.mark.parametrize("name", ["pm_card_authenticationRequired", "pm_card_authenticationRequiredOnSetup"])
def test_off_session_a_3d_secure_card_is_refused_and_the_intent_wants_another(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer, name: str
) -> None:
    card = saved_card(client, customer, name)
    with pytest.raises(stripe.CardError) as refused:
        pay(client, customer=customer.id, payment_method=card, off_session=True)
    assert (refused.value.http_status, refused.value.code) == (402, "authentication_required")
    assert refused.value.error.payment_intent.status == "requires_payment_method"  # type: ignore[union-attr]
    assert types_of(simulator)[-2:] == ["charge.failed", "payment_intent.payment_failed"]


def test_on_session_a_3d_secure_card_requires_action_and_the_page_completes_it(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    intent = plain(
        pay(
            client, payment_method="pm_card_authenticationRequired", return_url="http://shop.example/back?a=1"
        )
    )
    assert intent["status"] == "requires_action"
    page = intent["next_action"]["redirect_to_url"]["url"]
    assert "Complete" in simulator.http.get(page).text
    onwards = simulator.authenticate(page).headers["location"]
    assert onwards.startswith("http://shop.example/back?a=1&payment_intent=")
    assert onwards.endswith("redirect_status=succeeded")
    expanded = plain(client.v1.payment_intents.retrieve(intent["id"], {"expand": ["latest_charge"]}))
    assert (expanded["status"], expanded["next_action"]) == ("succeeded", None)
    details = expanded["latest_charge"]["payment_method_details"]["card"]
    assert details["three_d_secure"]["result"] == "authenticated"


def test_failing_3d_secure_puts_the_intent_back(simulator: Simulator, client: stripe.StripeClient) -> None:
    intent = plain(pay(client, payment_method="pm_card_authenticationRequired"))
    page = intent["next_action"]["use_stripe_sdk"]["stripe_js"]
    assert "not authenticated" in simulator.authenticate(page, passed=False).text
    found = plain(client.v1.payment_intents.retrieve(intent["id"]))
    assert found["status"] == "requires_payment_method"
    assert found["last_payment_error"]["code"] == "payment_intent_authentication_failure"
    assert found["latest_charge"] is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("pm_card_threeDSecureRequiredChargeDeclined", "card_declined"),
        ("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds", "card_declined"),
        ("pm_card_threeDSecureRequiredProcessingError", "processing_error"),
    ],
)
def test_some_cards_decline_after_authentication(
    simulator: Simulator, client: stripe.StripeClient, name: str, code: str
) -> None:
    intent = plain(pay(client, payment_method=name))
    simulator.authenticate(intent["next_action"]["use_stripe_sdk"]["stripe_js"])
    found = plain(client.v1.payment_intents.retrieve(intent["id"]))
    assert (found["status"], found["last_payment_error"]["code"]) == ("requires_payment_method", code)


def test_a_card_authenticated_for_later_is_charged_off_session(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    first = plain(
        pay(
            client,
            customer=customer.id,
            payment_method="pm_card_authenticationRequiredOnSetup",
            setup_future_usage="off_session",
        )
    )
    simulator.authenticate(first["next_action"]["use_stripe_sdk"]["stripe_js"])
    card = client.v1.customers.payment_methods.list(customer.id).data[0].id
    assert pay(client, customer=customer.id, payment_method=card, off_session=True).status == "succeeded"


def test_an_intent_that_cannot_show_3d_secure_is_refused(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as refused:
        pay(client, payment_method="pm_card_authenticationRequired", error_on_requires_action=True)
    assert refused.value.code == "authentication_required"


def test_manual_capture_holds_then_takes_a_part(simulator: Simulator, client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa", capture_method="manual")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 2500)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 2501})
    assert refused.value.code == "amount_too_large"
    taken = client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 1000})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 1000, 0)
    charge = client.v1.charges.list({"payment_intent": intent.id}).data[0]
    assert (charge.amount_captured, charge.amount_refunded, charge.captured) == (1000, 1500, True)
    assert types_of(simulator)[-2:] == ["charge.captured", "payment_intent.succeeded"]


def test_an_uncaptured_hold_expires_after_a_week(simulator: Simulator, client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa", capture_method="manual")
    simulator.advance(7 * 86_400 + 1)
    found = client.v1.payment_intents.retrieve(intent.id)
    assert (found.status, found.cancellation_reason) == ("canceled", "automatic")


def test_cancel_only_before_it_succeeded(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 2500, "currency": "usd"})
    ended = client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})
    assert (ended.status, ended.cancellation_reason) == ("canceled", "abandoned")
    paid = pay(client, payment_method="pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.cancel(paid.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert refused.value.error.payment_intent.id == paid.id  # type: ignore[union-attr]


def test_a_paid_intent_is_not_confirmed_again(client: stripe.StripeClient) -> None:
    paid = pay(client, payment_method="pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as refused:
        client.v1.payment_intents.confirm(paid.id)
    assert refused.value.code == "payment_intent_unexpected_state"
    assert len(client.v1.charges.list({"payment_intent": paid.id}).data) == 1


def test_a_paid_intent_keeps_its_amount_but_takes_metadata(client: stripe.StripeClient) -> None:
    paid = pay(client, payment_method="pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match="amount could not be updated"):
        client.v1.payment_intents.update(paid.id, {"amount": 1})
    changed = client.v1.payment_intents.update(paid.id, {"metadata": {"seen": "yes"}})
    assert plain(changed)["metadata"] == {"seen": "yes"}


def test_confirming_on_session_with_automatic_methods_needs_a_return_url(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.payment_intents.create(
            {"amount": 2500, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
        )
    assert refused.value.param == "return_url"
    assert client.v1.payment_intents.list().data == []


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"amount": 49}, "amount", "amount_too_small"),
        ({"amount": -1}, "amount", "parameter_invalid_integer"),
        ({"amount": 100_000_000}, "amount", "amount_too_large"),
        ({"amount": "12.5"}, "amount", "parameter_invalid_integer"),
        ({"currency": "xyz"}, "currency", None),
        ({"currency": None}, "currency", "parameter_missing"),
        ({"customer": "cus_none"}, "customer", "resource_missing"),
        ({"payment_method": "pm_none"}, "payment_method", "resource_missing"),
        ({"off_sesion": True}, "off_sesion", "parameter_unknown"),
        ({"capture_method": "later"}, "capture_method", None),
    ],
)
def test_wrong_parameters_are_named(
    client: stripe.StripeClient, change: dict[str, Any], param: str, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        pay(client, **{"payment_method": "pm_card_visa"} | change)
    assert (refused.value.http_status, refused.value.param, refused.value.code) == (400, param, code)
    assert client.v1.payment_intents.list().data == []


def test_a_card_of_another_customer_is_not_charged(
    client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    card = saved_card(client, customer)
    other = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method with the ID"):
        pay(client, customer=other.id, payment_method=card)
    with pytest.raises(stripe.InvalidRequestError, match="attached to a customer"):
        pay(client, payment_method=card)


def test_a_card_used_once_without_a_customer_is_used_up(client: stripe.StripeClient) -> None:
    card = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}})
    pay(client, payment_method=card.id)
    with pytest.raises(stripe.InvalidRequestError, match="may not be used again"):
        pay(client, payment_method=card.id)


def test_a_declined_card_is_not_used_up(client: stripe.StripeClient) -> None:
    card = client.v1.payment_methods.create({"type": "card", "card": {"token": "tok_chargeDeclined"}})
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            pay(client, payment_method=card.id)


def test_intents_are_found_by_metadata(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    wanted = pay(client, payment_method="pm_card_visa", metadata={"payment": "pay_1"})
    pay(client, payment_method="pm_card_visa", metadata={"payment": "pay_2"})
    query = "metadata['payment']:'pay_1' AND status:'succeeded' AND amount>2000"
    found = client.v1.payment_intents.search({"query": query})
    assert [entry.id for entry in found.data] == [wanted.id]
    assert client.v1.payment_intents.search({"query": 'metadata["payment"]:"pay_9"'}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="unable to parse"):
        client.v1.payment_intents.search({"query": "whatever"})


def test_a_direct_charge_by_token_and_its_capture(client: stripe.StripeClient) -> None:
    charge = client.v1.charges.create(
        {"amount": 1000, "currency": "usd", "source": "tok_visa", "capture": False}
    )
    assert (charge.captured, charge.payment_intent) == (False, None)
    taken = client.v1.charges.capture(charge.id)
    assert (taken.captured, taken.amount_captured) == (True, 1000)
    with pytest.raises(stripe.CardError):
        client.v1.charges.create({"amount": 1000, "currency": "usd", "source": "tok_chargeDeclined"})
