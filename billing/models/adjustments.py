"""Corrections by staff as they were asked for: who, how much and why, and above the limit, who else approved."""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from billing.models.history import notes_status
from config.ids import new_id

ADJUSTMENT_TRANSITIONS: dict[str, tuple[str, ...]] = {
    "pending": ("approved", "declined"),
    "approved": (),
    "declined": (),
    "within": (),
    "earlier": (),
}
"""Status of an adjustment → where it may go; a database trigger enforces the same table."""

_POSTED = ("within", "approved", "earlier")


class AdjustmentRequest(models.Model):
    """``micros`` of ``unit`` to be given (positive) or taken (negative) by hand, once per ``nonce``.

    ``approve_above`` is the profile's limit at the moment of asking: up to it the adjustment is posted at once
    (``within``), above it it is ``pending`` until somebody else than ``asked_by`` decides. Whatever is posted has its
    ledger transaction in ``transaction_id``. ``earlier``: posted before there were limits.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "Needs approval"
        APPROVED = "approved", "Approved"
        DECLINED = "declined", "Declined"
        WITHIN = "within", "Within the limit"
        EARLIER = "earlier", "Before limits"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, related_name="adjustments"
    )
    nonce = models.UUIDField(unique=True, editable=False)
    micros = models.BigIntegerField("amount")
    unit = models.CharField(max_length=8)
    reason = models.CharField(max_length=200)
    approve_above = models.BigIntegerField("limit then")
    status = models.CharField(max_length=8, choices=Status.choices)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_at = models.DateTimeField(default=now)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    decided_because = models.CharField(max_length=200, blank=True)
    transaction_id = models.UUIDField(null=True, unique=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~Q(micros=0), name="adjustment_of_something"),
            models.CheckConstraint(
                condition=Q(asked_by__isnull=True)
                | Q(decided_by__isnull=True)
                | ~Q(asked_by=F("decided_by")),
                name="adjustment_approved_by_another",
            ),
            models.CheckConstraint(
                condition=Q(status__in=_POSTED, transaction_id__isnull=False)
                | Q(status__in=("pending", "declined"), transaction_id__isnull=True),
                name="adjustment_posted_fits",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("approved", "declined"),
                    asked_by__isnull=False,
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                )
                | Q(
                    status__in=("pending", "within", "earlier"),
                    decided_by__isnull=True,
                    decided_at__isnull=True,
                ),
                name="adjustment_decided_fits",
            ),
            models.CheckConstraint(
                condition=~Q(status="within")
                | Q(micros__lte=F("approve_above"), micros__gte=-F("approve_above")),
                name="adjustment_alone_within_limit",
            ),
            models.CheckConstraint(
                condition=~Q(status="declined") | ~Q(decided_because=""), name="adjustment_declined_says_why"
            ),
        )
        indexes = (models.Index(fields=["id"], condition=Q(status="pending"), name="adjustment_pending"),)
        triggers = (
            pgtrigger.FSM(
                name="adjustment_transitions",
                field="status",
                transitions=[(old, new) for old, ways in ADJUSTMENT_TRANSITIONS.items() for new in ways],
            ),
            notes_status("'adjustment'"),
            pgtrigger.Protect(name="adjustment_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="adjustment_asked_stays",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(
                    "account", "nonce", "micros", "unit", "reason", "approve_above", "asked_by", "asked_at"
                ),
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_status_display()}: {self.reason}"
