"""Random operations from several processes on the same accounts, held against the oracle."""

import random
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db.models import Sum

from billing.ledger import holds, refunds
from billing.ledger.errors import NotEnough
from billing.ledger.holds import FinishRequest, PlaceRequest
from billing.ledger.models import Balance, Charge, Grant, GrantUse, Transaction
from soak import books, making
from soak.crew import Crew, Me, MemberFailed
from soak.oracle import FOREVER, Event, replay
from soak.races.race import Guard
from soak.told import Progress, Told, go_on
from soak.world import World

ACCOUNTS: Final = 16
PROCESSES: Final = 4
BATCH: Final = 100
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
    begun, done = time.monotonic(), 0
    breaches: list[str] = []
    with world.scratch("storm") as database:
        database.run(*(without.sql if without else ()))
        with Crew(database, PROCESSES, before=without.patch if without else None) as crew:
            while done < operations and not breaches:
                try:
                    count, breaches = _round(crew, min(ROUND, operations - done), f"{seed}:{done}")
                except MemberFailed as error:
                    count, breaches = 0, [str(error)]
                done += count
                if not progress(done):
                    break
    return Told(done, breaches, time.monotonic() - begun)


def _round(crew: Crew, operations: int, seed: str) -> tuple[int, list[str]]:
    """Some operations on new accounts; how many it were, and what the oracle finds wrong."""
    limits = crew.ask(0, open_accounts, seed)
    events: list[Event] = []
    opened: list[tuple[uuid.UUID, uuid.UUID]] = []
    done = step = 0
    while done < operations:
        shares = crew.each(weather, f"{seed}:{step}", list(limits), opened)
        events += [event for share, _, _ in shares for event in share]
        opened = [charge for _, charges, _ in shares for charge in charges]
        done += sum(count for _, _, count in shares)
        step += 1
    return done, crew.ask(0, compare, limits, events) + crew.ask(0, books.broken)


def open_accounts(seed: str) -> dict[uuid.UUID, int]:
    """Accounts, some of which may go below zero; their credit limits in micros."""
    chance = random.Random(seed)  # noqa: S311
    limits = {}
    for _ in range(ACCOUNTS):
        limit = chance.choice((0, 0, 0, 40))
        limits[making.account(credit_limit=limit)] = limit * making.CREDIT
    return limits


def weather(
    seed: str, accounts: Sequence[uuid.UUID], opened: Sequence[tuple[uuid.UUID, uuid.UUID]]
) -> tuple[list[Event], list[tuple[uuid.UUID, uuid.UUID]], int]:
    """One process's share of a step: holds, ends of the holds all processes placed before, grants, refunds.

    Answers the events, the charges that are open or may be refunded now, and how many operations it asked for.
    """
    chance = random.Random(f"{seed}:{Me.number}")  # noqa: S311
    events, count = _move_credits(chance, accounts)
    back, tries = _give_back(chance, opened)
    placed = _place(chance, accounts)
    ended, ends = _end(chance, opened)
    charges = [
        (event.account, event.charge)
        for event in placed
        if event.charge and event.answer["code"] == "authorized"
    ]
    charges += [
        (event.account, event.charge)
        for event in placed
        if event.charge and event.answer["code"] == "settled"
    ][:5]
    return events + back + placed + ended, charges, count + tries + len(placed) + ends


def _place(chance: random.Random, accounts: Sequence[uuid.UUID]) -> list[Event]:
    events = []
    for _ in range(2):
        requests = [_wish(chance, accounts) for _ in range(BATCH)]
        for request, outcome in zip(requests, holds.place(requests), strict=True):
            moment = datetime.fromisoformat(outcome["authorized_at"])
            verb = "charge" if request.settle_now else "place"
            events.append(
                Event(
                    (moment, request.account, request.i),
                    verb,
                    request.account,
                    request.amount,
                    outcome,
                    request.id,
                )
            )
    return events


def _wish(chance: random.Random, accounts: Sequence[uuid.UUID]) -> PlaceRequest:
    request = making.wanted(chance.choice(accounts), 0, settle_now=chance.random() < 0.3)
    request.amount = chance.choice((0, 1, 54_000, 500_000, 1_000_000, 1_500_000, 7_777_777))
    return request


