"""Telling customers some days before credits expire: once per date and number of days.

Plan credits are left out: they go with their cycle and come again with the next. A top-up that moves the
date (profile ``images``) makes it another date, with notices of its own.
"""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.conf import settings
from django.db import connection, transaction

from accounts.models import BillingAccount
from billing.models import Notice
from billing.services import notices
from catalog.pricing.units import micros_to_text

# Per account and day (UTC) what expires then, with the smallest number of days that has come and is not told yet.
DUE_SQL: Final = """
WITH going AS (
    SELECT account_id, unit, (expires_at AT TIME ZONE 'UTC')::date AS day, min(expires_at) AS first,
           sum(remaining)::bigint AS micros
      FROM ledger_grant
     WHERE NOT is_spent AND source <> 'plan'
       AND expires_at > ledger_now() AND expires_at <= ledger_now() + make_interval(days => %(most)s)
     GROUP BY 1, 2, 3
), due AS (
    SELECT going.*, (SELECT min(ahead) FROM unnest(%(days)s::int[]) AS ahead
                      WHERE first <= ledger_now() + make_interval(days => ahead)) AS ahead
      FROM going
)
SELECT due.account_id, due.unit, day, first, micros, ahead
  FROM due JOIN accounts_billingaccount a ON a.id = due.account_id AND a.status = 'active'
 WHERE NOT EXISTS (SELECT 1 FROM billing_notice n
                    WHERE n.account_id = due.account_id AND n.kind = 'grant_expiring' AND n.ended_at IS NULL
                      AND n.subject = to_char(due.day, 'YYYY-MM-DD') || ':' || due.ahead)
 ORDER BY day
"""


@dataclass(frozen=True, slots=True)
class Due:
    """Credits of one account that expire on one day, and how many days ahead that is to be said."""

    account_id: uuid.UUID
    unit: str
    day: date
    first: datetime
    micros: int
    ahead: int


def sweep() -> int:
    """Tell every account what expires soon; returns how many notices were given."""
    days = sorted(settings.EXPIRY_NOTICE_DAYS)
    if not days:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, {"days": days, "most": days[-1]})
        due = [Due(*row) for row in cursor.fetchall()]
    return notices.each(due, _tell)


@transaction.atomic
def _tell(due: Due) -> bool:
    account = BillingAccount.objects.get(pk=due.account_id)
    return notices.tell(
        account,
        Notice.Kind.GRANT_EXPIRING,
        f"{due.day:%Y-%m-%d}:{due.ahead}",
        unit=due.unit,
        amount=micros_to_text(due.micros),
        day=f"{due.day:%Y-%m-%d}",
        days=due.ahead,
    )
