"""Migrations while requests come in, which wait and go through, or are asked again: the ledger's functions are replaced, and
its hottest tables are written anew.
"""

import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg.errors import DeadlockDetected

from billing.ledger import functions
from config.ids import parse_id
from soak import lane, making
from soak.crashes import Writer, judge
from soak.crew import Crew
from soak.workers import until
from soak.world import Database, World

pytestmark = pytest.mark.slow
WRITERS = 3
MIGRATIONS, TRIES = 8, 20
PAUSE = 0.4
"""Seconds of work between two migrations."""


def migrate(database: Database, steps: Callable[[psycopg.Connection[Any]], None]) -> None:
    """A migration: all of its steps in one transaction.

    It locks tables that requests have locked in another order: a deadlock may end it, whole, and it is run again.
    """
    for _ in range(TRIES):
        with (
            contextlib.suppress(DeadlockDetected),
            database.connect() as connection,
            connection.transaction(),
        ):
            steps(connection)
            return
    pytest.fail(f"no migration in {TRIES} tries")


def reload_functions(connection: psycopg.Connection[Any]) -> None:
    """What the migrations do that load the functions: types and functions are dropped first."""
    for operation in functions.load():
        assert isinstance(operation.sql, str)
        connection.execute(operation.sql.encode())


def test_requests_survive_a_migration(world: World) -> None:
    with world.scratch("migration") as database:
        with Crew(database, 1) as crew:
            accounts = [crew.ask(0, making.account, 100_000) for _ in range(WRITERS)]
        writers = [Writer(database, account) for account in accounts]
        for _ in range(MIGRATIONS):
            time.sleep(PAUSE)
            migrate(database, reload_functions)
        told = {writer.account: writer.stop() for writer in writers}
        assert all(len(acknowledged) > MIGRATIONS for acknowledged in told.values())
        with Crew(database, 1) as crew:
            assert crew.ask(0, judge, told) == []


HOT = ("ledger_charge", "ledger_balance", "ledger_transaction")
SHARE = 30
"""Pieces of work that each client does around one migration."""


def rewrite(database: Database, table: str, number: int) -> None:
    """A new column with another value in each row: the table is locked for everybody and written anew, row by row.

    It is not committed before a request waits for it, so that every one of these migrations meets requests.
    """

    def steps(connection: psycopg.Connection[Any]) -> None:
        before = _file(connection, table)
        connection.execute(
            f"ALTER TABLE {table} ADD COLUMN new_{number} uuid DEFAULT gen_random_uuid()".encode()
        )
        assert _file(connection, table) != before, "the table was not written anew"
        with database.connect() as other:
            until(lambda: _waits(other, table), f"a request waits for {table}")

    migrate(database, steps)


def _file(connection: psycopg.Connection[Any], table: str) -> str:
    """In which file a table is."""
    row = connection.execute("SELECT pg_relation_filepath(%s)", [table]).fetchone()
    assert row is not None
    return str(row[0])


def _waits(connection: psycopg.Connection[Any], table: str) -> bool:
    waiting = (
        "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = %s::regclass AND pid <> pg_backend_pid()"
    )
    return connection.execute(waiting, [table]).fetchone() is not None


def test_requests_survive_a_table_that_is_written_anew(world: World) -> None:
    with world.scratch("rewritten") as database, Crew(database, WRITERS) as crew:
        accounts = crew.each(lane.open_shop, database)
        told: dict[uuid.UUID, list[uuid.UUID]] = {
            parse_id("acct", account) or uuid.UUID(int=0): [] for account in accounts
        }
        for number, table in enumerate([*HOT, *HOT]):
            for member, account in zip(crew.members, accounts, strict=True):
                member.tell(lane.work, account, number * SHARE, SHARE)
            rewrite(database, table, number)
            for member, settled in zip(crew.members, told.values(), strict=True):
                settled += member.hear().settled
        assert {len(settled) for settled in told.values()} == {SHARE * 2 * len(HOT)}
        assert crew.ask(0, judge, told) == []
