"""Limits of API keys: how much a key may spend, decided in the hold's own transaction (``sql/place.sql``).

A key and those that replaced it spend the same limits: one row, under the id of the first of them.
"""

import uuid
from datetime import UTC

from django.db import transaction
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce

from accounts.models import ApiKey
from billing.ledger import clock
from billing.ledger.models import Charge, KeyLimit
from billing.ledger.post import lock


@transaction.atomic
def set_limit(
    *, api_key_id: uuid.UUID, account_id: uuid.UUID, monthly: int | None, budget: int | None
) -> KeyLimit | None:
    """Limit a key to ``monthly`` micros per calendar month (UTC) and ``budget`` in all; both None takes its limits away.

    What it and the keys it goes with have spent before in the account's unit counts from the start. Raises NoSuchAccount.
    """
    unit = lock(account_id)[account_id].unit
    first = counted_as(api_key_id)
    if monthly is None and budget is None:
        KeyLimit.objects.filter(pk=first).delete()
        return None
    limit, is_new = KeyLimit.objects.update_or_create(
        api_key_id=first,
        defaults={"account_id": account_id, "monthly": monthly, "budget": budget},
    )
    if is_new:
        month = clock.now().astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        limit.month = month.date()
        limit.accepted = _accepted(account_id, first, Q(unit=unit))
        limit.month_accepted = _accepted(account_id, first, Q(unit=unit, authorized_at__gte=month))
        limit.save()
    return limit


def of(account_id: uuid.UUID) -> dict[uuid.UUID, KeyLimit]:
    """The account's limited keys, each with the limit it spends; keys of one rotation have the same one."""
    limits = {limit.api_key_id: limit for limit in KeyLimit.objects.filter(account_id=account_id)}
    if not limits:
        return {}
    keys = ApiKey.objects.filter(account_id=account_id).values_list("pk", "limited_as")
    return {key: limits[first or key] for key, first in keys if (first or key) in limits}


def of_key(api_key_id: uuid.UUID | None) -> KeyLimit | None:
    """The limit that a key spends, if there is one."""
    return None if api_key_id is None else KeyLimit.objects.filter(pk=counted_as(api_key_id)).first()


def counted_as(api_key_id: uuid.UUID) -> uuid.UUID:
    """Under which key's id the limits of a key are counted (``ApiKey.limit_id``)."""
    first = ApiKey.objects.filter(pk=api_key_id).values_list("limited_as", flat=True).first()
    return first or api_key_id


def _accepted(account_id: uuid.UUID, first: uuid.UUID, when: Q) -> int:
    """What the charges of keys come to: held while open, then their cost less what was given back."""
    keys = ApiKey.objects.filter(Q(pk=first) | Q(limited_as=first)).values("pk")
    charges = Charge.objects.filter(when, account_id=account_id, api_key_id__in=keys)
    total = charges.aggregate(total=Sum(Coalesce(F("cost"), F("amount")) - F("refunded")))["total"]
    return int(total or 0)
