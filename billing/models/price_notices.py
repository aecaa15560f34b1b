"""Announced price changes: which version is told about, and who was told what."""

from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from config.ids import new_id


class PriceAnnouncement(models.Model):
    """A version of a price list that the accounts it affects are told about, some at a time.

    ``last_account`` is how far the telling got; ``done_at`` when all were told. ``ended_at``: the version was withdrawn,
    and who had been told was told so.
    """

    book = models.OneToOneField(
        "catalog.PriceBook", on_delete=models.PROTECT, primary_key=True, related_name="announcement"
    )
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.CharField(max_length=254, blank=True)
    last_account = models.UUIDField(null=True)
    done_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "announced price change"

    def __str__(self) -> str:
        return f"{self.book} announced"


class PriceNotice(models.Model):
    """What one account was told about one version, once: what its last 30 days cost and would have cost (micros)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    announcement = models.ForeignKey(PriceAnnouncement, on_delete=models.PROTECT, related_name="notices")
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, related_name="price_notices"
    )
    unit = models.CharField(max_length=8)
    charges = models.PositiveIntegerField()
    refused = models.PositiveIntegerField(default=0)
    before = models.BigIntegerField()
    after = models.BigIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    recipients = models.JSONField(default=list)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name = "price notice"
        constraints = (
            models.UniqueConstraint(fields=["announcement", "account"], name="pricenotice_once"),
            models.CheckConstraint(condition=Q(refused__lte=F("charges")), name="pricenotice_refused_of"),
        )
        indexes = (models.Index(fields=["account", "-id"], name="pricenotice_account"),)

    def __str__(self) -> str:
        return f"{self.account_id} told of {self.announcement_id}"
