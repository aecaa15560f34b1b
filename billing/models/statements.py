"""What can be shown to somebody who does not trust us: monthly statements, the keys that sign them, checks of the books."""

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from config.ids import new_id


class SigningKey(models.Model):
    """The public half of a key that signs statements. Kept for good: what it signed can be checked for good."""

    id = models.CharField(max_length=16, primary_key=True)
    public = models.BinaryField(max_length=32)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.id


class Statement(models.Model):
    """One account's calendar month (UTC), sealed: what it began and ended with, and the signature over that.

    ``opening`` is in ``opening_unit``: an account that is counted in another one since begins at 0 in that.
    The transactions are ``first_seq`` to ``last_seq`` (one before it in a month without any); ``head_before`` and
    ``head`` are the account's chain before and after them, so the signature over ``content`` covers every row. ``sums``
    are ``[kind, model, count, micros]``. The files are made from this and the ledger whenever somebody asks for them.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, related_name="statements", db_index=False
    )
    month = models.DateField()
    opening_unit = models.CharField(max_length=8)
    unit = models.CharField(max_length=8)
    opening = models.BigIntegerField()
    closing = models.BigIntegerField()
    first_seq = models.BigIntegerField()
    last_seq = models.BigIntegerField()
    head_before = models.BinaryField(max_length=32)
    head = models.BinaryField(max_length=32)
    sums = models.JSONField(default=list)
    content = models.TextField()
    signature = models.BinaryField(max_length=64)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("account", "-month")
        constraints = (
            models.UniqueConstraint(fields=["account", "month"], name="statement_once_a_month"),
            models.CheckConstraint(condition=Q(last_seq__gte=F("first_seq") - 1), name="statement_in_order"),
        )
        triggers = (
            pgtrigger.Protect(name="statement_sealed", operation=pgtrigger.Update | pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return f"{self.account_id} {self.month:%Y-%m}"

    @property
    def rows(self) -> int:
        return self.last_seq - self.first_seq + 1

    @property
    def is_final(self) -> bool:
        """Signed, and so never different again; a preview of the month that runs is not."""
        return bool(self.signature)


class ReconciliationRun(models.Model):
    """One look at all promises of the books. ``findings`` are those of ``services.reconciliation``, one per check."""

    class Asked(models.TextChoices):
        SCHEDULE = "schedule", "By the schedule"
        STAFF = "staff", "By staff"
        COMMAND = "command", "By command"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    asked = models.CharField("asked for", max_length=8, choices=Asked.choices)
    everything = models.BooleanField(
        help_text="All of the history; otherwise what came since it was last verified."
    )
    requested_at = models.DateTimeField(default=now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    breaches = models.BigIntegerField(default=0)
    findings = models.JSONField(default=list)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=["requested_at"], condition=Q(finished_at__isnull=True), name="reconciliation_waiting"
            ),
        )

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M}"


class ChainCheckpoint(models.Model):
    """How far an account's history has been verified, link by link; the next look starts behind it."""

    account_id = models.UUIDField(primary_key=True)
    seq = models.BigIntegerField()
    head = models.BinaryField(max_length=32)
    balance = models.BigIntegerField()
    checked_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return f"{self.account_id} #{self.seq}"
