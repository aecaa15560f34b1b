"""Answers kept for repeated requests: how long, and letting go of old ones."""

from datetime import timedelta
from typing import Final

from django.db import connection
from django.utils.timezone import now

KEPT: Final = timedelta(hours=48)
"""Twice what the API promises, so that a caller's clock does not matter."""

_FORGET_SQL: Final = """
DELETE FROM ledger_idempotencyrecord
 WHERE (owner, key) IN (SELECT owner, key FROM ledger_idempotencyrecord WHERE created_at < %s LIMIT %s)
"""


def forget_old(limit: int = 50_000) -> int:
    """Delete at most ``limit`` answers that are older than anyone may rely on; how many went."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET_SQL, [now() - KEPT, limit])
        return int(cursor.rowcount)