def _end(chance: random.Random, opened: Sequence[tuple[uuid.UUID, uuid.UUID]]) -> tuple[list[Event], int]:
    """Ends of charges that other processes end at the same time; only what took effect is an event."""
    events, count = [], 0
    for _ in range(2):
        some = chance.sample(list(opened), min(BATCH, len(opened)))
        requests = [
            FinishRequest(id=charge, action=chance.choice(("settle", "settle", "void")), cost=_cost(chance))
            for _, charge in some
        ]
        outcomes = holds.finish(requests)
        count += len(requests)
        moments = dict(
            Charge.objects.filter(pk__in=[charge for _, charge in some]).values_list("pk", "finished_at")
        )
        for request, outcome, (account, _) in zip(requests, outcomes, some, strict=True):
            if outcome["code"] in ("settled", "voided"):
                verb = "settle" if outcome["code"] == "settled" else "void"
                done = (moments[request.id], account, request.i)
                events.append(Event(done, verb, account, request.cost or 0, outcome, request.id))
    return events, count


def _cost(chance: random.Random) -> int:
    return chance.choice((0, 1, 54_000, 400_000, 1_000_000, 1_500_000, 9_000_000))


def _move_credits(chance: random.Random, accounts: Sequence[uuid.UUID]) -> tuple[list[Event], int]:
    events, count = [], 0
    for _ in range(2):
        account, source = chance.choice(accounts), chance.choice(("topup", "bonus", "plan"))
        expires = chance.choice((None, None, 30, 60))
        expires_at = None if expires is None else datetime.now(UTC) + timedelta(days=expires)
        given = making.give(
            account,
            chance.randint(20, 100),
            source=source,
            priority=chance.choice((50, 50, 40)),
            expires_at=expires_at,
        )
        events.append(Event((given.created_at, account, 0), "give", account, given.amount, {"id": given.pk}))
        count += 1
    account = chance.choice(accounts)
    try:
        taken = making.take(account, chance.randint(1, 6))
    except NotEnough:
        return events, count + 1
    events.append(Event((taken.created_at, account, 0), "take", account, -taken.amount, {"id": taken.pk}))
    return events, count + 1


def _give_back(
    chance: random.Random, opened: Sequence[tuple[uuid.UUID, uuid.UUID]]
) -> tuple[list[Event], int]:
    events, tries = [], 0
    for account, charge in chance.sample(list(opened), min(3, len(opened))):
        tries += 1
        micros = chance.choice((None, 1, 54_000))
        try:
            back = refunds.refund_charge(charge_id=charge, micros=micros, reason="storm")
        except refunds.NotRefundable:
            continue
        events.append(
            Event((back.created_at, account, 0), "refund", account, back.amount, {"id": back.pk}, charge)
        )
    return events, tries


def compare(limits: dict[uuid.UUID, int], events: list[Event]) -> list[str]:
    """Hold what was done and what is there now against the oracle."""
    accounts = list(limits)
    lots = {lot.transaction_id: lot for lot in Grant.objects.filter(account_id__in=accounts)}
    for event in events:
        if event.verb in ("give", "refund") and (lot := lots.get(event.answer["id"])) is not None:
            event.lot = (lot.pk, lot.priority, lot.expires_at or FOREVER, lot.source == "topup")
    end = {row.pk: (row.balance, row.held) for row in Balance.objects.filter(pk__in=accounts)}
    histories: dict[uuid.UUID, list[tuple[int, int]]] = defaultdict(list)
    lines = Transaction.objects.filter(account_id__in=accounts).order_by("account_id", "seq")
    for account_id, amount, after in lines.values_list("account_id", "amount", "balance_after"):
        histories[account_id].append((amount, after))
    remaining = {lot.pk: lot.remaining for lot in lots.values()}
    return replay(limits, events, end, histories, remaining, _uses(accounts))[:20]


def _uses(accounts: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[uuid.UUID, int]]:
    """By charge and grant: what was taken, less what went back."""
    found: dict[uuid.UUID, dict[uuid.UUID, int]] = defaultdict(dict)
    rows = GrantUse.objects.filter(transaction__account_id__in=accounts, transaction__charge_id__isnull=False)
    by_charge = rows.values("transaction__charge_id", "grant_id").annotate(net=Sum("amount")).exclude(net=0)
    for row in by_charge:
        found[row["transaction__charge_id"]][row["grant_id"]] = row["net"]
    return found
