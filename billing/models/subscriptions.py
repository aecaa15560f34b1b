"""Which plan an account has, the periods it is counted in, and what was decided about it.

``plan`` is a slug of the account's profile. Figures of a period are kept as they were when it began: editing a
plan later changes nothing that was granted.
"""

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from billing.models.history import notes_status
from config.ids import new_id, public_id

SUBSCRIPTION_TRANSITIONS: dict[str, tuple[str, ...]] = {
    "trialing": ("canceled",),
    "active": ("past_due", "paused", "canceled"),
    "past_due": ("active", "paused", "canceled"),
    "paused": ("active", "canceled"),
    "canceled": (),
}
"""Status of a subscription → where it may go; a database trigger enforces the same table."""


class Subscription(models.Model):
    """An account's plan from one moment on. Periods are counted from ``anchor``, each from it and not from the last one.

    ``next_plan`` is taken, or with ``cancel_at_end`` the plan given up, when the running period ends; until then
    either can be undone. ``paused``: the account pays per use meanwhile and the plan rests.
    """

    class Status(models.TextChoices):
        TRIALING = "trialing", "Trial"
        ACTIVE = "active", "Active"
        PAST_DUE = "past_due", "Past due"
        PAUSED = "paused", "Paused"
        CANCELED = "canceled", "Ended"

    LIVE: ClassVar = ("trialing", "active", "past_due", "paused")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, related_name="subscriptions"
    )
    plan = models.SlugField(max_length=50)
    status = models.CharField(max_length=10, choices=Status.choices)
    anchor = models.DateTimeField()
    period_ends_at = models.DateTimeField()
    next_plan = models.SlugField(max_length=50, blank=True)
    cancel_at_end = models.BooleanField(default=False)
    trial_ends_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(status__in=["trialing", "active", "past_due", "paused"]),
                name="subscription_one_live",
            ),
            models.CheckConstraint(
                condition=Q(status="canceled", ended_at__isnull=False)
                | (~Q(status="canceled") & Q(ended_at__isnull=True)),
                name="subscription_ended_when_canceled",
            ),
            models.CheckConstraint(
                condition=Q(next_plan="") | Q(cancel_at_end=False), name="subscription_one_plan_for_the_end"
            ),
        )
        indexes = (
            models.Index(
                fields=["period_ends_at"],
                condition=Q(status__in=["trialing", "active", "past_due"]),
                name="subscription_due",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="subscription_transitions",
                field="status",
                transitions=[(old, new) for old, ways in SUBSCRIPTION_TRANSITIONS.items() for new in ways],
            ),
            notes_status("'subscription'"),
        )

    def __str__(self) -> str:
        return f"{self.account_id} {self.plan} {self.status}"

    @property
    def public_id(self) -> str:
        return public_id("sub", self.id)


class SubscriptionPeriod(models.Model):
    """One period as it began: its plan, what that cost and gave (``price`` micros of cash, ``credits`` micros)."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="periods")
    number = models.PositiveIntegerField()
    plan = models.SlugField(max_length=50)
    price = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    credits = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-starts_at",)
        constraints = (
            models.UniqueConstraint(fields=["subscription", "number"], name="period_once"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="period_ends_after_start"),
            models.CheckConstraint(
                condition=Q(price__gte=0, credits__gte=0), name="period_amounts_not_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.subscription_id} #{self.number}"


class SubscriptionEvent(models.Model):
    """What was decided about a subscription, by whom and why. Its id makes asking twice one decision."""

    class Kind(models.TextChoices):
        STARTED = "started", "Started"
        RENEWED = "renewed", "Renewed"
        UPGRADED = "upgraded", "Changed at once"
        SCHEDULED = "scheduled", "Change scheduled"
        CANCELING = "canceling", "End scheduled"
        UNDONE = "undone", "Scheduled change undone"
        PAUSED = "paused", "Paused"
        RESUMED = "resumed", "Resumed"
        ENDED = "ended", "Ended"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="events")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    from_plan = models.SlugField(max_length=50, blank=True)
    to_plan = models.SlugField(max_length=50, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-id")

    def __str__(self) -> str:
        return f"{self.kind} {self.from_plan} {self.to_plan}"
