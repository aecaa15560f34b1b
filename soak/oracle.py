"""What one account must look like after a sequence of operations, worked out a second time and the plain way.

The ledger decides many requests at once, in SQL; this decides one after the other, in Python, in the order in which the
ledger says it did. Every answer it gave, every line of the history and every grant must come out the same.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

FOREVER: Final = datetime.max.replace(tzinfo=UTC)
LOOKS: Final = ("place", "charge", "settle", "void", "take", "dispute", "return_", "look")
"""What posts lapsed credits before it decides."""


@dataclass
class Lot:
    """A grant: its rank in the order of use, and what is left of it."""

    id: uuid.UUID
    rank: tuple[Any, ...]
    remaining: int

    @property
    def expires_at(self) -> datetime:
        moment: datetime = self.rank[1]
        return moment


@dataclass
class Work:
    """A charge: what is held for it while it is open, then what it cost and from which lots."""

    amount: int
    since: datetime
    cost: int | None = None
    voided: bool = False
    refunded: int = 0
    uses: dict[uuid.UUID, int] = field(default_factory=dict)


@dataclass
class Purchase:
    """Credits that were bought: their lot, and by reversal the cash that went back and the credits it took."""

    lot: uuid.UUID
    credits: int
    cash: int
    back: dict[str, tuple[int, int]] = field(default_factory=dict)

    def due(self, cash: int) -> int:
        """The credits that so much cash bought: cut from the running total, so that the parts add up to the whole."""
        before = sum(cash for cash, _ in self.back.values())
        upto = [self.credits * min(self.cash, paid) // self.cash for paid in (before, before + cash)]
        return min(upto[1] - upto[0], self.credits - sum(taken for _, taken in self.back.values()))


@dataclass
class Event:
    """One thing done to one account. ``done`` orders them, and begins with its moment; ``answer`` is what the ledger said.

    ``lots`` are the grants it brought: id, priority, expiry, whether bought. ``charge`` is the charge or the payment
    that it is about, ``cash`` what was paid or goes back of it.
    """

    done: tuple[Any, ...]
    verb: str
    account: uuid.UUID
    amount: int
    answer: dict[str, Any]
    charge: uuid.UUID | None = None
    lots: list[tuple[Any, ...]] = field(default_factory=list)
    cash: int = 0

    @property
    def moment(self) -> datetime:
        moment: datetime = self.done[0]
        return moment


class Account:
    """The model of one account. Each verb answers what is wrong with the ledger's answer, or nothing."""

    def __init__(self, credit_limit: int) -> None:
        self.credit_limit = credit_limit
        self.balance = 0
        self.held = 0
        self.lots: dict[uuid.UUID, Lot] = {}
        self.works: dict[uuid.UUID, Work] = {}
        self.purchases: dict[uuid.UUID, Purchase] = {}
        self.history: list[tuple[int, int]] = []
        self.next_expiry = FOREVER

    @property
    def available(self) -> int:
        return self.balance - self.held + self.credit_limit

    def apply(self, event: Event) -> str:
        if event.verb in LOOKS:
            self._expire(event.moment)
        wrong: str = getattr(self, event.verb)(event)
        return wrong and f"{event.verb} of {event.amount} at {event.moment}: {wrong}"

    def place(self, event: Event) -> str:
        fits = event.amount <= max(0, self.available)
        if fits:
            assert event.charge is not None
            self.works[event.charge] = Work(event.amount, event.moment)
            self.held += event.amount
        short = "credit_limit_reached" if self.credit_limit else "insufficient_credits"
        return self._compare(event, "authorized" if fits else short)

    def charge(self, event: Event) -> str:
        fits = event.amount <= max(0, self.available)
        if fits:
            assert event.charge is not None
            self.works[event.charge] = work = Work(event.amount, event.moment, cost=event.amount)
            self._burn(event.amount, work, event.moment)
        short = "credit_limit_reached" if self.credit_limit else "insufficient_credits"
        return self._compare(event, "settled" if fits else short)

    def settle(self, event: Event) -> str:
        work = self._open(event)
        room = max(0, self.available)
        work.cost = min(event.amount, work.amount + room)
        self.held -= work.amount
        self._burn(work.cost, work, event.moment)
        short = event.amount - work.cost
        if (event.answer["cost"], event.answer["uncollected"]) != (work.cost, short):
            return f"cost {event.answer['cost']} and {event.answer['uncollected']} short, not {work.cost} and {short}"
        self._expire(event.moment)
        return self._compare(event, "settled")

    def void(self, event: Event) -> str:
        work = self._open(event)
        work.voided, work.cost = True, 0
        self.held -= work.amount
        self._expire(event.moment)
        return self._compare(event, "voided")

    def look(self, event: Event) -> str:
        """A call without an effect of its own, or a sweep."""
        return ""

    def give(self, event: Event) -> str:
        self._move(event.amount)
        self._add_lot(event.lots[0], event.amount)
        self._note_next_expiry()
        return ""

    def take(self, event: Event) -> str:
        if event.amount > self.balance - self.held:
            return "more than was there"
        self._burn(event.amount, Work(0, event.moment), event.moment)
        self._note_next_expiry()
        return ""

    def buy(self, event: Event) -> str:
        assert event.charge is not None
        self.purchases[event.charge] = Purchase(event.lots[0][0], event.amount, event.cash)
        return self.give(event)

    def dispute(self, event: Event) -> str:
        """A lost dispute takes what the money bought, as a debt where it was spent."""
        purchase = self._purchase(event)
        return self._take_back(event, purchase, purchase.due(event.cash), None)

    def return_(self, event: Event) -> str:
        """A refund of a purchase takes of what the money bought what is unspent and not held, and from its own lot alone."""
        purchase = self._purchase(event)
        lot = self.lots[purchase.lot]
        unspent = max(0, min(lot.remaining, self.balance - self.held))
        return self._take_back(event, purchase, min(purchase.due(event.cash), unspent), lot)

    def restore(self, event: Event) -> str:
        """The refund did not go through: its cash did not go back, and its credits are in the purchase's lot again."""
        purchase = self._purchase(event)
        _, taken = purchase.back.pop(event.answer["reversal"])
        self._move(taken)
        self.lots[purchase.lot].remaining += min(taken, max(0, self.balance - self._in_lots()))
        self._note_next_expiry()
        return "" if event.amount == taken else f"it had taken {taken}"

    def _purchase(self, event: Event) -> Purchase:
        assert event.charge is not None
        return self.purchases[event.charge]

    def _take_back(self, event: Event, purchase: Purchase, amount: int, lot: Lot | None) -> str:
        if amount > 0:
            purchase.back[event.answer["reversal"]] = (event.cash, amount)
            self._burn(amount, Work(0, event.moment), event.moment, lot)
            self._note_next_expiry()
        moved = event.answer["moved"]
        return "" if moved == amount else f"it took {moved} instead of {amount}"

    def refund(self, event: Event) -> str:
        assert event.charge is not None
        work = self.works[event.charge]
        work.refunded += event.amount
        if work.refunded > (work.cost or 0):
            return "more than the charge"
        self._move(event.amount)
        left = min(event.amount, max(0, self.balance - self._in_lots()))
        used = [self.lots[lot] for lot, net in sorted(work.uses.items(), reverse=True) if net > 0]
        expired = sum(work.uses[lot.id] for lot in used if lot.expires_at <= event.moment)
        for lot in (lot for lot in used if lot.expires_at > event.moment):
            back = min(left, work.uses[lot.id])
            lot.remaining += back
            work.uses[lot.id] -= back
            left -= back
        expired = min(expired, left)
        wanted = [part for part in (expired, left - expired) if part]
        lots = sorted(event.lots, key=lambda lot: lot[2])
        for lot_told, part in zip(lots, wanted, strict=False):
            self._add_lot(lot_told, part)
        self._note_next_expiry()
        return "" if len(wanted) == len(lots) else f"{wanted} to put into grants of their own, not {lots}"

    def _open(self, event: Event) -> Work:
        assert event.charge is not None
        return self.works[event.charge]

    def _compare(self, event: Event, code: str) -> str:
        told = tuple(event.answer[name] for name in ("code", "balance", "held", "available"))
        mine = (code, self.balance, self.held, self.available)
        return "" if told == mine else f"the ledger said {told}, the oracle {mine}"

    def _move(self, amount: int) -> None:
        self.balance += amount
        self.history.append((amount, self.balance))

    def _burn(self, amount: int, work: Work, moment: datetime, only: Lot | None = None) -> None:
        """What had lapsed when the work was accepted is not for it, and what the others do not cover is owed."""
        self._move(-amount)
        mine = [lot for lot in self.lots.values() if lot.expires_at > work.since] if only is None else [only]
        for lot in sorted(mine, key=lambda lot: self._order(lot, moment)):
            if amount == 0:
                break
            if used := min(amount, lot.remaining):
                lot.remaining -= used
                work.uses[lot.id] = work.uses.get(lot.id, 0) + used
                amount -= used

    def _order(self, lot: Lot, moment: datetime) -> tuple[Any, ...]:
        """What has lapsed since first, soonest first."""
        lapsed = lot.expires_at if lot.expires_at <= moment else FOREVER
        return (lapsed, *lot.rank, lot.id)

    def _expire(self, moment: datetime) -> None:
        """Post what has lapsed, soonest first; each credit may be kept by one open hold from before it lapsed."""
        if self.next_expiry > moment:
            return
        lapsed = [lot for lot in self.lots.values() if lot.remaining and lot.expires_at <= moment]
        holds = [(work.since, work.amount) for work in self.works.values() if work.cost is None]
        taken = 0
        for lot in sorted(lapsed, key=lambda lot: (lot.expires_at, lot.id)):
            room = sum(amount for since, amount in holds if since < lot.expires_at) - taken
            kept = min(lot.remaining, max(0, room))
            taken += kept
            if gone := lot.remaining - kept:
                self._move(-gone)
                lot.remaining -= gone
        self._note_next_expiry()

    def _note_next_expiry(self) -> None:
        self.next_expiry = min(
            (lot.expires_at for lot in self.lots.values() if lot.remaining), default=FOREVER
        )

    def _in_lots(self) -> int:
        return sum(lot.remaining for lot in self.lots.values())

    def _add_lot(self, told: tuple[Any, ...], amount: int) -> None:
        lot_id, *rank = told
        debt = self._in_lots() + amount - self.balance
        self.lots[lot_id] = Lot(lot_id, tuple(rank), amount - min(amount, max(0, debt)))


