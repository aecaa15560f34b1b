"""Random operations from several processes on the same accounts, held against the oracle."""

import random
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Sum

from billing import outbox
from billing.ledger import grants, holds, refunds
from billing.ledger.errors import NotEnough
from billing.ledger.holds import FinishRequest, PlaceRequest
from billing.ledger.models import Balance, Charge, Grant, GrantUse, Transaction
from billing.ledger.post import lock
from soak import books, making
from soak.crew import Crew, Me, MemberFailed
from soak.oracle import FOREVER, Event, replay
from soak.purchases import Bought, Still, buy, each_once, send_back
from soak.races.race import Guard
from soak.told import Progress, Told, go_on
from soak.world import World

ACCOUNTS: Final = 16
PROCESSES: Final = 4
BATCH: Final = 100
SOON: Final = tuple(timedelta(milliseconds=each) for each in (30, 100, 300, 1000))
LATER: Final = (timedelta(days=30), timedelta(days=60))
REMEMBERED: Final = 100
"""The latest purchases, of which money may go back."""
ROUND: Final = 20_000
"""Operations after which the oracle looks and new accounts are opened."""


def run(
    world: World,
    operations: int,
    seed: int,
    progress: Progress = go_on,
    without: Guard | None = None,
) -> Told:
    """At least so many operations, the oracle in between. ``without`` drops a guard, for the control."""
    begun, done, rounds = time.monotonic(), 0, 0
    breaches: list[str] = []
    with world.scratch("storm") as database:
        database.run(*(without.sql if without else ()))
        with Crew(database, PROCESSES, before=without.patch if without else None) as crew:
            while done < operations and not breaches:
                try:
                    wanted = min(ROUND, operations - done)
                    count, breaches = _round(crew, wanted, f"{seed}:{done}", lapsing=rounds % 2 == 0)
                except MemberFailed as error:
                    count, breaches = 0, [str(error)]
                done += count
                rounds += 1
                if not progress(done):
                    break
    return Told(done, breaches, time.monotonic() - begun)


def _round(crew: Crew, operations: int, seed: str, *, lapsing: bool) -> tuple[int, list[str]]:
    """Some operations on new accounts; how many it were, and what the oracle finds wrong.

    ``lapsing``: among them credits that lapse within moments; the clock stands still for each call (``one_moment``).
    """
    limits = crew.ask(0, open_accounts, seed)
    events: list[Event] = []
    opened: list[tuple[uuid.UUID, uuid.UUID]] = []
    bought: list[Bought] = []
    done = step = 0
    while done < operations:
        shares = crew.each(weather, f"{seed}:{step}", list(limits), opened, bought[-REMEMBERED:], lapsing)
        events += [event for share in shares for event in share.events]
        opened = [charge for share in shares for charge in share.opened]
        bought += [purchase for share in shares for purchase in share.bought]
        done += sum(share.count for share in shares)
        step += 1
    crew.ask(0, outbox.relay, operations)
    return done, crew.ask(0, compare, limits, events) + crew.ask(0, books.broken)


def open_accounts(seed: str) -> dict[uuid.UUID, int]:
    """Accounts, some of which may go below zero; their credit limits in micros."""
    chance = random.Random(seed)  # noqa: S311
    limits = {}
    for _ in range(ACCOUNTS):
        limit = chance.choice((0, 0, 0, 40))
        limits[making.account(credit_limit=limit)] = limit * making.CREDIT
    return limits


@contextmanager
def one_moment(*accounts: uuid.UUID) -> Iterator[datetime]:
    """The clock stands still for one call, from when it has the locks: so the oracle knows what had lapsed."""
    with transaction.atomic(), connection.cursor() as cursor:
        lock(*accounts)
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        cursor.execute("SELECT set_config('ledger.now', %s, true)", [moment.isoformat()])
        yield moment


@contextmanager
def as_it_runs(*accounts: uuid.UUID) -> Iterator[None]:
    """The clock as it is, and no lock but the ledger's own."""
    yield


