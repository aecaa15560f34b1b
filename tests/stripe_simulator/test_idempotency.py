import threading

import httpx
import pytest
import stripe

from tests.stripe_simulator.fixtures import API_KEY, Simulator


def create(
    simulator: Simulator, key: str, form: dict[str, str], path: str = "/v1/customers"
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {API_KEY}", "Idempotency-Key": key}
    return simulator.http.post(path, data=form, headers=headers)


def test_a_repeated_key_gives_the_first_answer_again(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    first = create(simulator, "key-1", {"name": "Ada"})
    again = create(simulator, "key-1", {"name": "Ada"})
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"] != again.headers["request-id"]
    assert len(client.v1.customers.list().data) == 1


def test_the_key_with_other_parameters_is_refused(simulator: Simulator) -> None:
    create(simulator, "key-1", {"name": "Ada"})
    other = create(simulator, "key-1", {"name": "Bea"})
    assert (other.status_code, other.json()["error"]["type"]) == (400, "idempotency_error")
    elsewhere = create(simulator, "key-1", {"name": "Ada"}, path="/v1/products")
    assert "same endpoint" in elsewhere.json()["error"]["message"]


def test_a_declined_payment_is_declined_again_without_a_second_attempt(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            client.v1.payment_intents.create(
                {
                    "amount": 500,
                    "currency": "usd",
                    "payment_method": "pm_card_chargeDeclined",
                    "payment_method_types": ["card"],
                    "confirm": True,
                },
                {"idempotency_key": "attempt-1"},
            )
    assert len(client.v1.charges.list().data) == 1


def test_a_refused_request_is_not_remembered(simulator: Simulator) -> None:
    assert create(simulator, "key-1", {"nmae": "Ada"}).status_code == 400
    assert create(simulator, "key-1", {"name": "Ada"}).status_code == 200


@pytest.mark.slow
def test_a_key_in_use_is_a_conflict(simulator: Simulator, client: stripe.StripeClient) -> None:
    simulator.faults("delay", "/v1/customers", seconds=1)
    answers: list[int] = []
    first = threading.Thread(
        target=lambda: answers.append(create(simulator, "key-1", {"name": "Ada"}).status_code)
    )
    first.start()
    while simulator._ask("GET", "faults"):
        pass
    second = create(simulator, "key-1", {"name": "Ada"})
    first.join()
    assert answers == [200]
    assert (second.status_code, second.json()["error"]["code"]) == (409, "idempotency_key_in_use")
    assert len(client.v1.customers.list().data) == 1


def test_a_key_is_forgotten_after_a_day(simulator: Simulator, client: stripe.StripeClient) -> None:
    create(simulator, "key-1", {"name": "Ada"})
    simulator.advance(24 * 3600 + 1)
    assert "idempotent-replayed" not in create(simulator, "key-1", {"name": "Ada"}).headers
    assert len(client.v1.customers.list().data) == 2
