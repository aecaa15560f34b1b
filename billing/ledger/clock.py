"""The ledger's clock is the database's, so that all processes agree on what has lapsed."""

from datetime import datetime

from django.db import connection


def now() -> datetime:
    """The moment by the ledger's clock, aware UTC. Tests move it with ``SET ledger.now``."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_now()")
        moment: datetime = cursor.fetchone()[0]
    return moment
