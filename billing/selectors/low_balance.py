"""When a balance counts as low: below the mark its account chose, else below its profile's."""

from typing import Final

from django.db.models import Sum

from accounts.models import BillingAccount
from billing.ledger.models import Grant
from billing.models import BalanceAlert
from catalog import snapshot
from catalog.terms import Terms

PLAN_SHARE: Final = 10
"""A plan's credits are low below a tenth of them, where the profile says nothing else."""


def usual_mark(terms: Terms, plan: str = "") -> int:
    """Below how many micros a balance is low where its account chose nothing.

    The profile's auto-recharge threshold, else the floor of its low balance, else a tenth of the plan's credits.
    """
    if terms.auto_recharge is not None:
        return terms.auto_recharge.threshold
    if terms.low_balance is not None:
        return terms.low_balance.floor
    chosen = terms.plan(plan)
    return chosen.credits // PLAN_SHARE if chosen else 0


def chosen_mark(account: BillingAccount) -> int | None:
    """The account's own mark in micros; None where it left it to its profile."""
    return BalanceAlert.objects.filter(pk=account.pk).values_list("below", flat=True).first()


def warns(account: BillingAccount) -> bool:
    """Whether a low balance means anything to the account: not where it pays later."""
    return account.mode in (BillingAccount.Mode.PREPAID, BillingAccount.Mode.SUBSCRIPTION)


def is_low(account: BillingAccount, balance: int) -> bool:
    """Whether so many micros are low for it; not for one that never had as much as the mark."""
    if not warns(account):
        return False
    own = chosen_mark(account)
    mark = usual_mark(snapshot.current().terms(account.profile), account.plan) if own is None else own
    if balance >= mark:
        return False
    ever = Grant.objects.filter(account=account).aggregate(total=Sum("amount"))["total"] or 0
    return bool(ever >= mark)
