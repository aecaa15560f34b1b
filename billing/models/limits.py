"""What a customer wants to be stopped or told at: the monthly spending limit, and the mark of a low balance."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now


class SpendingLimit(models.Model):
    """The account's monthly limit as it was chosen: ``amount`` micros of its unit, and what happens there.

    A hard limit also sits on the ledger's balance row, where authorize reserves it; that row is what counts.
    One that only alerts is here alone, so that no request is ever refused for it.
    """

    class Mode(models.TextChoices):
        HARD = "hard", "Stops requests"
        ALERT = "alert", "Alert only"

    account = models.OneToOneField(
        "accounts.BillingAccount", on_delete=models.PROTECT, primary_key=True, related_name="spending_limit"
    )
    mode = models.CharField(max_length=5, choices=Mode.choices)
    amount = models.BigIntegerField()
    updated_at = models.DateTimeField(default=now)
    """Since when the limit holds, by the ledger's clock: what was accepted before was measured by another one."""
    updated_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(amount__gte=0), name="spendinglimit_not_negative"),)

    def __str__(self) -> str:
        return f"Monthly limit, {self.get_mode_display().lower()}"


class BalanceAlert(models.Model):
    """Below how many micros an account wants to hear that its balance is low; without a row its profile's mark.

    0: only when nothing is left.
    """

    account = models.OneToOneField(
        "accounts.BillingAccount", on_delete=models.PROTECT, primary_key=True, related_name="balance_alert"
    )
    below = models.BigIntegerField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(below__gte=0), name="balancealert_not_negative"),)

    def __str__(self) -> str:
        return "Mark of a low balance"
