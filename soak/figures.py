"""The figures that are to be reached, in the test-suite and in a soak, and how each is run."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from typing import Final

from config.embedded.bootstrap import BASE_DIR
from soak import crashes, deliveries, garbage, kills, storm
from soak.races import race
from soak.races.everything import RACES
from soak.told import Progress, Told, go_on
from soak.world import World

ROUNDS: Final = 200


@dataclass(frozen=True)
class Figure:
    """One row: what is counted, how often in the suite and in a soak."""

    name: str
    what: str
    suite: int
    soak: int
    slice: int
    """How much is run at a time in a soak."""
    run: Callable[[World, int, int, Progress], Told]
    durable: bool = False


def run_races(world: World, rounds: int, seed: int, progress: Progress = go_on) -> Told:
    """Every race, ``ROUNDS`` rounds each, as often as makes ``rounds`` altogether."""
    begun, done = time.monotonic(), 0
    breaches: list[str] = []
    with world.scratch("races") as database, race.racers(database, race.CREW) as crew:
        for name in cycle(RACES):
            result = race.run(crew, name, ROUNDS, seed + done)
            breaches += result.breaches
            done += result.rounds
            if not progress(done) or done >= rounds or breaches:
                break
    return Told(done, breaches, time.monotonic() - begun)


PAIRS: Final = len(RACES) * ROUNDS
FIGURES: Final = (
    Figure("races", f"rounds of {len(RACES)} race pairs", PAIRS, PAIRS * 20, PAIRS, run_races),
    Figure("operations", "random operations against the oracle", 250_000, 5_000_000, 100_000, storm.run),
    Figure("kills", "kill -9 of clients and workers", 1_000, 20_000, 500, kills.run),
    Figure("crashes", "kill -9 of PostgreSQL", 10, 200, 10, crashes.run, durable=True),
    Figure(
        "deliveries", "webhook deliveries, fifty of each, shuffled", 10_000, 100_000, 5_000, deliveries.run
    ),
    Figure("inputs", "malformed inputs", 20_000, 1_000_000, 20_000, garbage.run),
)
BY_NAME: Final = {figure.name: figure for figure in FIGURES}


def commit() -> str:
    """The commit that is run, with a plus where files were changed since; empty outside a checkout."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    done = subprocess.run(command, cwd=BASE_DIR, capture_output=True, text=True, check=False)  # noqa: S603
    return done.stdout.strip()


def line(figure: Figure, told: Told, seed: int) -> str:
    """One row as the suite prints it."""
    return (
        f"{figure.what:45} {told.operations:>9,}  violations {len(told.breaches)}  {told.seconds:6.1f} s"
        f"  seed {seed}  commit {commit()}  {told.remark}"
    ).rstrip()
