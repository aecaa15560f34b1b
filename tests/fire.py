"""A private PostgreSQL for races, kills and floods, shared by all of them; each process has a real connection."""

import os
from collections.abc import Callable, Iterator

import pytest
from pytest_django import DjangoDbBlocker

from soak import world as worlds
from soak.figures import BY_NAME, line
from soak.told import Told
from soak.world import World

SEED = int(os.environ.get("SOAK_SEED", "20261120"))
"""What is tried; a failure names it, and the same comes again."""
Noted = Callable[[str, Told, int], None]


@pytest.fixture(scope="session")
def world(django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), worlds.world() as made:
        yield made


@pytest.fixture
def note(record_property: Callable[[str, object], None]) -> Noted:
    """Puts a figure on the list that is printed at the end of the run."""

    def note(name: str, told: Told, seed: int) -> None:
        record_property("figure", line(BY_NAME[name], told, seed))

    return note
