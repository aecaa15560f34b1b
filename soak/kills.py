"""Clients and workers killed at named points and at any moment: what was promised is there once, and nothing else.

A client has a list of intents, each under a key of its own, and says of each that it is done. Killed, its successor begins
with the first intent that nobody said was done, as a service does that got no answer. A worker sweeps what is left over.
"""

import contextlib
import os
import random
import signal
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from django.db import connection
from django.utils.timezone import now

from billing import outbox
from billing.ledger import grants
from billing.ledger.models import Charge
from billing.models import OutboxMessage, WebhookInbox
from billing.services import inbox
from config.ids import new_id
from soak import books, making
from soak.crew import Crew, settle_in
from soak.intents import EFFECTS, VERBS, Intent, as_event, never_give_up, prepare_process, sweep
from soak.nursery import PROCESSES
from soak.races.race import Guard
from soak.told import Progress, Told, go_on
from soak.world import Database, World

LANES: Final = 6
PER_LANE: Final = 60
"""Intents of a lane; a new lane with a new account follows when they are done."""
LONGEST_LIFE: Final = 0.1  # seconds
FOREVER: Final = float("inf")
NOTHING_YET: Final = -1

Point = tuple[str, str, str]
POINTS: Final[dict[str, Point]] = {
    "before the commit": ("django.db.backends.postgresql.base.DatabaseWrapper", "_commit", "before"),
    "after the commit": ("django.db.backends.postgresql.base.DatabaseWrapper", "_commit", "after"),
    "posted, no grant yet": ("billing.ledger.grants", "create_lot", "before"),
    "refunded, grants not restored": ("billing.ledger.refunds", "_restore_lots", "before"),
    "credited, payment not saved": ("billing.services.payments", "_credit", "after"),
    "effect done, event not": ("soak.intents", "event_effect", "after"),
    "sent, message not noted": ("soak.intents", "send_message", "after"),
}
"""Where a process kills itself: in which function, and on which side of it."""


@dataclass
class Lane:
    """One account and the intents for it, done in order by one process after the other."""

    account: uuid.UUID
    intents: list[Intent]
    done: int = 0

    def __post_init__(self) -> None:
        self.victim: Victim


@dataclass
class Victim:
    """A process that will be killed: at ``deadline``, unless it kills itself at a point before.

    The deadline is set once it has said that it begins: what dies before has nothing to lose.
    """

    process: Any
    pipe: Connection
    deadline: float | None = None


@dataclass
class Hunt:
    """What is going on in a run."""

    database: Database
    chance: random.Random
    without: Guard | None
    kills: int = 0
    lanes: list[Lane] = field(default_factory=list)
    finished: list[Lane] = field(default_factory=list)


def run(
    world: World,
    kills: int,
    seed: int,
    progress: Progress = go_on,
    without: Guard | None = None,
) -> Told:
    """So many processes killed, then the books."""
    begun = time.monotonic()
    with world.scratch("kills") as database:
        database.run(*(without.sql if without else ()))
        with Crew(database, 1) as crew:
            hunt = Hunt(database, random.Random(seed), without)  # noqa: S311
            while hunt.kills < kills:
                while len(hunt.lanes) < LANES:
                    lane = crew.ask(0, plan, hunt.chance.randrange(1 << 30))
                    lane.victim = _start(hunt, lane)
                    hunt.lanes.append(lane)
                _watch(hunt)
                for lane in [
                    lane for lane in hunt.lanes if (lane.victim.deadline or FOREVER) <= time.monotonic()
                ]:
                    _strike(hunt, lane)
                if not progress(hunt.kills):
                    break
            for lane in hunt.lanes:
                _end(hunt, lane)
                crew.ask(0, complete, lane.intents[lane.done :])
            hunt.finished += hunt.lanes
            breaches = crew.ask(0, judge, [(lane.account, lane.intents) for lane in hunt.finished])
    return Told(hunt.kills, breaches, time.monotonic() - begun)


def plan(seed: int) -> Lane:
    """A new account, what is to be done with it, and work for a worker beside it."""
    prepare_process()
    chance = random.Random(seed)  # noqa: S311
    account = making.account(500)
    intents = []
    for number in range(PER_LANE):
        verb = chance.choice(list(EFFECTS))
        target = making.payment(account, credits=5).pk if verb == "pay" else new_id()
        intents.append(Intent(number, verb, account, target))
    left_over(account)
    return Lane(account, intents)


def left_over(account: uuid.UUID) -> None:
    """For the sweepers: holds out of time, lapsed credits, a message, an event that nobody carried out."""
    for _ in range(5):
        making.held(account, 1, ttl=0)
        making.give(account, 1, expires_at=now() - timedelta(days=3))
    OutboxMessage.objects.create(kind="soak", key=f"message:{account.hex}", payload={"account": str(account)})
    inbox.receive(as_event(f"late:{account.hex}", account))


