"""Every race keeps its promise over all rounds, and breaks without its guard.

RACE_ROUNDS and SOAK_SEED change how long and what is tried; a failure names the seed that brings it back.
"""

import os

import pytest

from soak.crew import Crew
from soak.races import race as races
from soak.races.everything import RACES
from soak.world import World

pytestmark = pytest.mark.slow

ROUNDS = int(os.environ.get("RACE_ROUNDS", "200"))
SEED = int(os.environ.get("SOAK_SEED", "20261120"))
GUARDED = [name for name, race in RACES.items() if race.guard is not None]


@pytest.mark.parametrize("name", RACES)
def test_the_promise_is_kept(crew: Crew, name: str) -> None:
    result = races.run(crew, name, ROUNDS, SEED)
    assert not result.breaches, f"seed {SEED}: {len(result.breaches)} of {result.rounds}: {result.breaches[:5]}"


@pytest.mark.parametrize("name", GUARDED)
def test_without_its_guard_it_breaks(world: World, name: str) -> None:
    result = races.control(world, name, max(ROUNDS, 200), SEED)
    guard = RACES[name].guard
    assert result.breaches, f"{name} keeps its promise without {guard.name if guard else ''}: it proves nothing"
