"""A private PostgreSQL for races, shared by all of them; each process of a race has a real connection."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from soak import world as worlds
from soak.crew import Crew
from soak.races.race import CREW
from soak.world import Database, World


@pytest.fixture(scope="session")
def world(django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), worlds.world() as made:
        yield made


@pytest.fixture(scope="session")
def racetrack(world: World) -> Database:
    """The database of all races that keep their guards."""
    return world.database("races")


@pytest.fixture(scope="session")
def crew(racetrack: Database) -> Iterator[Crew]:
    with Crew(racetrack, CREW) as made:
        yield made
