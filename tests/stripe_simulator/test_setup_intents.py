import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain


def test_a_card_is_saved_for_off_session_use(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer
) -> None:
    intent = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method_types": ["card"],
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )
    assert (intent.status, intent.usage) == ("succeeded", "off_session")
    assert client.v1.customers.payment_methods.list(customer.id).data[0].id == intent.payment_method
    kinds = [entry["event"]["type"] for entry in simulator.events()]
    assert kinds == [
        "customer.created",
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    attempts = client.v1.setup_attempts.list({"setup_intent": intent.id})
    assert [attempt.status for attempt in attempts.data] == ["succeeded"]


def test_a_declined_card_is_not_saved(client: stripe.StripeClient, customer: stripe.Customer) -> None:
    intent = client.v1.setup_intents.create({"customer": customer.id, "payment_method_types": ["card"]})
    assert intent.status == "requires_payment_method"
    with pytest.raises(stripe.CardError) as refused:
        client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_chargeDeclined"})
    assert refused.value.error.setup_intent.status == "requires_payment_method"  # type: ignore[union-attr]
    found = plain(client.v1.setup_intents.retrieve(intent.id))
    assert found["last_setup_error"]["decline_code"] == "generic_decline"
    assert client.v1.customers.payment_methods.list(customer.id).data == []


@pytest.mark.parametrize("passed", [True, False])
def test_3d_secure_decides_whether_the_card_is_saved(
    simulator: Simulator, client: stripe.StripeClient, customer: stripe.Customer, passed: bool
) -> None:
    intent = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequiredOnSetup",
            "confirm": True,
            "return_url": "http://shop.example/cards",
        }
    )
    assert intent.status == "requires_action"
    page = plain(intent)["next_action"]["redirect_to_url"]["url"]
    onwards = simulator.authenticate(page, passed=passed).headers["location"]
    assert onwards.startswith("http://shop.example/cards?setup_intent=")
    found = plain(client.v1.setup_intents.retrieve(intent.id))
    saved = client.v1.customers.payment_methods.list(customer.id).data
    if passed:
        assert (found["status"], [card.id for card in saved]) == ("succeeded", [found["payment_method"]])
    else:
        assert found["last_setup_error"]["code"] == "setup_intent_authentication_failure"
        assert (found["status"], saved) == ("requires_payment_method", [])


def test_a_canceled_setup_is_over(client: stripe.StripeClient) -> None:
    intent = client.v1.setup_intents.create({"payment_method_types": ["card"]})
    assert client.v1.setup_intents.cancel(intent.id).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.confirm(intent.id, {"payment_method": "pm_card_visa"})
    assert refused.value.code == "setup_intent_unexpected_state"
