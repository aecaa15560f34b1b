"""What single accounts pay instead of the list: offers and price locks.

Both are agreements, so their terms never change (triggers); they are ended, and a new one is made. That
makes the price of any moment a matter of reading, and the rows their own history.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.models import BillingAccount
from catalog.models import PriceBook, bump_version
from config.ids import new_id

_STAFF: dict[str, Any] = {
    "to": settings.AUTH_USER_MODEL,
    "null": True,
    "blank": True,
    "on_delete": models.SET_NULL,
    "related_name": "+",
    "editable": False,
}


def _terms_stay() -> tuple[pgtrigger.Trigger, pgtrigger.Trigger]:
    """Nothing but how it ended may be written after it was agreed, and an end is never taken back."""
    ending = ["ended_at", "ended_by", "end_reason", "created_by"]
    return (
        pgtrigger.Protect(
            name="terms_stay", operation=pgtrigger.Update, condition=pgtrigger.AnyChange(exclude=ending)
        ),
        pgtrigger.Protect(
            name="end_stays",
            operation=pgtrigger.Update,
            condition=pgtrigger.Q(old__ended_at__isnull=False)
            & pgtrigger.Q(old__ended_at__df=pgtrigger.F("new__ended_at")),
        ),
    )


class Agreement(models.Model):
    """What offers and locks share: for whom, from when, who agreed to it and why, and how it ended."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    starts_at = models.DateTimeField(default=now, help_text="From this moment (UTC).")
    ends_at = models.DateTimeField(null=True, blank=True, help_text="Until this moment (UTC); empty: open.")
    reason = models.CharField(max_length=200, help_text="Why; staff read it later.")
    created_at = models.DateTimeField(default=now, editable=False)
    created_by = models.ForeignKey(**_STAFF)
    ended_at = models.DateTimeField(null=True, editable=False)
    ended_by = models.ForeignKey(**_STAFF)
    end_reason = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        abstract = True

    def last_moment(self) -> datetime | None:
        """When it stops: the agreed end or an earlier ending; None where it is open."""
        ends = [moment for moment in (self.ends_at, self.ended_at) if moment is not None]
        return min(ends, default=None)

    def status(self, moment: datetime) -> str:
        """``ended``, ``planned`` or ``active`` at a moment."""
        last = self.last_moment()
        if last is not None and last <= moment:
            return "ended"
        return "planned" if self.starts_at > moment else "active"


class Offer(Agreement):
    """Other prices for one account: a percentage off or a fixed price, by the quantity of a month.

    ``tiers`` is ``[{"above": 10000, "percent": "10"}, …]`` or with ``price`` in ``unit``; the highest tier
    whose ``above`` the month's quantity passes counts, 0 is always passed. The quantity is ``committed``
    where one is agreed, else what the account had accepted in the calendar month before (``OfferMonth``).
    Empty ``only_models`` or ``only_operations``
    cover all. ``Discount`` of catalog.pricing says how they add up.
    """

    account = models.ForeignKey(BillingAccount, on_delete=models.PROTECT, related_name="offers")
    name = models.CharField(max_length=80, help_text="What the customer reads on lines: Volume offer.")
    only_models = models.JSONField(default=list, blank=True)
    only_operations = models.JSONField(default=list, blank=True)
    unit = models.CharField(max_length=8)
    committed = models.PositiveIntegerField(
        null=True, blank=True, help_text="Requests a month the customer commits to; it decides the tier."
    )
    tiers = models.JSONField()

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=["account"], name="offer_account"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="offer_ends_after"
            ),
        )
        triggers = (bump_version(), *_terms_stay())

    def __str__(self) -> str:
        return f"{self.name} for {self.account}"

    def covers(self, model: str, operation: str) -> bool:
        """Whether it is for this item."""
        return (not self.only_models or model in self.only_models) and (
            not self.only_operations or operation in self.only_operations
        )

    def tier(self, quantity: int) -> tuple[Decimal, Decimal | None] | None:
        """Percent off and fixed price (or None) at so many a month; None below the first tier."""
        passed = [tier for tier in self.tiers if tier["above"] == 0 or quantity > tier["above"]]
        if not passed:
            return None
        best = max(passed, key=lambda tier: tier["above"])
        price = best.get("price")
        return Decimal(best.get("percent", "0")), None if price is None else Decimal(price)


class OfferMonth(models.Model):
    """What was counted for a month: the accepted requests of the month before. Without a commitment it decides the
    tier, with one what is missing is charged.
    """

    offer = models.ForeignKey(Offer, on_delete=models.CASCADE, related_name="months")
    month = models.DateField(help_text="First day of the calendar month (UTC) it decides.")
    quantity = models.PositiveIntegerField()
    counted_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ("-month",)
        constraints = (models.UniqueConstraint(fields=["offer", "month"], name="offermonth_once"),)
        triggers = (bump_version(), pgtrigger.Protect(name="counted_once", operation=pgtrigger.Update))

    def __str__(self) -> str:
        return f"{self.month:%B %Y}"


class PriceLock(Agreement):
    """An account keeps one version of a price list, whatever is published meanwhile."""

    account = models.ForeignKey(BillingAccount, on_delete=models.PROTECT, related_name="price_locks")
    book = models.ForeignKey(
        PriceBook, on_delete=models.PROTECT, related_name="+", verbose_name="price book version"
    )

    class Meta:
        ordering = ("-id",)
        indexes = (models.Index(fields=["account"], name="pricelock_account"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(ends_at__isnull=False, ends_at__gt=F("starts_at")), name="pricelock_has_an_end"
            ),
        )
        triggers = (bump_version(), *_terms_stay())

    def __str__(self) -> str:
        return f"{self.book} for {self.account}"
