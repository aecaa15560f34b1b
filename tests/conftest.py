"""What every test needs to know about this product's database."""

from collections.abc import Iterator, Sequence

import pytest
from django.db.backends.base.operations import BaseDatabaseOperations


@pytest.fixture(scope="session", autouse=True)
def _empty_the_ledger_between_tests() -> Iterator[None]:
    """Lets the test database be emptied after a test with real transactions.

    The ledger's triggers refuse TRUNCATE to everybody, so the flush (and nothing else) runs with triggers off.
    """
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_without_triggers(self: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        flush(self, ["SET LOCAL session_replication_role = replica", *sql_list])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_without_triggers)
        yield
