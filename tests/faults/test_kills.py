"""Clients, workers and the database killed by SIGKILL: what was acknowledged is there, once."""

from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker

from soak import crashes, kills
from soak import world as worlds
from soak.figures import BY_NAME
from soak.world import World
from tests.fire import SEED, Noted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def durable_world(django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    with django_db_blocker.unblock(), worlds.world(durable=True) as made:
        yield made


@pytest.mark.slow(first=True)
def test_killed_clients_and_workers_lose_and_double_nothing(world: World, note: Noted) -> None:
    told = kills.run(world, BY_NAME["kills"].suite, SEED)
    note("kills", told, SEED)
    assert told.operations >= BY_NAME["kills"].suite
    assert not told.breaches, f"seed {SEED}"


def test_without_business_keys_repeats_would_double(world: World) -> None:
    assert kills.run(world, 100, SEED, without=kills.NO_KEYS).breaches


def test_what_was_acknowledged_survives_a_crash(durable_world: World, note: Noted) -> None:
    told = crashes.run(durable_world, BY_NAME["crashes"].suite, SEED)
    note("crashes", told, SEED)
    assert told.operations >= BY_NAME["crashes"].suite
    assert told.remark
    assert not told.breaches, f"seed {SEED}"


def test_with_commits_that_do_not_wait_it_would_not(durable_world: World) -> None:
    assert crashes.run(durable_world, 3, SEED, losing=True).breaches
