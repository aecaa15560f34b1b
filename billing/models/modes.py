"""How an account came to pay as it does: changes of mode, and what it may owe."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from config.ids import new_id


class ModeChange(models.Model):
    """One change of how an account pays. ``set_aside_id`` is the transaction that put by what was left in ``from_unit``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, related_name="mode_changes"
    )
    from_mode = models.CharField(max_length=16)
    to_mode = models.CharField(max_length=16)
    from_unit = models.CharField(max_length=8)
    to_unit = models.CharField(max_length=8)
    reason = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    set_aside_id = models.UUIDField(null=True, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=["account", "-at"], name="modechange_account"),)

    def __str__(self) -> str:
        return f"{self.from_mode} → {self.to_mode}"


class CreditLimitDecision(models.Model):
    """How far an account may owe from a moment on, and what decided it. Append-only: the newest one counts.

    ``rule``: the profile's rule by ``facts``. ``override``: a person, with a reason, until ``expires_at`` or until
    the next override or ``release``, which hands the limit back to the rule.
    """

    class Source(models.TextChoices):
        RULE = "rule", "Rule"
        OVERRIDE = "override", "Staff"
        RELEASE = "release", "Back to the rule"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, related_name="credit_limits"
    )
    source = models.CharField(max_length=8, choices=Source.choices)
    limit = models.BigIntegerField()
    facts = models.JSONField(default=dict)
    reason = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=Q(limit__gte=0), name="creditlimit_not_negative"),
            models.CheckConstraint(
                condition=Q(source="rule") | ~Q(reason=""), name="creditlimit_staff_says_why"
            ),
        )
        indexes = (models.Index(fields=["account", "-id"], name="creditlimit_account"),)

    def __str__(self) -> str:
        return f"{self.account_id} {self.source}"
