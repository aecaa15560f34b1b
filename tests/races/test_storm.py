"""Random operations of several processes on the same accounts, against an oracle; and the oracle sees what is wrong."""

from typing import Any

import pytest

from billing.ledger import grants
from billing.ledger.models import Transaction
from billing.services import reversals
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


LAPSED_PAYS = Guard(
    "lapsed credits are left to the holds that keep them",
    sql=(
        "DO $$ BEGIN EXECUTE replace(pg_get_functiondef('ledger_burn_one'::regproc),"
        " 'expires_at > coalesce', 'true OR expires_at > coalesce'); END $$",
    ),
)


def _whole_payment() -> None:
    reversals.share = lambda reversal: reversal.payment.credits


def _half_of_it() -> None:
    unspent = reversals._unspent
    reversals._unspent = lambda payment: unspent(payment) // 2


def _of_their_own() -> None:
    def add(taken: Transaction, **about: Any) -> Transaction:
        return grants.add(account_id=taken.account_id, micros=-taken.amount, source="topup", **about)

    grants.give_back = add


WHOLE_PAYMENT = Guard("a part of the money takes its part of the credits", patch=_whole_payment)
HALF_OF_IT = Guard("a refund takes all that is unspent", patch=_half_of_it)
OF_THEIR_OWN = Guard("a refund that fails gives back to the grant it took from", patch=_of_their_own)


@pytest.mark.parametrize("guard", [ROW_LOCK, OTHER_ORDER], ids=["no locks", "another order of grants"])
def test_the_oracle_sees_what_is_wrong(world: World, guard: Guard) -> None:
    assert storm.run(world, 20_000, SEED, without=guard).breaches


@pytest.mark.parametrize(
    ("guard", "words"),
    [
        (LAPSED_PAYS, "the oracle"),
        (WHOLE_PAYMENT, "it took"),
        (HALF_OF_IT, "it took"),
        (OF_THEIR_OWN, "instead of"),
    ],
    ids=lambda value: value.name if isinstance(value, Guard) else "",
)
def test_the_oracle_knows_what_goes_back_and_what_has_lapsed(world: World, guard: Guard, words: str) -> None:
    breaches = storm.run(world, 5_000, SEED, without=guard).breaches
    assert [breach for breach in breaches if words in breach], breaches
