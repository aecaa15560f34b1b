from typing import Any

import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain
from tests.stripe_simulator.test_payment_intents import pay


def types_since(simulator: Simulator, mark: dict[str, int]) -> list[str]:
    return [entry["event"]["type"] for entry in simulator.events(mark["events"])]


def test_a_full_refund_gives_everything_back(simulator: Simulator, client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa")
    simulator.wait_idle()
    mark = simulator.marks()
    refund = client.v1.refunds.create({"payment_intent": intent.id, "reason": "requested_by_customer"})
    assert (refund.amount, refund.status, refund.charge) == (2500, "succeeded", intent.latest_charge)
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.refunded, charge.amount_refunded) == (True, 2500)
    assert types_since(simulator, mark) == ["charge.refunded", "refund.created"]
    entry = client.v1.balance_transactions.retrieve(str(refund.balance_transaction))
    assert (entry.amount, entry.type) == (-2500, "refund")


def test_partial_refunds_add_up_to_the_charge_and_no_further(client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa")
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 2000})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 501})
    assert refused.value.param == "amount"
    wanted = "Refund amount ($5.01) is greater than unrefunded amount on charge ($5.00)"
    assert refused.value.user_message == wanted
    client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError) as again:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert again.value.code == "charge_already_refunded"
    expanded: Any = plain(client.v1.charges.retrieve(str(intent.latest_charge), {"expand": ["refunds"]}))
    assert [entry["amount"] for entry in expanded["refunds"]["data"]] == [500, 2000]


def test_a_refund_above_the_charge_is_refused(client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError, match=r"\(\$30\.00\) is greater than charge amount"):
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 3000})
    assert client.v1.refunds.list().data == []


def test_an_unpaid_intent_has_nothing_to_refund(client: stripe.StripeClient) -> None:
    intent = client.v1.payment_intents.create({"amount": 2500, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        client.v1.refunds.create({"payment_intent": intent.id})


def test_the_card_made_for_it_fails_its_refund_later(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    intent = pay(client, payment_method="pm_card_refundFail")
    simulator.wait_idle()
    mark = simulator.marks()
    assert client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"
    simulator.wait_idle()
    refund = client.v1.refunds.list({"payment_intent": intent.id}).data[0]
    assert (refund.status, refund.failure_reason) == ("failed", "expired_or_canceled_card")
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.refunded, charge.amount_refunded) == (False, 0)
    assert types_since(simulator, mark) == [
        "charge.refunded",
        "refund.created",
        "refund.updated",
        "charge.refund.updated",
        "refund.failed",
    ]


def test_the_card_made_for_it_keeps_its_refund_pending_first(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    intent = pay(client, payment_method="pm_card_pendingRefund")
    assert client.v1.refunds.create({"payment_intent": intent.id}).status == "pending"
    simulator.wait_idle()
    assert client.v1.refunds.list().data[0].status == "succeeded"
    updated = client.v1.events.list({"type": "refund.updated"}).data[0]
    assert plain(updated)["data"]["previous_attributes"]["status"] == "pending"


def test_a_card_refund_cannot_be_canceled_but_carries_metadata(client: stripe.StripeClient) -> None:
    intent = pay(client, payment_method="pm_card_visa")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        client.v1.refunds.cancel(refund.id)
    changed = client.v1.refunds.update(refund.id, {"metadata": {"case": "7"}})
    assert plain(changed)["metadata"] == {"case": "7"}
