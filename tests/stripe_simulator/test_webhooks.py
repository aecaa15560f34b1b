from collections.abc import Iterator

import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain
from tests.stripe_simulator.receiver import Receiver, receiving
from tests.stripe_simulator.test_payment_intents import pay


@pytest.fixture
def receiver(simulator: Simulator) -> Iterator[Receiver]:
    """Gets every event, signed with its secret, which it verifies with the SDK."""
    with receiving() as endpoint:
        simulator.send_events_to(endpoint.url, endpoint.secret)
        simulator.webhooks(retry_seconds=0.02)
        yield endpoint
        simulator.webhooks(hold=True)


def test_every_event_is_delivered_signed_and_in_order(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    intent = pay(client, payment_method="pm_card_visa")
    simulator.wait_idle()
    assert receiver.types == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]
    event = plain(receiver.events[2])
    assert (event["data"]["object"]["id"], event["api_version"]) == (intent.id, "2026-08-26.dahlia")
    asked = [entry["request_id"] for entry in simulator.log() if entry["path"] == "/v1/payment_intents"]
    assert [event["request"]["id"]] == asked
    assert client.v1.events.retrieve(event["id"]).pending_webhooks == 0


def test_an_event_is_sent_again_until_it_is_accepted(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.answers = [500, 302, 404]
    client.v1.customers.create({"name": "Ada"})
    simulator.wait_idle()
    assert receiver.types == ["customer.created"]
    assert [row["attempts"] for row in simulator.deliveries()] == [4]


def test_an_endpoint_that_is_down_gets_its_events_later(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    with receiving() as gone:
        url = gone.url
    simulator.webhooks(retry_seconds=0.02)
    simulator.send_events_to(url, Receiver.secret)
    client.v1.customers.create({"name": "Ada"})
    with receiving() as back:
        simulator.send_events_to(back.url, back.secret)
        simulator.wait_idle()
        assert back.types == ["customer.created"]


def test_copies_are_delivered_each(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    simulator.webhooks(copies=50, concurrency=8)
    client.v1.customers.create({"name": "Ada"})
    simulator.wait_idle()
    assert receiver.types == ["customer.created"] * 50
    assert len({event.id for event in receiver.events}) == 1


def test_held_events_wait_for_their_release(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    simulator.webhooks(hold=True)
    client.v1.customers.create({"name": "Ada"})
    assert [row["state"] for row in simulator.deliveries()] == ["held"]
    assert simulator.release() == 1
    simulator.wait_idle()
    assert receiver.types == ["customer.created"]


def test_shuffled_events_come_out_of_order(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    simulator.webhooks(hold=True, shuffle=True)
    names = [str(number) for number in range(30)]
    for name in names:
        client.v1.customers.create({"name": name})
    simulator.release()
    simulator.wait_idle()
    came = [event.data.object["name"] for event in receiver.events]
    assert sorted(came) == sorted(names)
    assert came != names


def test_dropped_events_never_come_but_can_be_replayed(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    simulator.webhooks(drop=["customer.*"])
    client.v1.customers.create({"name": "Ada"})
    simulator.wait_idle()
    assert receiver.types == []
    event = client.v1.events.list().data[0]
    assert simulator.replay(event.id, times=3) == 3
    simulator.wait_idle()
    assert [entry.id for entry in receiver.events] == [event.id] * 3


def test_stripes_own_tool_resends_an_event(clean_stripe: Simulator) -> None:
    """By an address that is no part of the SDK, so the type check is not for it."""
    client = clean_stripe.client()
    with receiving() as endpoint:
        clean_stripe.send_events_to(endpoint.url, endpoint.secret)
        client.v1.customers.create({})
        clean_stripe.wait_idle()
        client.raw_request("post", f"/v1/events/{endpoint.events[0].id}/retry")
        clean_stripe.wait_idle()
        assert endpoint.types == ["customer.created"] * 2
        clean_stripe.webhooks(hold=True)


def test_delayed_events_come_late(
    simulator: Simulator, client: stripe.StripeClient, receiver: Receiver
) -> None:
    simulator.webhooks(delay=0.4)
    client.v1.customers.create({"name": "Ada"})
    assert [row["state"] for row in simulator.deliveries()] == ["pending"]
    assert receiver.types == []
    simulator.wait_idle()
    assert receiver.types == ["customer.created"]


def test_an_endpoint_gets_only_what_it_asked_for(simulator: Simulator, client: stripe.StripeClient) -> None:
    with receiving() as endpoint:
        made = client.v1.webhook_endpoints.create(
            {"url": endpoint.url, "enabled_events": ["customer.deleted"], "description": "deletions"}
        )
        assert made.secret
        endpoint.secret = made.secret
        customer = client.v1.customers.create({})
        client.v1.customers.delete(customer.id)
        simulator.wait_idle()
        assert endpoint.types == ["customer.deleted"]
        client.v1.webhook_endpoints.update(made.id, {"disabled": True})
        client.v1.customers.delete(client.v1.customers.create({}).id)
        simulator.wait_idle()
        assert endpoint.types == ["customer.deleted"]


def test_the_secret_of_an_endpoint_is_shown_once(client: stripe.StripeClient, simulator: Simulator) -> None:
    made = client.v1.webhook_endpoints.create({"url": "https://shop.example/hook", "enabled_events": ["*"]})
    assert str(made.secret).startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(made.id)
    assert client.v1.webhook_endpoints.delete(made.id).deleted is True
    with pytest.raises(stripe.InvalidRequestError, match="No such webhook_endpoint"):
        client.v1.webhook_endpoints.retrieve(made.id)


def test_events_are_listed_by_type(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({})
    client.v1.customers.delete(customer.id)
    product = client.v1.products.create({"name": "Credits"})
    one = client.v1.events.list({"type": "customer.deleted"})
    assert [event.type for event in one.data] == ["customer.deleted"]
    wild = client.v1.events.list({"type": "customer.*"})
    assert [event.type for event in wild.data] == ["customer.deleted", "customer.created"]
    several = client.v1.events.list({"types": ["product.created", "customer.created"]})
    assert [event.data.object["id"] for event in several.data] == [product.id, customer.id]
