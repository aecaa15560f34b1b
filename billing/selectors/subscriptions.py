"""An account's plan as it stands: its subscription, the running period, and what is left of its credits."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Sum

from accounts.models import BillingAccount
from billing.ledger import clock
from billing.ledger.models import Grant
from billing.models import Subscription, SubscriptionPeriod
from catalog import snapshot
from catalog.terms import Plan


@dataclass(frozen=True, slots=True)
class Standing:
    """``allowance`` and ``left``: micros the period began with and what can be spent of them; ``once`` what else the
    plan gave. ``next_plan``: the one that follows at ``ends_at``; None where nothing changes.
    """

    subscription: Subscription
    plan: Plan | None
    starts_at: datetime
    ends_at: datetime
    allowance: int
    left: int
    once: int
    next_plan: Plan | None

    @property
    def used_percent(self) -> int:
        return (
            0
            if not self.allowance
            else max(0, min(100, (self.allowance - self.left) * 100 // self.allowance))
        )

    @property
    def used(self) -> int:
        return max(0, self.allowance - self.left)

    @property
    def is_trial(self) -> bool:
        return self.subscription.status == Subscription.Status.TRIALING

    @property
    def is_paused(self) -> bool:
        return self.subscription.status == Subscription.Status.PAUSED

    @property
    def ends(self) -> bool:
        """Whether the plan stops when the period ends."""
        return self.is_trial or self.subscription.cancel_at_end


def of(account: BillingAccount) -> Standing | None:
    """The subscription that has not ended; None without one."""
    row = Subscription.objects.filter(account=account, status__in=Subscription.LIVE).first()
    if row is None:
        return None
    period = SubscriptionPeriod.objects.filter(subscription=row).latest("starts_at")
    terms = snapshot.current().terms(account.profile)
    given = Grant.objects.filter(account=account, source=Grant.Source.PLAN)
    running = given.filter(is_spent=False, expires_at__gt=clock.now())
    allowance = given.filter(expires_at=row.period_ends_at).aggregate(micros=Sum("amount"))["micros"]
    return Standing(
        subscription=row,
        plan=terms.plan(row.plan),
        starts_at=period.starts_at,
        ends_at=row.period_ends_at,
        allowance=int(allowance or 0),
        left=int(running.aggregate(micros=Sum("remaining"))["micros"] or 0),
        once=int(
            given.filter(is_spent=False, expires_at=None).aggregate(micros=Sum("remaining"))["micros"] or 0
        ),
        next_plan=terms.plan(row.next_plan) if row.next_plan else None,
    )


def milliseconds(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as profile ``toon`` writes it: ``2026-05-01T00:00:00.000Z``."""
    moment = moment.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def body(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    """What ``GET /v1/balance`` says of the plan, from the columns STANDING_SQL reads."""
    if kept is None:
        return None
    starts_at, ends_at = (
        datetime.fromisoformat(kept[name]).astimezone(UTC) for name in ("starts_at", "ends_at")
    )
    return {
        "plan": kept["plan"],
        "status": kept["status"],
        "current_period_start": starts_at.isoformat().replace("+00:00", "Z"),
        "current_period_end": ends_at.isoformat().replace("+00:00", "Z"),
        "next_plan": kept["next_plan"] or None,
        "cancel_at_period_end": kept["cancel_at_end"],
    }
