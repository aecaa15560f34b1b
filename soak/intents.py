"""What is done by those who will be killed: each intent once, under a key, and repeated until it was answered."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from billing import outbox
from billing.api import idempotency
from billing.api.idempotency import Answer
from billing.gateways.protocol import Outcome, Standing
from billing.ledger import grants, refunds
from billing.models import Payment
from billing.services import charges, expiry, inbox, payments
from soak import making
from soak.making import CREDIT

OWNER: Final = uuid.UUID(int=7)


@dataclass(frozen=True)
class Intent:
    """One thing to be done once. ``target`` is the row it is about."""

    number: int
    verb: str
    account: uuid.UUID
    target: uuid.UUID

    @property
    def key(self) -> str:
        return f"soak:{self.target.hex}"


EFFECTS: Final[dict[str, tuple[int, dict[str, int]]]] = {
    "give": (3, {"topup": 1}),
    "work": (-2, {"usage": 1}),
    "adjust": (-1, {"adjustment": 1}),
    "pay": (5, {"topup": 1}),
    "undo": (0, {"usage": 1, "refund": 1}),
    "event": (1, {"bonus": 1}),
}
"""Verb → what it does to the balance, in credits, and to the history."""


def prepare_process() -> None:
    """What a killed predecessor had begun is taken over at once, not after a minute."""
    idempotency.ABANDONED = timedelta(0)  # type: ignore[misc]
    inbox.LEASE = outbox.LEASE = timedelta(0)  # type: ignore[misc]
    inbox.EFFECTS["soak"] = lambda thing: event_effect(thing)
    outbox.handles("soak")(lambda payload: send_message(payload))


def never_give_up() -> None:
    """What kills on purpose meet again and again is not taken for poison, and not parked."""
    inbox.PARK_AFTER = outbox.PARK_AFTER = 1_000_000  # type: ignore[misc]


def as_event(key: str, account: uuid.UUID) -> dict[str, Any]:
    return {"id": key, "type": "soak", "data": {"object": {"id": key, "account": str(account)}}}


def sweep() -> None:
    """What a worker does all day."""
    charges.expire_all_due()
    expiry.expire_credits()
    inbox.sweep(50)
    outbox.relay(50)


def event_effect(thing: dict[str, Any]) -> None:
    making.give(uuid.UUID(thing["account"]), 1, source="bonus", kind="bonus", key=f"event:{thing['id']}")


def send_message(payload: dict[str, Any]) -> None:
    """Nothing is sent; the note that it was is what counts."""


def give(intent: Intent) -> None:
    making.give(intent.account, 3, key=intent.key)


def work(intent: Intent) -> None:
    """Authorize and settle, both under keys: what a generation service does and repeats."""
    key = {"owner": OWNER, "hash": "h"}
    placed = making.hold(intent.account, 3, id=intent.target, idem=f"{intent.key}:place", **key)
    assert placed["code"] == "authorized", placed
    ended = making.end(intent.target, "settle", 2, idem=f"{intent.key}:settle", **key)
    assert ended["code"] == "settled", ended


def adjust(intent: Intent) -> None:
    grants.withdraw(
        account_id=intent.account, micros=CREDIT, kind="adjustment", description="Adjusted", key=intent.key
    )


def pay(intent: Intent) -> None:
    payment = Payment.objects.get(pk=intent.target)
    payments.record(payment.pk, paid_in_full(payment))


def paid_in_full(payment: Payment) -> Standing:
    """What Stripe says of a payment that went well."""
    return Standing(
        outcome=Outcome.SUCCEEDED,
        amount_minor=payment.cash_minor,
        currency=payment.currency,
        customer_id=payment.stripe_customer_id,
        reference=payment.public_id,
    )


def undo(intent: Intent) -> None:
    """A charge on acceptance, refunded under a key of the API."""
    making.hold(intent.account, 2, id=intent.target, settle_now=True)

    def back() -> Answer:
        posted = refunds.refund_charge(charge_id=intent.target, micros=None, reason="failed")
        return Answer(200, {"id": posted.public_id})

    idempotency.run_once(OWNER, intent.key, "h", back, atomic=True)


def event(intent: Intent) -> None:
    inbox.receive(as_event(intent.key, intent.account))
    inbox.finish(intent.key)


VERBS: Final[dict[str, Callable[[Intent], None]]] = {
    "give": give,
    "work": work,
    "adjust": adjust,
    "pay": pay,
    "undo": undo,
    "event": event,
}