@dataclass
class Share:
    """What one process did in a step: how many operations it asked for, what they came to, what is open or bought since."""

    events: list[Event] = field(default_factory=list)
    count: int = 0
    opened: list[tuple[uuid.UUID, uuid.UUID]] = field(default_factory=list)
    bought: list[Bought] = field(default_factory=list)

    def note(self, events: list[Event], count: int) -> None:
        self.events += events
        self.count += count


def weather(
    seed: str,
    accounts: Sequence[uuid.UUID],
    opened: Sequence[tuple[uuid.UUID, uuid.UUID]],
    bought: Sequence[Bought],
    lapsing: bool,
) -> Share:
    """One process's share of a step: holds, ends of the holds all processes placed before, grants, purchases, and what is
    given back of both.
    """
    chance = random.Random(f"{seed}:{Me.number}")  # noqa: S311
    still: Still = one_moment if lapsing else as_it_runs
    share = Share()
    share.note(*_move_credits(chance, accounts, still))
    event, purchase = buy(chance, chance.choice(accounts), still)
    share.note([event], 1)
    share.bought = [purchase]
    share.note(*send_back(chance, bought, still))
    share.note(*_give_back(chance, opened, still))
    placed = _place(chance, accounts, still)
    share.note(placed, len(placed))
    share.note(*_end(chance, opened, still))
    for code, most in (("authorized", None), ("settled", 5)):
        found = [
            (each.account, each.charge) for each in placed if each.charge and each.answer["code"] == code
        ]
        share.opened += found[:most]
    return share


def _place(chance: random.Random, accounts: Sequence[uuid.UUID], still: Still) -> list[Event]:
    events = []
    for _ in range(2):
        requests = [_wish(chance, accounts) for _ in range(BATCH)]
        with still(*sorted({request.account for request in requests})):
            outcomes = holds.place(requests)
        for request, outcome in zip(requests, outcomes, strict=True):
            done = (datetime.fromisoformat(outcome["authorized_at"]), request.account, request.i)
            verb = "charge" if request.settle_now else "place"
            events.append(Event(done, verb, request.account, request.amount, outcome, request.id))
    return events


def _wish(chance: random.Random, accounts: Sequence[uuid.UUID]) -> PlaceRequest:
    request = making.wanted(chance.choice(accounts), 0, settle_now=chance.random() < 0.3)
    request.amount = chance.choice((0, 1, 54_000, 500_000, 1_000_000, 1_500_000, 7_777_777))
    return request


def _end(
    chance: random.Random, opened: Sequence[tuple[uuid.UUID, uuid.UUID]], still: Still
) -> tuple[list[Event], int]:
    """Ends of charges that other processes end at the same time; without effect, they may still post what has lapsed."""
    events: list[Event] = []
    count = 0
    for _ in range(2):
        some = chance.sample(list(opened), min(BATCH, len(opened)))
        requests = [
            FinishRequest(id=charge, action=chance.choice(("settle", "settle", "void")), cost=_cost(chance))
            for _, charge in some
        ]
        accounts = sorted({account for account, _ in some})
        with still(*accounts) as stood:
            outcomes = holds.finish(requests)
        count += len(requests)
        moments = dict(
            Charge.objects.filter(pk__in=[charge for _, charge in some]).values_list("pk", "finished_at")
        )
        ended: list[Event] = []
        for request, outcome, (account, _) in zip(requests, outcomes, some, strict=True):
            if outcome["code"] in ("settled", "voided"):
                verb = "settle" if outcome["code"] == "settled" else "void"
                done = (moments[request.id], account, request.i)
                ended.append(Event(done, verb, account, request.cost or 0, outcome, request.id))
        looked = set(accounts) - {event.account for event in ended} if stood else set()
        events += ended + [Event((stood, account, 0), "look", account, 0, {}) for account in looked]
    return events, count


def _cost(chance: random.Random) -> int:
    return chance.choice((0, 1, 54_000, 400_000, 1_000_000, 1_500_000, 9_000_000))


