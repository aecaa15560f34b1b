import pytest
import stripe

from tests.stripe_simulator.fixtures import Simulator
from tests.stripe_simulator.reading import plain
from tests.stripe_simulator.test_payment_intents import pay


def disputed(simulator: Simulator, client: stripe.StripeClient, card: str) -> stripe.Dispute:
    pay(client, payment_method=card)
    simulator.wait_idle()
    return client.v1.disputes.list().data[0]


def dispute_events(simulator: Simulator) -> list[str]:
    kinds = [entry["event"]["type"] for entry in simulator.events()]
    return [kind for kind in kinds if kind.startswith("charge.dispute")]


def test_the_card_made_for_it_is_disputed_after_it_paid(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    dispute = disputed(simulator, client, "pm_card_createDispute")
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 2500)
    assert client.v1.charges.retrieve(str(dispute.charge)).disputed is True
    entry = plain(dispute)["balance_transactions"][0]
    assert (entry["amount"], entry["fee"]) == (-2500, 1500)
    assert dispute_events(simulator) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


@pytest.mark.parametrize(("text", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
def test_the_published_evidence_decides(
    simulator: Simulator, client: stripe.StripeClient, text: str, status: str
) -> None:
    dispute = disputed(simulator, client, "pm_card_createDispute")
    answered = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})
    assert answered.status == "under_review"
    simulator.wait_idle()
    assert client.v1.disputes.retrieve(dispute.id).status == status
    ends = ["charge.dispute.updated", "charge.dispute.closed"]
    reinstated = ["charge.dispute.funds_reinstated"] if status == "won" else []
    assert dispute_events(simulator)[2:] == ends + reinstated


def test_accepting_a_dispute_loses_it(simulator: Simulator, client: stripe.StripeClient) -> None:
    dispute = disputed(simulator, client, "pm_card_createDisputeProductNotReceived")
    assert dispute.reason == "product_not_received"
    assert client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)


def test_an_inquiry_moves_no_money(simulator: Simulator, client: stripe.StripeClient) -> None:
    dispute = disputed(simulator, client, "pm_card_createDisputeInquiry")
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert dispute_events(simulator) == ["charge.dispute.created"]
    assert client.v1.refunds.create({"charge": str(dispute.charge)}).status == "succeeded"


def test_a_disputed_charge_is_not_refunded(simulator: Simulator, client: stripe.StripeClient) -> None:
    dispute = disputed(simulator, client, "pm_card_createDispute")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.refunds.create({"charge": str(dispute.charge)})
    assert refused.value.code == "charge_disputed"
