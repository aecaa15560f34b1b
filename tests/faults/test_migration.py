"""The ledger's functions are replaced by a migration while requests come in: each goes through, at once or asked again."""

import contextlib
import time

import pytest
from psycopg.errors import DeadlockDetected

from billing.ledger import functions
from soak import making
from soak.crashes import Writer, judge
from soak.crew import Crew
from soak.world import Database, World

pytestmark = pytest.mark.slow
WRITERS = 3
MIGRATIONS, TRIES = 8, 20
PAUSE = 0.4
"""Seconds of work between two migrations."""


def migrate(database: Database) -> None:
    """What the migrations do that load the functions: all of it in one transaction, types and functions dropped first.

    It locks tables that requests have locked in another order: a deadlock may end it, whole, and it is run again.
    """
    for _ in range(TRIES):
        with (
            contextlib.suppress(DeadlockDetected),
            database.connect() as connection,
            connection.transaction(),
        ):
            for operation in functions.load():
                assert isinstance(operation.sql, str)
                connection.execute(operation.sql.encode())
            return
    pytest.fail(f"no migration in {TRIES} tries")


def test_requests_survive_a_migration(world: World) -> None:
    with world.scratch("migration") as database:
        with Crew(database, 1) as crew:
            accounts = [crew.ask(0, making.account, 100_000) for _ in range(WRITERS)]
        writers = [Writer(database, account) for account in accounts]
        for _ in range(MIGRATIONS):
            time.sleep(PAUSE)
            migrate(database)
        told = {writer.account: writer.stop() for writer in writers}
        assert all(len(acknowledged) > MIGRATIONS for acknowledged in told.values())
        with Crew(database, 1) as crew:
            assert crew.ask(0, judge, told) == []
