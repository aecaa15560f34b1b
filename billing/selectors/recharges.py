"""What auto-recharge has charged this calendar month (UTC), and whether its cap leaves room for more."""

import uuid
from datetime import UTC, datetime

from django.db.models import Sum

from billing.models import AutoRecharge, Payment


def charged_in_month(account_id: uuid.UUID, moment: datetime) -> int:
    """Cash of this calendar month's recharges (UTC), minor units: paid ones and those that may still be."""
    total = Payment.objects.filter(
        account_id=account_id,
        purpose=Payment.Purpose.AUTO_RECHARGE,
        status__in=[*Payment.OPEN, Payment.Status.SUCCEEDED],
        created_at__gte=month_start(moment),
    ).aggregate(total=Sum("cash_minor"))["total"]
    return int(total or 0)


def is_capped(rule: AutoRecharge, moment: datetime) -> bool:
    """Whether not even one more amount fits under the monthly cap: nothing is charged before the next month."""
    cap = rule.monthly_cap_minor
    return cap is not None and charged_in_month(rule.account_id, moment) + rule.amount_minor > cap


def month_start(moment: datetime) -> datetime:
    """Midnight UTC on the first of the moment's month."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
