"""What a plan counts by the month, as the ledger counted it."""

import uuid
from datetime import datetime

from django.db import connection


def used(account_id: uuid.UUID, scope: str, since: datetime) -> int:
    """How many of a count an account has had since a moment; what failed or was given back does not count."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_counted(%s, %s, %s)", [account_id, scope, since])
        return int(cursor.fetchone()[0])
