"""Every race keeps its promise over all rounds, and breaks without its guard.

RACE_ROUNDS and SOAK_SEED change how long and what is tried.
"""

import os

import pytest

from config.embedded.bootstrap import BASE_DIR
from soak.crew import Crew
from soak.figures import ROUNDS as IN_THE_SUITE
from soak.races import race as races
from soak.races.everything import RACES
from soak.told import Told
from soak.world import World
from tests.fire import SEED, Noted

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("RACE_ROUNDS", str(IN_THE_SUITE)))
UNTIL_BROKEN = 3000
"""Rounds in which a control has to break. It takes ten mostly, and hundreds where others keep the processors busy."""
GUARDED = [name for name, race in RACES.items() if race.guard is not None]


@pytest.mark.slow(first=True)
def test_every_promise_is_kept(crew: Crew, note: Noted) -> None:
    results = [races.run(crew, name, ROUNDS, SEED) for name in RACES]
    breaches = [words for result in results for words in result.breaches]
    note(
        "races",
        Told(sum(result.rounds for result in results), breaches, sum(result.seconds for result in results)),
        SEED,
    )
    assert not breaches, f"seed {SEED}"


@pytest.mark.parametrize("name", GUARDED)
def test_without_its_guard_it_breaks(world: World, name: str) -> None:
    result = races.control(world, name, UNTIL_BROKEN, SEED)
    guard = RACES[name].guard
    assert result.breaches, (
        f"{name} keeps its promise without {guard.name if guard else ''}: it proves nothing"
    )


def test_there_are_enough_of_them() -> None:
    assert len(RACES) >= 30
    assert len(GUARDED) >= 30


def test_each_is_found_from_what_can_go_wrong() -> None:
    page = (BASE_DIR / "docs" / "testing.md").read_text()
    assert [name for name in RACES if f"*{name}*" not in page] == []
