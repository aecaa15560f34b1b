"""Random operations of several processes on the same accounts, against an oracle; and the oracle sees what is wrong."""

import pytest

from soak import storm
from soak.figures import BY_NAME
from soak.races.guards import ROW_LOCK
from soak.races.race import Guard
from soak.world import World
from tests.fire import SEED, Noted

pytestmark = pytest.mark.slow

BACKWARDS = """
CREATE OR REPLACE FUNCTION ledger_burn_rank(lot ledger_grant) RETURNS ledger_burn_rank LANGUAGE sql IMMUTABLE AS $$
    SELECT ROW(-lot.priority, coalesce(lot.expires_at, 'infinity'), lot.source = 'topup', lot.id)::ledger_burn_rank
$$
"""
OTHER_ORDER = Guard("the order in which grants are used", sql=(BACKWARDS,))


@pytest.mark.slow(first=True)
def test_the_ledger_answers_as_the_oracle(world: World, note: Noted) -> None:
    told = storm.run(world, BY_NAME["operations"].suite, SEED)
    note("operations", told, SEED)
    assert told.operations >= BY_NAME["operations"].suite
    assert not told.breaches, f"seed {SEED}"


@pytest.mark.parametrize("guard", [ROW_LOCK, OTHER_ORDER], ids=["no locks", "another order of grants"])
def test_the_oracle_sees_what_is_wrong(world: World, guard: Guard) -> None:
    assert storm.run(world, 20_000, SEED, without=guard).breaches
