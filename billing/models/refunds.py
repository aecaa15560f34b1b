"""Refunds of purchases that customers or staff ask for here: what is to go back, who decided, and how it ended."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from billing.models.payments import Payment
from catalog.pricing.units import Amount, from_minor
from config.ids import new_id


class RefundRequest(models.Model):
    """The unused part of a purchase is to go back, ``cash_minor`` with its tax.

    ``asked`` until somebody decides. From ``sent`` on the credits it bought are taken (``withdrawn`` micros by ledger
    transaction ``transaction_id``) and Stripe is asked until it answers; then it is ``done``, and Stripe's refund is a
    ``Reversal``. ``failed``: Stripe refused, the credits are back (``restored_id``).
    """

    class Status(models.TextChoices):
        ASKED = "asked", "Asked for"
        SENT = "sent", "On its way"
        DONE = "done", "Refunded"
        DECLINED = "declined", "Declined"
        FAILED = "failed", "Refused by Stripe"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="refund_requests")
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ASKED)
    cash_minor = models.BigIntegerField()
    withdrawn = models.BigIntegerField(default=0)
    transaction_id = models.UUIDField(null=True, unique=True)
    restored_id = models.UUIDField(null=True, unique=True)
    stripe_id = models.CharField(max_length=255, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_because = models.CharField(max_length=200, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=now)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["payment"], condition=Q(status__in=("asked", "sent")), name="refundrequest_one_open"
            ),
            models.CheckConstraint(
                condition=Q(cash_minor__gt=0, withdrawn__gte=0), name="refundrequest_amounts_positive"
            ),
            models.CheckConstraint(
                condition=Q(status__in=("asked", "declined"), transaction_id__isnull=True)
                | Q(status__in=("sent", "done"), transaction_id__isnull=False)
                | Q(status="failed", transaction_id__isnull=False, restored_id__isnull=False),
                name="refundrequest_credits_taken_once_sent",
            ),
        )

    def __str__(self) -> str:
        return f"{self.cash} {self.payment.currency}, {self.get_status_display().lower()}"

    @property
    def cash(self) -> Amount:
        """What goes back, tax included."""
        return from_minor(self.cash_minor, self.payment.currency)