def replay(
    limits: dict[uuid.UUID, int],
    events: Iterable[Event],
    end: dict[uuid.UUID, tuple[int, int]],
    histories: dict[uuid.UUID, list[tuple[int, int]]],
    lots: dict[uuid.UUID, int],
    uses: dict[uuid.UUID, dict[uuid.UUID, int]],
) -> list[str]:
    """Do all events again, and compare with the ledger's answers and with what it has in the end.

    ``end`` is balance and held by account, ``histories`` each account's amounts and balances after in order of ``seq``,
    ``lots`` what is left of each grant, ``uses`` what each charge has of which grant, less what it gave back.
    """
    accounts = {account: Account(limit) for account, limit in limits.items()}
    wrong = []
    for event in sorted(events, key=lambda event: event.done):
        # An account that went wrong is left alone: all that follows would be wrong too.
        if event.account in accounts and (words := accounts[event.account].apply(event)):
            wrong.append(words)
            del accounts[event.account]
    for account_id, model in accounts.items():
        if (model.balance, model.held) != end[account_id]:
            wrong.append(f"{account_id}: {end[account_id]} instead of {(model.balance, model.held)}")
        if model.history != histories.get(account_id, []):
            wrong.append(
                f"{account_id}: another history, {_first_difference(model.history, histories.get(account_id, []))}"
            )
        wrong += [
            f"grant {lot.id}: {lots[lot.id]} left instead of {lot.remaining}"
            for lot in model.lots.values()
            if lots[lot.id] != lot.remaining
        ]
        wrong += [
            f"charge {charge}: has {uses.get(charge, {})} of grants instead of {mine}"
            for charge, work in model.works.items()
            if (mine := {lot: net for lot, net in work.uses.items() if net}) != uses.get(charge, {})
        ]
    return wrong


def _first_difference(mine: Sequence[Any], theirs: Sequence[Any]) -> str:
    for number, (expected, found) in enumerate(zip(mine, theirs, strict=False)):
        if expected != found:
            return f"#{number + 1} is {found}, not {expected}"
    return f"{len(theirs)} lines, not {len(mine)}"
