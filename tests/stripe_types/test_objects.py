from collections.abc import Callable
from typing import Any

import pytest

from stripe_simulator.payments import intent
from stripe_simulator.resources import customers
from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_types.checker import check_object
from tests.stripe_types.fixtures import violations

Change = Callable[[dict[str, Any]], None]


def good() -> dict[str, Any]:
    return intent.build({"amount": 2500, "currency": "usd", "metadata": {"a": "b"}}, 1_800_000_000)


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-08-26.dahlia",
        "created": 1,
        "data": {"object": good()},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": "payment_intent.created",
    } | changes


def listing(*data: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(data), "has_more": False, "url": "/v1/payment_intents"}


def test_a_right_object_passes_alone_in_a_list_and_in_an_event() -> None:
    assert check_object(good()) == []
    assert check_object(listing(good(), good())) == []
    assert check_object(event()) == []
    assert check_object({"id": "cus_1", "object": "customer", "deleted": True}) == []
    expanded = good() | {"customer": customers.build({}, 1)}
    assert check_object(expanded) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda body: body.pop("client_secret"), None),
        (lambda body: body.pop("amount"), "payment_intent.amount: missing"),
        (lambda body: body.update(amont=1), "payment_intent.amont: unknown field"),
        (lambda body: body.update(amount="2500"), "payment_intent.amount: not int but str"),
        (lambda body: body.update(amount=True), "payment_intent.amount: not int but bool"),
        (lambda body: body.update(amount=None), "payment_intent.amount: not int but NoneType"),
        (lambda body: body.update(livemode=0), "payment_intent.livemode: not bool but int"),
        (lambda body: body.update(status="paid"), "payment_intent.status: 'paid' is none of"),
        (lambda body: body.update(payment_method_types="card"), "payment_method_types: not an array"),
        (lambda body: body.update(payment_method_types=[1]), "payment_method_types[0]: not str but int"),
        (lambda body: body.update(metadata=[]), "payment_intent.metadata: not a hash"),
        (lambda body: body["automatic_payment_methods"].pop("enabled"), "enabled: missing"),
        (lambda body: body["payment_method_options"]["card"].update(x=1), "card.x: unknown field"),
        (lambda body: body.update(customer={"object": "customer"}), "payment_intent.customer.id: missing"),
        (lambda body: body.update(object="payment_intention"), "no object is called 'payment_intention'"),
    ],
)
def test_what_is_wrong_is_named(change: Change, said: str | None) -> None:
    body = good()
    change(body)
    found = check_object(body)
    if said is None:
        assert found == []
        return
    assert any(said in problem for problem in found)


def test_wrong_events_are_found() -> None:
    assert "none of" in check_object(event(type="payment_intent.paid"))[0]
    inner = good() | {"status": "paid"}
    assert "event.data.object.status" in check_object(event(data={"object": inner}))[0]
    previous = {"object": good(), "previous_attributes": {"sttus": "open"}}
    assert "previous_attributes.sttus" in check_object(event(data=previous))[0]


def test_wrong_lists_and_deletions_are_found() -> None:
    assert check_object({"object": "list", "data": [], "url": "/v1/x"}) == ["list.has_more: missing"]
    assert "list.data[1].amount: missing" in check_object(listing(good(), {"object": "payment_intent"}))
    assert (
        "a deletion has" in check_object({"id": "1", "object": "customer", "deleted": True, "name": "x"})[0]
    )


def test_wrong_errors_are_found() -> None:
    error = {"message": "No", "type": "invalid_request_error", "request_log_url": "https://x"}
    assert check_object({"error": error}) == []
    assert check_object({"error": error | {"mesage": "No"}}) == ["error.mesage: unknown field"]


def test_the_watch_reads_the_simulators_log(clean_stripe: Simulator) -> None:
    marks = clean_stripe.marks()
    client = clean_stripe.client()
    client.v1.customers.create({"name": "Ada"})
    assert violations(clean_stripe, marks) == []
    key = {"Authorization": "Bearer sk_test_abcdefghijklmnop"}
    clean_stripe.http.post("/v1/customers", data={"nmae": "Ada"}, headers=key)
    found = violations(clean_stripe, marks)
    assert len(found) == 1
    assert "nmae" in found[0]
    assert violations(clean_stripe, marks, refused=False) == []
