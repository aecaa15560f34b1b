"""From where on a balance is low, per account: a threshold that follows its recent usage (profile ``gateway``).

Above it a request does not wait for the account's balance row; ``sql/place.sql`` says how far that can go.
"""

import uuid
from datetime import timedelta

from django.db.models import QuerySet, Sum

from accounts.models import BillingAccount
from billing.ledger import balances, clock
from billing.ledger.usage_days import UsageDay
from catalog import snapshot
from catalog.terms import LowBalance


def follow_usage() -> int:
    """Set every account's threshold by what it used within its profile's window; returns how many accounts have one."""
    followed = 0
    accounts = BillingAccount.objects.filter(status=BillingAccount.Status.ACTIVE).order_by("profile")
    for profile in accounts.values_list("profile", flat=True).distinct():
        ids = accounts.filter(profile=profile).order_by("pk").values_list("pk", flat=True)
        rule = snapshot.current().terms(profile).low_balance
        if rule is not None:
            followed += _follow(rule, ids)
        else:
            for account_id in ids.filter(balance__comfort_above__isnull=False):
                balances.set_comfort(account_id, above=None)
    return followed


def _follow(rule: LowBalance, account_ids: "QuerySet[BillingAccount, uuid.UUID]") -> int:
    since = clock.now() - timedelta(days=rule.window_days)
    used = dict(
        UsageDay.objects.filter(
            account_id__in=account_ids, kind__in=["usage", "refund"], day__gte=since.date()
        )
        .values_list("account_id")
        .annotate(used=-Sum("amount"))
    )
    followed = 0
    for account_id in account_ids:
        above = rule.threshold(max(0, used.get(account_id, 0)))
        balances.set_comfort(account_id, above=above, overshoot=rule.overshoot)
        followed += 1
    return followed
