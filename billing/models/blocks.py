"""Where in a long history to look: what blocks of an account's transactions and charges have in them.

They say nothing that the ledger does not, and whatever is in no block yet is read from it row by row.
"""

from django.db import models


class HistoryBlock(models.Model):
    """``WIDTH`` of an account's transactions from ``number * WIDTH + 1`` on: the ``largest`` amount, micros without sign."""

    WIDTH = 100

    pk = models.CompositePrimaryKey("account_id", "number")
    account_id = models.UUIDField()
    number = models.BigIntegerField()
    largest = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account_id} {self.number}"


class ChargeBlock(models.Model):
    """``WIDTH`` of an account's charges, in the order of their ids: none was open before ``since`` or from ``until`` on.

    ``until`` is null while one of them is open.
    """

    WIDTH = HistoryBlock.WIDTH

    pk = models.CompositePrimaryKey("account_id", "number")
    account_id = models.UUIDField()
    number = models.BigIntegerField()
    first_id = models.UUIDField()
    last_id = models.UUIDField()
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(
                fields=["account_id"], condition=models.Q(until__isnull=True), name="chargeblock_open"
            ),
        )

    def __str__(self) -> str:
        return f"{self.account_id} {self.number}"
