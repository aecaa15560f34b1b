"""The plan's credits of a running period: how much is left of them, ending them early, taking them along.

They are grants of source ``plan`` with an expiry, the period's end; what a plan gives once has none and is not touched.
"""

import uuid
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet, Sum

from billing.ledger import clock, grants
from billing.ledger.models import Grant
from billing.ledger.post import lock


def left(account_id: uuid.UUID, *, with_once: bool = False) -> int:
    """Micros of plan credits that can still be spent; with what a plan gave once, if asked for."""
    found = _running(account_id)
    if with_once:
        found |= _unspent(account_id).filter(expires_at__isnull=True)
    return int(found.aggregate(total=Sum("remaining"))["total"] or 0)


@transaction.atomic
def end(account_id: uuid.UUID) -> int:
    """The allowance ends now instead of with its period; returns the micros that went (kind ``reset``).

    Credits an open hold stands on stay until it ends, as at a period's end.
    """
    lock(account_id)
    _running(account_id).update(expires_at=clock.now())
    return grants.expire(account_id)


@transaction.atomic
def carry(account_id: uuid.UUID, expires_at: datetime) -> int:
    """What is left of the allowance is good until ``expires_at``; returns the micros carried along."""
    lock(account_id)
    grants.expire(account_id)
    carried = left(account_id)
    _running(account_id).update(expires_at=expires_at)
    grants.note_next_expiry(account_id)
    return carried


def _unspent(account_id: uuid.UUID) -> QuerySet[Grant]:
    return Grant.objects.filter(account_id=account_id, is_spent=False, source=Grant.Source.PLAN)


def _running(account_id: uuid.UUID) -> QuerySet[Grant]:
    return _unspent(account_id).filter(expires_at__gt=clock.now())
