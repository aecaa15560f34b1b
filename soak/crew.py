"""Separate processes with a database connection each, kept alive and told by message what to do.

A round of a race then costs two messages instead of a start; the barrier lets all go at the same moment.
"""

import contextlib
import logging
import os
import signal
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from config.embedded.procs import dies_with_parent
from soak.nursery import PROCESSES, open_nursery

if TYPE_CHECKING:
    from soak.world import Database

PATIENCE = 120.0
Work = Callable[..., Any]


class MemberFailed(Exception):
    """A member's work raised; the text is its traceback."""


class MemberDied(Exception):
    """A member's process ended before it answered."""


class Member:
    """One process of the crew."""

    def __init__(
        self, number: int, database: "Database", before: Work | None, barriers: dict[int, Barrier]
    ) -> None:
        self.pipe, theirs = PROCESSES.Pipe()
        arguments = (number, database, before, barriers, theirs)
        self.process = PROCESSES.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def tell(self, work: Work, *arguments: Any) -> None:
        self.pipe.send((work, arguments))

    def hear(self) -> Any:
        """The answer to what it was told. Raises MemberFailed, MemberDied."""
        try:
            went_well, answer = self.pipe.recv()
        except (EOFError, ConnectionError) as error:
            raise MemberDied(f"process {self.process.pid} died") from error
        if not went_well:
            raise MemberFailed(answer)
        return answer

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.process.kill()
        self.process.join(PATIENCE)
        self.pipe.close()


class Crew:
    """``size`` processes on one database. ``before`` runs first in each, to drop a guard in a control."""

    def __init__(self, database: "Database", size: int, *, before: Work | None = None) -> None:
        open_nursery()
        self.barriers = {count: PROCESSES.Barrier(count) for count in range(2, size + 1)}
        self.members = [Member(number, database, before, self.barriers) for number in range(size)]

    def ask(self, number: int, work: Work, *arguments: Any) -> Any:
        """Have one member do something."""
        member = self.members[number]
        member.tell(work, *arguments)
        return member.hear()

    def each(self, work: Work, *arguments: Any, parties: int | None = None) -> list[Any]:
        """Have the first ``parties`` members (all) do the same at once; their answers in order."""
        busy = self.members[:parties]
        for member in busy:
            member.tell(work, *arguments)
        return [member.hear() for member in busy]

    def share(self, work: Work, items: Sequence[Any]) -> list[Any]:
        """Have the items' list worked off in shares; ``work`` takes a list and answers one of the same length."""
        count = len(self.members)
        busy = [
            (member, items[number::count])
            for number, member in enumerate(self.members)
            if items[number::count]
        ]
        for member, mine in busy:
            member.tell(work, list(mine))
        answers: list[Any] = [None] * len(items)
        for number, (member, _) in enumerate(busy):
            answers[number::count] = member.hear()
        return answers

    def close(self) -> None:
        for member in self.members:
            member.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Me:
    """What a member knows of itself."""

    number = 0
    barriers: dict[int, Barrier] = {}


def together(parties: int) -> None:
    """Wait for the others of the round."""
    if parties > 1:
        Me.barriers[parties].wait(PATIENCE)


def settle_in(database: "Database") -> None:
    """What a forked process does first: its own database, no signals of the terminal's, no life after its parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    dies_with_parent(signal.SIGKILL, os.getppid())()
    logging.disable(logging.CRITICAL)
    database.adopt()


def _serve(
    number: int,
    database: "Database",
    before: Work | None,
    barriers: dict[int, Barrier],
    pipe: Connection,
) -> None:
    settle_in(database)
    Me.number, Me.barriers = number, barriers
    if before is not None:
        before()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            work, arguments = pipe.recv()
            try:
                answer = (True, work(*arguments))
            except Exception:
                answer = (False, traceback.format_exc())
            pipe.send(answer)
