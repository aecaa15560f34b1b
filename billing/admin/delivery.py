"""What Stripe told us and what we have to send: staff look, and may have it done again."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import now
from unfold.admin import ModelAdmin

from accounts.admin import ViewOnly
from billing import outbox
from billing.models import OutboxMessage, WebhookInbox
from billing.services import inbox


@admin.register(WebhookInbox)
class WebhookInboxAdmin(ViewOnly, ModelAdmin):
    """Stripe's events. Unfinished ones carry their error; carrying one out twice does nothing the second
    time.
    """

    list_display = (
        "event_id",
        "type",
        "object_id",
        "received_at",
        "done_at",
        "attempts",
        "parked_at",
        "mirrored",
    )
    list_filter = ("type", ("done_at", admin.EmptyFieldListFilter), ("parked_at", admin.EmptyFieldListFilter))
    search_fields = ("event_id", "object_id")
    show_full_result_count = False
    actions = ("carry_out",)

    @admin.display(boolean=True)
    def mirrored(self, row: WebhookInbox) -> bool:
        return not row.mirror_error

    @admin.action(description="Carry out again", permissions=["view"])
    def carry_out(self, request: HttpRequest, queryset: QuerySet[WebhookInbox]) -> None:
        done = 0
        for event_id in list(queryset.values_list("pk", flat=True)[:100]):
            WebhookInbox.objects.filter(pk=event_id).update(
                done_at=None, parked_at=None, attempts=0, next_attempt_at=now()
            )
            done += inbox.finish(event_id)
        self.message_user(request, f"{done} carried out.", messages.SUCCESS if done else messages.WARNING)


@admin.register(OutboxMessage)
class OutboxAdmin(ViewOnly, ModelAdmin):
    """What must be sent. Parked messages failed a dozen times and wait for a person."""

    list_display = ("kind", "key", "created_at", "sent_at", "attempts", "next_attempt_at", "parked_at")
    list_filter = ("kind", ("sent_at", admin.EmptyFieldListFilter), ("parked_at", admin.EmptyFieldListFilter))
    search_fields = ("key",)
    show_full_result_count = False
    actions = ("try_again",)

    @admin.action(description="Try again now", permissions=["view"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        """What was sent stays sent."""
        waiting = queryset.filter(sent_at__isnull=True)
        count = waiting.update(parked_at=None, attempts=0, next_attempt_at=now())
        self.message_user(request, f"{outbox.relay(count)} of {count} sent.")
