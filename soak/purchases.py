"""Purchases and what goes back of them, as random operations: refunds, lost disputes, refunds that fail after all."""

import random
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Final

from billing.gateways.protocol import ReversalState
from billing.ledger.models import Transaction
from billing.models import Reversal
from billing.services import payments, reversals
from soak import intents, making
from soak.oracle import Event

Still = Callable[..., AbstractContextManager[datetime | None]]
Bought = tuple[uuid.UUID, uuid.UUID, int]
"""A paid purchase: account, payment, cash in minor units."""

PARTS: Final = 3
ENDS: Final = ("succeeded", "succeeded", "lost", "lost", "failed")
"""What becomes of a part of the money: a refund, a lost dispute, or a refund that is undone later."""


def buy(chance: random.Random, account: uuid.UUID, still: Still) -> tuple[Event, Bought]:
    """Between one and 60 credits, paid."""
    payment = making.payment(account, credits=chance.randint(1, 60))
    paid = replace(intents.paid_in_full(payment), charge_id=_charge(payment.pk))
    with still(account):
        posted = payments.record(payment.pk, paid).transaction_id
    line = Transaction.objects.get(pk=str(posted))
    told, cash = {"id": line.pk}, payment.cash_minor
    event = Event((line.created_at, account, 0), "buy", account, line.amount, told, payment.pk, cash=cash)
    return event, (account, payment.pk, cash)


def send_back(chance: random.Random, bought: Sequence[Bought], still: Still) -> tuple[list[Event], int]:
    """Parts of some purchases' money go back. A part may be heard of by several at once, and again later."""
    events: list[Event] = []
    some = chance.sample(list(bought), min(2, len(bought)))
    for account, payment, cash in some:
        part = chance.randrange(PARTS)
        end = random.Random(f"{payment}:{part}").choice(ENDS)  # noqa: S311 - the same for all who hear of it
        for status in ("succeeded", "failed") if end == "failed" else (end,):
            events += _hear(account, _state(payment, part, cash, status), payment, still)
    return events, len(some)


def _hear(account: uuid.UUID, state: ReversalState, payment: uuid.UUID, still: Still) -> list[Event]:
    """What is heard is carried out; what posted nothing is told of only for a refund, and if the clock stood."""
    kind = Reversal.Kind.DISPUTE if state.status == "lost" else Reversal.Kind.REFUND
    with still(account) as stood:
        reversal = reversals.take_over(kind, state)
    if reversal is None or reversal.status != state.status:
        return []
    verb = {"lost": "dispute", "failed": "restore"}.get(state.status, "return_")
    posted = reversal.restored_id if verb == "restore" else reversal.transaction_id
    line = Transaction.objects.get(pk=posted) if posted else None
    moment = line.created_at if line else stood
    if moment is None or (line is None and verb != "return_"):
        return []
    amount = line.amount if line else 0
    told = {"id": posted, "moved": abs(amount), "reversal": state.id}
    return [Event((moment, account, 0), verb, account, amount, told, payment, cash=state.amount_minor)]


def each_once(events: Iterable[Event]) -> Iterator[Event]:
    """What several heard of was posted once, and happened once."""
    seen = set()
    for event in events:
        posted = event.answer["id"] if event.verb in ("dispute", "return_", "restore") else None
        if posted is None or (event.verb, posted) not in seen:
            yield event
        seen.add((event.verb, posted))


def _charge(payment: uuid.UUID) -> str:
    return f"ch_{payment.hex}"


def _state(payment: uuid.UUID, part: int, cash: int, status: str) -> ReversalState:
    """One part of a payment's money on its way back; all parts add up to the whole."""
    parts = (cash // 2, cash // 3, cash - cash // 2 - cash // 3)
    return ReversalState(
        id=f"re_{payment.hex}_{part}",
        intent_id=None,
        charge_id=_charge(payment),
        amount_minor=parts[part],
        currency="USD",
        status=status,
        reason="",
    )
