"""Limits of single API keys: how much one key may spend, decided in the hold's own transaction (``sql/place.sql``)."""

import uuid

from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from billing.ledger import clock
from billing.ledger.models import Charge, KeyLimit
from billing.ledger.post import lock


@transaction.atomic
def set_limit(
    *, api_key_id: uuid.UUID, account_id: uuid.UUID, monthly: int | None, budget: int | None
) -> KeyLimit | None:
    """Limit a key to ``monthly`` micros per calendar month (UTC) and ``budget`` in all; both None takes its limits away.

    What the key has spent before in the account's unit counts from the start. Raises NoSuchAccount.
    """
    unit = lock(account_id)[account_id].unit
    if monthly is None and budget is None:
        KeyLimit.objects.filter(pk=api_key_id).delete()
        return None
    month = clock.now().date().replace(day=1)
    limit, is_new = KeyLimit.objects.update_or_create(
        api_key_id=api_key_id,
        defaults={"account_id": account_id, "monthly": monthly, "budget": budget},
    )
    if is_new:
        limit.month = month
        limit.accepted = _accepted(account_id, api_key_id, Q(unit=unit))
        limit.month_accepted = _accepted(account_id, api_key_id, Q(unit=unit, authorized_at__date__gte=month))
        limit.save()
    return limit


def of(account_id: uuid.UUID) -> dict[uuid.UUID, KeyLimit]:
    """The account's limited keys."""
    return {limit.api_key_id: limit for limit in KeyLimit.objects.filter(account_id=account_id)}


def _accepted(account_id: uuid.UUID, api_key_id: uuid.UUID, when: Q) -> int:
    """What the key's charges come to: held while open, then their cost less what was given back."""
    charges = Charge.objects.filter(when, account_id=account_id, api_key_id=api_key_id)
    total = charges.aggregate(total=Sum(Coalesce(F("cost"), F("amount")) - F("refunded")))["total"]
    return int(total or 0)