def _move_credits(
    chance: random.Random, accounts: Sequence[uuid.UUID], still: Still
) -> tuple[list[Event], int]:
    events = [_give(chance, chance.choice(accounts), still) for _ in range(2)]
    account = chance.choice(accounts)
    if still is one_moment and chance.random() < 0.5:
        events.append(_sweep(account))
    with still(account):
        try:
            taken = making.take(account, chance.randint(1, 6))
        except NotEnough:  # what it found lapsed went back with it: nothing was posted
            return events, 3
    events.append(Event((taken.created_at, account, 0), "take", account, -taken.amount, {"id": taken.pk}))
    return events, 3


def _give(chance: random.Random, account: uuid.UUID, still: Still) -> Event:
    source, kind = chance.choice((("topup", "topup"), ("bonus", "bonus"), ("plan", "plan_grant")))
    micros = chance.randint(20, 100)
    priority = chance.choice((50, 50, 40))
    lasts = chance.choice((None, None, *(SOON if still is one_moment else LATER)))
    expires_at = None if lasts is None else datetime.now(UTC) + lasts
    with still(account):
        given = making.give(
            account, micros, source=source, kind=kind, priority=priority, expires_at=expires_at
        )
    return Event((given.created_at, account, 0), "give", account, given.amount, {"id": given.pk})


def _sweep(account: uuid.UUID) -> Event:
    with one_moment(account) as moment:
        grants.expire(account)
    return Event((moment, account, 0), "look", account, 0, {})


def _give_back(
    chance: random.Random, opened: Sequence[tuple[uuid.UUID, uuid.UUID]], still: Still
) -> tuple[list[Event], int]:
    events, tries = [], 0
    for account, charge in chance.sample(list(opened), min(3, len(opened))):
        tries += 1
        micros = chance.choice((None, 1, 54_000))
        try:
            with still(account):
                back = refunds.refund_charge(charge_id=charge, micros=micros, reason="storm")
        except refunds.NotRefundable:
            continue
        done = (back.created_at, account, 0)
        events.append(Event(done, "refund", account, back.amount, {"id": back.pk}, charge))
    return events, tries


def compare(limits: dict[uuid.UUID, int], events: list[Event]) -> list[str]:
    """Hold what was done and what is there now against the oracle."""
    accounts = list(limits)
    lots: dict[uuid.UUID, list[Grant]] = defaultdict(list)
    for lot in Grant.objects.filter(account_id__in=accounts):
        lots[lot.transaction_id].append(lot)
    for event in events:
        if event.verb in ("give", "buy", "refund"):
            brought = lots.get(event.answer["id"], [])
            event.lots = [
                (lot.pk, lot.priority, lot.expires_at or FOREVER, lot.source == "topup") for lot in brought
            ]
    end = {row.pk: (row.balance, row.held) for row in Balance.objects.filter(pk__in=accounts)}
    histories: dict[uuid.UUID, list[tuple[int, int]]] = defaultdict(list)
    lines = Transaction.objects.filter(account_id__in=accounts).order_by("account_id", "seq")
    for account_id, amount, after in lines.values_list("account_id", "amount", "balance_after"):
        histories[account_id].append((amount, after))
    remaining = {lot.pk: lot.remaining for brought in lots.values() for lot in brought}
    return replay(limits, each_once(events), end, histories, remaining, _uses(accounts))[:20]


def _uses(accounts: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[uuid.UUID, int]]:
    """By charge and grant: what was taken, less what went back."""
    found: dict[uuid.UUID, dict[uuid.UUID, int]] = defaultdict(dict)
    rows = GrantUse.objects.filter(transaction__account_id__in=accounts, transaction__charge_id__isnull=False)
    by_charge = rows.values("transaction__charge_id", "grant_id").annotate(net=Sum("amount")).exclude(net=0)
    for row in by_charge:
        found[row["transaction__charge_id"]][row["grant_id"]] = row["net"]
    return found
