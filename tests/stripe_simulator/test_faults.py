import threading
import time

import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("error", stripe.APIError),
        ("rate_limit", stripe.RateLimitError),
        ("lock_timeout", stripe.RateLimitError),
        ("refuse", stripe.APIConnectionError),
    ],
)
def test_some_faults_leave_nothing_behind(
    simulator: Simulator, client: stripe.StripeClient, kind: str, error: type[Exception]
) -> None:
    simulator.faults(kind, "/v1/customers", method="POST")
    with pytest.raises(error):
        client.v1.customers.create({"name": "Ada"})
    assert client.v1.customers.list().data == []
    assert client.v1.customers.create({"name": "Ada"}).name == "Ada"


@pytest.mark.parametrize("kind", ["drop", "error_after", "timeout"])
def test_others_took_effect_and_the_same_key_finds_it(
    simulator: Simulator, client: stripe.StripeClient, kind: str
) -> None:
    simulator.faults(kind, "/v1/customers", method="POST", seconds=0.2)
    with pytest.raises((stripe.APIConnectionError, stripe.APIError)):
        client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "attempt-1"})
    assert len(client.v1.customers.list().data) == 1
    again = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "attempt-1"})
    assert [entry.id for entry in client.v1.customers.list().data] == [again.id]


@pytest.mark.slow
def test_the_clients_own_retry_gets_through_a_dropped_reply(simulator: Simulator) -> None:
    client = simulator.client(max_network_retries=2)
    simulator.faults("drop", "/v1/customers", method="POST")
    made = client.v1.customers.create({"name": "Ada"})
    assert [entry.id for entry in client.v1.customers.list().data] == [made.id]


def test_a_fault_waits_for_its_turn(simulator: Simulator, client: stripe.StripeClient) -> None:
    simulator.faults("error", "/v1/payment_intents*", nth=2, times=2)
    results = []
    for _ in range(4):
        try:
            client.v1.payment_intents.create({"amount": 100, "currency": "usd"})
            results.append("ok")
        except stripe.APIError:
            results.append("error")
    assert results == ["ok", "error", "error", "ok"]
    client.v1.customers.create({})


@pytest.mark.slow
def test_a_slow_reply_keeps_nobody_else_waiting(simulator: Simulator, client: stripe.StripeClient) -> None:
    simulator.faults("slow", "/v1/customers", method="POST", seconds=1.5)
    began = time.monotonic()
    slow = threading.Thread(target=lambda: client.v1.customers.create({"name": "Ada"}))
    slow.start()
    client.v1.products.list()
    quick = time.monotonic() - began
    slow.join()
    assert quick < 1.4 < 1.5 <= time.monotonic() - began


def test_a_fault_that_makes_no_sense_is_refused(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="kind must be one of"):
        simulator.faults("explode")
    with pytest.raises(ValueError, match="unknown: path_"):
        simulator.faults("drop", path_="x")


def test_the_log_keeps_request_answer_and_fault(simulator: Simulator, client: stripe.StripeClient) -> None:
    mark = simulator.marks()["log"]
    simulator.faults("drop", "/v1/customers")
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "k1"})
    entry = simulator.log(mark)[0]
    assert (entry["method"], entry["path"], entry["form"]) == ("POST", "/v1/customers", "name=Ada")
    assert (entry["status"], entry["fault"], entry["idempotency_key"]) == (200, "drop", "k1")
    assert entry["body"]["name"] == "Ada"
