"""What came in from Stripe and what must be sent: the inbox of webhooks and the outbox."""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from config.ids import new_id


class WebhookInbox(models.Model):
    """An event Stripe sent, kept until its effect is ours. Stripe's event id makes a duplicate the same row.

    ``mirror_error`` is what dj-stripe said when it could not mirror the event; money does not wait for that.
    """

    event_id = models.CharField(max_length=255, primary_key=True)
    type = models.CharField(max_length=80)
    object_id = models.CharField(max_length=255, blank=True)
    payload = models.JSONField()
    received_at = models.DateTimeField(default=now, editable=False)
    next_attempt_at = models.DateTimeField(default=now)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    mirror_error = models.TextField(blank=True)

    class Meta:
        ordering = ("-received_at",)
        verbose_name = "webhook event"
        verbose_name_plural = "webhook inbox"
        indexes = (
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(done_at__isnull=True, parked_at__isnull=True),
                name="inbox_due",
            ),
            models.Index(
                fields=["parked_at"],
                condition=Q(done_at__isnull=True, parked_at__isnull=False),
                name="inbox_parked",
            ),
        )

    def __str__(self) -> str:
        return f"{self.event_id} {self.type}"


class OutboxMessage(models.Model):
    """Something to send because of what was committed with it. ``key`` makes saying it twice impossible."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=160, unique=True)
    payload = models.JSONField()
    created_at = models.DateTimeField(default=now, editable=False)
    next_attempt_at = models.DateTimeField(default=now)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    parked_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(
                fields=["next_attempt_at"],
                condition=Q(sent_at__isnull=True, parked_at__isnull=True),
                name="outbox_due",
            ),
            models.Index(
                fields=["parked_at"],
                condition=Q(sent_at__isnull=True, parked_at__isnull=False),
                name="outbox_parked",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