def _watch(hunt: Hunt) -> None:
    """Until a process says that it begins, or the time of one is over."""
    begun: dict[Any, Victim] = {
        lane.victim.pipe: lane.victim for lane in hunt.lanes if lane.victim.deadline is None
    }
    soonest = min((lane.victim.deadline or FOREVER for lane in hunt.lanes), default=FOREVER)
    for pipe in wait(list(begun), max(0.0, min(soonest - time.monotonic(), 10.0))):
        with contextlib.suppress(EOFError, OSError):
            begun[pipe].pipe.recv()
        begun[pipe].deadline = time.monotonic() + hunt.chance.uniform(0, LONGEST_LIFE)


def _strike(hunt: Hunt, lane: Lane) -> None:
    """Kill the process whose time is over; the next one goes on where nobody said that it was done."""
    _end(hunt, lane)
    if lane.done < len(lane.intents):
        lane.victim = _start(hunt, lane)
        return
    hunt.lanes.remove(lane)
    hunt.finished.append(lane)


def _end(hunt: Hunt, lane: Lane) -> None:
    victim = lane.victim
    victim.process.kill()
    victim.process.join()
    hunt.kills += victim.process.exitcode == -signal.SIGKILL
    lane.done = max(lane.done, _last_word(victim.pipe))


def _start(hunt: Hunt, lane: Lane) -> Victim:
    ours, theirs = PROCESSES.Pipe(duplex=False)
    point = hunt.chance.choice([None, None, *POINTS])
    arguments = (
        hunt.database,
        hunt.without,
        lane.intents[lane.done :],
        theirs,
        point,
        hunt.chance.randint(1, 12),
        hunt.chance.random() < 0.2,
    )
    process = PROCESSES.Process(target=_live, args=arguments, daemon=True)
    process.start()
    theirs.close()
    return Victim(process, ours)


def _last_word(pipe: Connection) -> int:
    """How many intents were said to be done."""
    done = 0
    try:
        while pipe.poll():
            done = max(done, pipe.recv() + 1)
    except (EOFError, OSError):
        pass
    pipe.close()
    return done


def _live(
    database: Database,
    without: Guard | None,
    intents: Sequence[Intent],
    pipe: Connection,
    point: str | None,
    countdown: int,
    sweeps: bool,
) -> None:
    """A victim's life: arm its end, then work until it comes."""
    settle_in(database)
    prepare_process()
    never_give_up()
    if without is not None and without.patch is not None:
        without.patch()
    connection.ensure_connection()
    pipe.send(NOTHING_YET)
    if point is not None:
        arm(POINTS[point], countdown)
    if sweeps:
        sweep()
    for intent in intents:
        VERBS[intent.verb](intent)
        pipe.send(intent.number)
    os._exit(0)


def arm(point: Point, countdown: int) -> None:
    """Have this process kill itself at a point, the so-manieth time that it comes by."""
    from importlib import import_module

    path, name, side = point
    owner: Any
    try:
        owner = import_module(path)
    except ModuleNotFoundError:
        module, _, attribute = path.rpartition(".")
        owner = getattr(import_module(module), attribute)
    real = getattr(owner, name)
    left = [countdown]

    def armed(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] <= 0 and side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = real(*arguments, **options)
        if left[0] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, name, armed)


def complete(intents: Sequence[Intent]) -> None:
    prepare_process()
    for intent in intents:
        VERBS[intent.verb](intent)


def judge(lanes: Sequence[tuple[uuid.UUID, list[Intent]]]) -> list[str]:
    """After a last sweep: every intent has had its effect once, and nothing is left lying."""
    prepare_process()
    never_give_up()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_webhookinbox SET next_attempt_at = now()")
        cursor.execute("UPDATE billing_outboxmessage SET next_attempt_at = now()")
    inbox.sweep(100_000)
    outbox.relay(100_000)
    sweep()
    wrong = books.broken()
    for account, intents in lanes:
        wrong += _judge(account, intents)
    for waiting in (
        WebhookInbox.objects.filter(done_at__isnull=True),
        OutboxMessage.objects.filter(sent_at__isnull=True, kind="soak"),
        Charge.objects.filter(status="authorized"),
    ):
        if waiting.exists():
            wrong.append(f"{waiting.count()} of {waiting.model.__name__} left lying")
    return wrong


def _judge(account: uuid.UUID, intents: Sequence[Intent]) -> list[str]:
    """500 credits and an event's bonus at first; 5 credits had lapsed, and 5 holds ran out of time."""
    balance = 500 + 1 + sum(EFFECTS[intent.verb][0] for intent in intents)
    expected = {"topup": 1 + 5, "bonus": 1, "expiry": 5}
    for intent in intents:
        for kind, count in EFFECTS[intent.verb][1].items():
            expected[kind] = expected.get(kind, 0) + count
    found = making.standing(account)
    if found != (balance, 0, balance) or making.kinds(account) != expected:
        return [f"{account}: {found} and {making.kinds(account)} instead of {balance} and {expected}"]
    return []


def _forget_keys() -> None:
    """For the control: nobody looks whether something was done before."""
    grants._repeat = lambda key, account_id, micros: None


NO_KEYS: Final = Guard("the business keys", sql=("DROP INDEX transaction_key_unique",), patch=_forget_keys)
