"""What an account might owe and spend, and since when: noted by the balance row's trigger (``sql/limit_changes.sql``)."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q


class LimitChange(models.Model):
    """The limits of a balance row from ``since`` on, micros; None for ``since``: from the beginning. Append-only.

    Of accounts from before this was noted, the first row tells since when it is known.
    """

    account = models.ForeignKey(
        "accounts.BillingAccount",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    since = models.DateTimeField(null=True)
    credit_limit = models.BigIntegerField()
    spend_limit = models.BigIntegerField(null=True)

    class Meta:
        app_label = "ledger"
        indexes = (models.Index(fields=["account", "since"], name="limitchange_account"),)

    def __str__(self) -> str:
        return f"{self.account_id} since {self.since}"


def credit_limit_at(account_id: uuid.UUID, moment: datetime) -> int | None:
    """How far the account might owe at the moment, micros; None from before that was noted."""
    noted = LimitChange.objects.filter(Q(since__isnull=True) | Q(since__lte=moment), account_id=account_id)
    return noted.order_by("-id").values_list("credit_limit", flat=True).first()
