"""What customers were told: one row per notice, which is also what keeps it from being sent twice."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from config.ids import new_id


class Notice(models.Model):
    """Something an account was told once. While it stands (``ended_at`` null) the same is not said again.

    ``subject`` is what it is about within its kind: ``2026-11:80`` for 80 % of November's limit,
    ``2027-05-01:7`` for credits that expire on that day in seven days; empty for the balance.
    ``recipients`` are the addresses written to: none where a later notice of the same moment said more.
    """

    class Kind(models.TextChoices):
        LIMIT_THRESHOLD = "limit_threshold", "Part of the limit used"
        LIMIT_STOPPED = "limit_stopped", "Limit stopped a request"
        KEY_LIMIT_STOPPED = "key_limit_stopped", "Key's limit stopped a request"
        BALANCE_LOW = "balance_low", "Balance low"
        BALANCE_DEPLETED = "balance_depleted", "Balance used up"
        GRANT_EXPIRING = "grant_expiring", "Credits expire soon"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey("accounts.BillingAccount", on_delete=models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject = models.CharField(max_length=80, blank=True)
    facts = models.JSONField(default=dict)
    recipients = models.JSONField(default=list)
    created_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=["account", "kind", "subject"],
                condition=Q(ended_at__isnull=True),
                name="notice_stands_once",
            ),
        )
        indexes = (models.Index(fields=["account", "-id"], name="notice_account"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
