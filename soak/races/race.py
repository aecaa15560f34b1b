"""A race: what is prepared, what each process does when the barrier opens, and what must be true after.

A guard is what makes the race harmless. Its control drops it in a database of its own, and the race must fail there:
otherwise the race proves nothing.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Final

from soak import books, simulator
from soak.crew import Crew, Me, together
from soak.world import Database, World

CHUNK: Final = 100
CONTROL_CHUNK: Final = 10
JITTER: Final = 0.002
"""Seconds by which a process may start after the barrier, so that rounds differ."""
CREW: Final = 6

Case = dict[str, Any]


@dataclass(frozen=True)
class Refused:
    """An act that raised: the exception's class and words."""

    error: str
    words: str = ""


@dataclass(frozen=True)
class Guard:
    """How a guard is dropped: statements on a scratch database, and what is patched in each process."""

    name: str
    sql: tuple[str, ...] = ()
    patch: Callable[[], None] | None = None


class Race:
    """Base of all races. ``acts`` are what the processes do, one each, at the same moment."""

    promise: ClassVar[str]
    guard: ClassVar[Guard | None] = None
    expected: ClassVar[tuple[str, ...]] = ()
    """Names of the exceptions that are a proper answer here."""
    acts: ClassVar[tuple[str, ...]] = ("act",)
    at_stripe: ClassVar[bool] = False
    """Whether the stand-in of Stripe is asked."""

    def case(self) -> Case:
        """What one round needs, made before it."""
        raise NotImplementedError

    def just_before(self, case: Case) -> None:
        """Done by the first process immediately before the barrier opens."""

    def judge(self, case: Case, answers: list[Any]) -> str:
        """What is wrong after the round, in words; empty when nothing is."""
        raise NotImplementedError


RACES: Final[dict[str, type[Race]]] = {}


def race(cls: type[Race]) -> type[Race]:
    """Put a race on the list, under its class's name in words."""
    name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in cls.__name__).lstrip(
        "_"
    )
    RACES[name] = cls
    return cls


@dataclass
class Result:
    """What came of a race."""

    name: str
    rounds: int
    breaches: list[str]
    seconds: float


def run(crew: Crew, name: str, rounds: int, seed: int, *, stop_at_breach: bool = False) -> Result:
    """So many rounds of one race; every breach names its round, which the seed brings back."""
    begun, done = time.monotonic(), 0
    breaches: list[str] = []
    while done < rounds and not (stop_at_breach and breaches):
        numbers = range(done, min(done + (CONTROL_CHUNK if stop_at_breach else CHUNK), rounds))
        cases = crew.share(prepare, [name] * len(numbers))
        parties = len(RACES[name].acts)
        answers = crew.each(play, name, cases, list(numbers), seed, parties=parties)
        told = [(name, case, list(of_round)) for case, *of_round in zip(cases, *answers, strict=True)]
        for number, words in zip(numbers, crew.share(judge, told), strict=True):
            if words:
                breaches.append(f"{name}, round {number}: {words}")
        done += len(numbers)
        if stop_at_breach or done == rounds:
            breaches += [f"{name}: {words}" for words in crew.ask(0, books.broken)]
    return Result(name, done, breaches, time.monotonic() - begun)


@contextmanager
def racers(
    database: Database, size: int, without: Guard | None = None, *, at_stripe: bool = True
) -> Iterator[Crew]:
    """The processes of races, which take the simulator for Stripe. ``without`` drops a guard in them."""
    with (
        simulator.simulator() if at_stripe else nullcontext("") as url,
        Crew(database, size, before=partial(_line_up, url, without)) as crew,
    ):
        yield crew


def _line_up(url: str, without: Guard | None) -> None:
    if url:
        simulator.point_at(url)
    if without is not None and without.patch is not None:
        without.patch()


def control(world: World, name: str, rounds: int, seed: int) -> Result:
    """The race without its guard, until something breaks."""
    guard = RACES[name].guard
    assert guard is not None
    with world.scratch("control") as database:
        database.run(*guard.sql)
        with racers(database, len(RACES[name].acts), guard, at_stripe=RACES[name].at_stripe) as crew:
            return run(crew, name, rounds, seed, stop_at_breach=True)


def prepare(names: Sequence[str]) -> list[Case]:
    return [RACES[name]().case() for name in names]


def play(name: str, cases: Sequence[Case], numbers: Sequence[int], seed: int) -> list[Any]:
    """One process's part in some rounds."""
    race = RACES[name]()
    act = getattr(race, race.acts[Me.number])
    parties = len(race.acts)
    needs_first = type(race).just_before is not Race.just_before
    answers: list[Any] = []
    for case, number in zip(cases, numbers, strict=True):
        delay = random.Random(f"{seed}:{name}:{number}:{Me.number}").choice((0, 0, 0.2, 1)) * JITTER  # noqa: S311
        if needs_first:
            together(parties)
            if Me.number == 0:
                race.just_before(case)
        together(parties)
        if delay:
            time.sleep(delay)
        answers.append(_try(act, case))
    return answers


def judge(told: Sequence[tuple[str, Case, list[Any]]]) -> list[str]:
    return [_judge(RACES[name](), case, answers) for name, case, answers in told]


def _try(act: Callable[[Case], Any], case: Case) -> Any:
    try:
        return act(case)
    except Exception as error:
        return Refused(type(error).__name__, str(error)[:300])


def _judge(race: Race, case: Case, answers: list[Any]) -> str:
    for answer in answers:
        if isinstance(answer, Refused) and answer.error not in race.expected:
            return f"unexpected {answer.error}: {answer.words}"
    return race.judge(case, answers)
