"""People whose data is gone, and what is left to tell who asked for it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from config.ids import new_id


class Erasure(models.Model):
    """One person, and the accounts nobody else was in, made nameless. ``user`` is the row that is left, a number.

    ``stripe_ids`` is all under which Stripe knew them: what it tells of these later is let go of too. ``customers`` of
    them are deleted at Stripe by ``stripe_done_at``.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="erasure")
    accounts = ArrayField(models.UUIDField(), default=list)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200, blank=True)
    customers = ArrayField(models.CharField(max_length=255), default=list)
    stripe_ids = ArrayField(models.CharField(max_length=255), default=list)
    erased_at = models.DateTimeField(default=now, editable=False)
    stripe_done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(asked_by=F("user")) | ~Q(reason=""), name="erasure_by_staff_says_why"
            ),
        )
        indexes = (GinIndex(fields=["stripe_ids"], name="erasure_stripe_ids"),)

    def __str__(self) -> str:
        return f"User {self.user_id}"
