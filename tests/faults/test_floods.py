"""Every event fifty times, and nonsense on every route."""

import pytest

from soak import deliveries, garbage
from soak.figures import BY_NAME
from soak.world import World
from tests.fire import SEED, Noted

pytestmark = pytest.mark.slow


@pytest.mark.slow(first=True)
def test_every_event_fifty_times_counts_once(world: World, note: Noted) -> None:
    told = deliveries.run(world, BY_NAME["deliveries"].suite, SEED)
    note("deliveries", told, SEED)
    assert told.operations >= BY_NAME["deliveries"].suite
    assert not told.breaches, f"seed {SEED}"


@pytest.mark.slow(first=True)
def test_no_nonsense_is_a_server_error(world: World, note: Noted) -> None:
    told = garbage.run(world, BY_NAME["inputs"].suite, SEED)
    note("inputs", told, SEED)
    assert told.operations >= BY_NAME["inputs"].suite
    assert not told.breaches, f"seed {SEED}"


def test_a_trusting_reader_would_be_found(world: World) -> None:
    assert garbage.run(world, 2_000, SEED, without=garbage.TRUSTING).breaches
