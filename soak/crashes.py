"""PostgreSQL killed under load: what was acknowledged is there after, once, by a log that the database has no part in."""

import contextlib
import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from django.db import Error, connection

from billing.ledger.models import Charge, Transaction
from config.embedded.postgres import Cluster
from config.ids import new_id
from soak import books, making
from soak.crew import Crew, settle_in
from soak.intents import OWNER
from soak.nursery import PROCESSES
from soak.told import Progress, Told, go_on
from soak.world import Database, World

WRITERS: Final = 3
UNDER_LOAD: Final = (0.3, 1.0)
"""Seconds of work between two crashes."""
PATIENCE: Final = 60.0

LOSING: Final = 'ALTER DATABASE "{name}" SET synchronous_commit = off'
"""The control: with this, what was acknowledged can be lost, and must be found missing."""


def run(
    world: World,
    crashes: int,
    seed: int,
    progress: Progress = go_on,
    *,
    losing: bool = False,
) -> Told:
    """So many crashes of a durable cluster; the operations acknowledged before them must be there."""
    begun, chance = time.monotonic(), random.Random(seed)  # noqa: S311
    database = world.database("crashes")
    if losing:
        database.run(LOSING.format(name=database.name))
    with Crew(database, 1) as crew:
        accounts = [crew.ask(0, making.account, 100_000) for _ in range(WRITERS)]
    writers = [Writer(database, account) for account in accounts]
    done = 0
    while done < crashes:
        time.sleep(chance.uniform(*UNDER_LOAD))
        kill_server(world.cluster)
        world.cluster.start()
        done += 1
        if not progress(done):
            break
    told = {writer.account: writer.stop() for writer in writers}
    with Crew(database, 1) as crew:
        breaches = crew.ask(0, judge, told)
    remark = f"{sum(map(len, told.values())):,} operations acknowledged"
    return Told(done, breaches, time.monotonic() - begun, remark)


class Writer:
    """A process that works, through every crash, and says what was acknowledged to it."""

    def __init__(self, database: Database, account: uuid.UUID) -> None:
        self.account = account
        self.pipe, theirs = PROCESSES.Pipe()
        arguments = (database, account, theirs)
        self.process = PROCESSES.Process(target=_write, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def stop(self) -> list[uuid.UUID]:
        """Have it finish what it is at; all that it was told is done."""
        self.pipe.send("stop")
        acknowledged: list[uuid.UUID] = self.pipe.recv()
        self.process.join(PATIENCE)
        return acknowledged


def _write(database: Database, account: uuid.UUID, pipe: Connection) -> None:
    settle_in(database)
    acknowledged = []
    while not pipe.poll():
        intent = new_id()
        persistently(lambda intent=intent: one(account, intent))  # type: ignore[misc]
        acknowledged.append(intent)
    pipe.send(acknowledged)


def one(account: uuid.UUID, intent: uuid.UUID) -> None:
    """A hold and its settle, under keys: asked again, the first answer is given again."""
    key = {"owner": OWNER, "hash": "h"}
    placed = making.hold(account, 2, id=intent, idem=f"{intent}:place", **key)
    assert placed["code"] == "authorized", placed
    ended = making.end(intent, "settle", 1, idem=f"{intent}:settle", **key)
    assert ended["code"] == "settled", ended


def persistently(work: Callable[[], None]) -> None:
    """The same request again until it is answered; a connection lost in COMMIT may mean either."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return work()
        except Error:
            if time.monotonic() > end:
                raise
            with contextlib.suppress(Error):
                connection.close()
            time.sleep(0.05)


def kill_server(cluster: Cluster) -> None:
    """SIGKILL to the server and to all of its processes."""
    assert cluster.process is not None
    pid = cluster.process.pid
    os.kill(pid, signal.SIGSTOP)
    for child in children(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    cluster.process.wait(PATIENCE)


def children(pid: int) -> Iterator[int]:
    """The processes that this one started, where the system tells."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                yield int(status.parent.name)


def judge(told: dict[uuid.UUID, Sequence[uuid.UUID]]) -> list[str]:
    """Everything acknowledged is there once; nothing is there that was not asked for."""
    wrong = books.broken()
    for account, acknowledged in told.items():
        there = dict(Charge.objects.filter(account_id=account).values_list("pk", "status"))
        lost = [intent for intent in acknowledged if there.get(intent) != "settled"]
        usages = Transaction.objects.filter(account_id=account, kind="usage").count()
        balance = making.standing(account)[0]
        if lost:
            wrong.append(
                f"{len(lost)} of {len(acknowledged)} acknowledged operations lost, {lost[0]} for one"
            )
        elif (usages, balance, len(there)) != (
            len(acknowledged),
            100_000 - len(acknowledged),
            len(acknowledged),
        ):
            wrong.append(
                f"{len(acknowledged)} acknowledged, {len(there)} charges, {usages} usages, balance {balance}"
            )
    return wrong


def fill(folder: Path) -> Path:
    """Write until there is no space left on the folder's disk."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return filler
