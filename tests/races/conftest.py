"""What races need."""

from collections.abc import Iterator

import pytest

from soak.crew import Crew
from soak.races.race import CREW, racers
from soak.world import World
from tests.fire import note, world

__all__ = ["note", "world"]


@pytest.fixture(scope="session")
def crew(world: World) -> Iterator[Crew]:
    """The processes of all races that keep their guards."""
    with racers(world.database("races"), CREW) as made:
        yield made
