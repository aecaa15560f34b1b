"""Telling customers that a balance is low, or that nothing is left: each once, until it has recovered.

Low is below the mark the account chose, else its profile's (``usual_mark``). An account that never had as much
as the mark is not told that it is below it, nor one that pays later. While auto-recharge is about to add
credits by itself, nobody is told that they are low.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import BillingAccount
from billing.ledger import balances
from billing.models import Notice
from billing.selectors.low_balance import usual_mark
from billing.services import notices
from catalog import snapshot
from catalog.pricing.units import micros_to_text

Kind = Notice.Kind

# What stands against what is so. ``balance`` may count credits that lapsed within the last minute.
DUE_SQL: Final = """
SELECT b.account_id, mark.micros, b.balance <= 0, b.balance < mark.micros,
       NOT coalesce(r.enabled AND r.paused_at IS NULL AND coalesce(r.next_attempt_at <= now(), true), false)
  FROM ledger_balance b
  JOIN accounts_billingaccount a ON a.id = b.account_id
  JOIN unnest(%(profiles)s::text[], %(plans)s::text[], %(marks)s::bigint[]) AS usual (profile, plan, micros)
    ON usual.profile = a.profile AND usual.plan = a.plan
  LEFT JOIN billing_balancealert own ON own.account_id = b.account_id
 CROSS JOIN LATERAL (SELECT coalesce(own.below, usual.micros) AS micros) mark
  LEFT JOIN billing_autorecharge r ON r.account_id = b.account_id
  LEFT JOIN billing_notice low
    ON low.account_id = b.account_id AND low.kind = 'balance_low' AND low.ended_at IS NULL
  LEFT JOIN billing_notice depleted
    ON depleted.account_id = b.account_id AND depleted.kind = 'balance_depleted' AND depleted.ended_at IS NULL
 WHERE a.mode IN ('prepaid', 'subscription') AND a.status = 'active' AND b.is_open AND b.spend_month IS NOT NULL
   AND (b.balance <= 0 AND depleted.id IS NULL
        OR b.balance > 0 AND depleted.id IS NOT NULL
        OR b.balance >= mark.micros AND low.id IS NOT NULL
        OR b.balance < mark.micros AND low.id IS NULL
           AND mark.micros <= (SELECT sum(g.amount) FROM ledger_grant g WHERE g.account_id = b.account_id))
"""


@dataclass(frozen=True, slots=True)
class Due:
    """An account whose notices do not say any more, or not yet, what is so."""

    account_id: uuid.UUID
    mark: int
    is_depleted: bool
    is_low: bool
    tell_low: bool


def sweep() -> int:
    """Tell every account what is new about its balance; returns how many were told."""
    usual = [
        (terms.slug, plan, usual_mark(terms, plan))
        for terms in map(snapshot.current().terms, snapshot.current().profiles)
        for plan in ("", *(plan.slug for plan in terms.plans))
    ]
    profiles, plans, marks = ([row[at] for row in usual] for at in range(3))
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, {"profiles": profiles, "plans": plans, "marks": marks})
        due = [Due(*row) for row in cursor.fetchall()]
    return notices.each(due, _look)


@transaction.atomic
def _look(due: Due) -> bool:
    account = BillingAccount.objects.get(pk=due.account_id)
    if not due.is_low:
        notices.end(account, Q(kind=Kind.BALANCE_LOW))
    if not due.is_depleted:
        notices.end(account, Q(kind=Kind.BALANCE_DEPLETED))
    if not due.is_depleted and not due.is_low:
        return False
    view = balances.of(due.account_id)
    facts = {
        "unit": view.unit,
        "balance": micros_to_text(view.balance),
        "mark": micros_to_text(due.mark),
    }
    if due.is_depleted:
        notices.note(account, Kind.BALANCE_LOW, **facts)
        return notices.tell(account, Kind.BALANCE_DEPLETED, **facts)
    return due.tell_low and notices.tell(account, Kind.BALANCE_LOW, **facts)
