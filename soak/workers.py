"""Real Celery workers and beats on the embedded broker: processes that take messages from queues in PostgreSQL.

They are forked from the nursery, so that one is there in a second; the arguments are those with which `up` starts its own.
"""

import multiprocessing.process
import os
import signal
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from django.conf import settings
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from billing import nudges, outbox
from config import broker
from config.celery import app
from config.embedded import parts
from soak import lane, simulator
from soak.crew import settle_in
from soak.intents import prepare_process
from soak.kills import Point, arm
from soak.nursery import PROCESSES, open_nursery
from soak.world import Database

VISIBLE_AGAIN: Final = 2
"""Seconds until a dead worker's messages are handed out once more, here; in the portal it is a minute."""
PATIENCE: Final = 60.0

_REQUEST: Final = "celery.worker.request.Request"
DEADLY: Final = "soak.deadly"
"""A kind of message that kills the worker that sends it."""
POINTS: Final[dict[str, Point]] = {
    "taken, not begun": (_REQUEST, "on_accepted", "before"),
    "holds ended, task not done": ("billing.ledger.holds", "finish", "after"),
    "some credits lapsed, others not": ("billing.ledger.grants", "expire", "after"),
    "effect done, event not": ("soak.intents", "event_effect", "after"),
    "sent, message not noted": ("soak.intents", "send_message", "after"),
    "done, not acknowledged": (_REQUEST, "acknowledge", "before"),
}
"""Where a worker ends that has a message and has not acknowledged it."""
_STRIPE: Final = "billing.gateways.stripe_gateway.StripeGateway"
RECHARGE_POINTS: Final[dict[str, Point]] = {
    "Stripe not asked yet": (_STRIPE, "charge_card", "before"),
    "charged, not recorded": (_STRIPE, "charge_card", "after"),
    "credited, payment not saved": ("billing.services.payments", "_credit", "after"),
    "recharged, not acknowledged": (_REQUEST, "acknowledge", "before"),
}
"""Where a worker ends that charges a card."""


def aim(queues: Database) -> None:
    """Have this process send to, and take from, the queues of this database."""
    where = {"NAME": queues.name, "HOST": queues.host, "USER": "portal"}
    options = settings.CELERY_BROKER_TRANSPORT_OPTIONS | broker.transport_options(where)
    app.conf.update(
        broker_url=broker.URL,
        broker_transport_options=options | {"visibility_timeout": VISIBLE_AGAIN},
    )


def acknowledged_first() -> None:
    """For the control: a message is acknowledged as soon as somebody has it, as Celery does unless told otherwise."""
    app.conf.task_acks_late = False


class Process:
    """A worker or a beat."""

    def __init__(self, life: Callable[..., None], *arguments: Any) -> None:
        open_nursery()
        self.process: multiprocessing.process.BaseProcess = PROCESSES.Process(
            target=life, args=arguments, daemon=True
        )
        self.process.start()

    def ended(self) -> int | None:
        """Wait for its end; the exit code."""
        self.process.join(PATIENCE)
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()
        self.process.join(PATIENCE)


def worker(
    database: Database,
    point: Point | None = None,
    *,
    queues: Database | None = None,
    stripe: str = lane.NOBODY,
    before: Callable[[], None] | None = None,
) -> Process:
    """A worker that ends at a point, if one is named. ``queues``: if not in the same database; ``before`` drops a guard."""
    return Process(_work, database, queues or database, point, stripe, before)


def beat(queues: Database, schedule: Path, away: timedelta) -> Process:
    """A beat that was last running so long ago."""
    return Process(_beat, queues, str(schedule), away)


def _work(
    database: Database,
    queues: Database,
    point: Point | None,
    stripe: str,
    before: Callable[[], None] | None,
) -> None:
    settle_in(database)
    prepare_process()
    outbox.handles(DEADLY)(lambda payload: os.kill(os.getpid(), signal.SIGKILL))
    simulator.point_at(stripe)
    aim(queues)
    if before is not None:
        before()
    if point is not None:
        arm(point, 1)
    app.worker_main(list(parts.WORKER))


def _beat(queues: Database, schedule: str, away: timedelta) -> None:
    from celery.beat import PersistentScheduler

    settle_in(queues)
    aim(queues)
    store = PersistentScheduler(app, schedule_filename=schedule)
    for entry in store.schedule.values():
        entry.last_run_at = datetime.now(UTC) - away
    store.close()
    app.start(["beat", "--schedule", schedule, "--pidfile=", "--loglevel", "INFO"])


def send(queues: Database, *tasks: str) -> None:
    """Leave these tasks in the queue, as a request does after its commit; words after a name are arguments."""
    aim(queues)
    for task in tasks:
        nudges.nudge(*task.split())


class Queue:
    """The queue as the database has it, whoever is at work."""

    def __init__(self, database: Database) -> None:
        self._connection: psycopg.Connection[Any] = database.connect()

    def rows(self, what: LiteralString) -> list[Any]:
        """One column of each message that nobody has acknowledged."""
        query = SQL("SELECT {} FROM pgmq.q_celery ORDER BY msg_id").format(SQL(what))
        return [row[0] for row in self._connection.execute(query)]

    @property
    def tasks(self) -> list[str]:
        return self.rows("message -> 'headers' ->> 'task'")

    def put(self, messages: Sequence[Any]) -> None:
        for message in messages:
            self._connection.execute("SELECT pgmq.send('celery', %s::jsonb)", [Jsonb(message)])

    def lose(self) -> int:
        """All messages are gone; how many it were."""
        return self._connection.execute("DELETE FROM pgmq.q_celery").rowcount


def until(holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Ask again until it is so; raises AssertionError with ``what`` when it takes too long."""
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(0.05)
