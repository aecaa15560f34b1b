"""Where payments, refunds, disputes, invoices, subscriptions and adjustments stood: a row per change, by the database."""

import pgtrigger
from django.db import models
from django.utils.timezone import now


class StatusChange(models.Model):
    """One change of status: ``was`` is empty where the record began. Append-only; ``reconcile`` reads it."""

    id = models.BigAutoField(primary_key=True)
    subject = models.CharField(max_length=12)
    subject_id = models.UUIDField()
    was = models.CharField(max_length=40, blank=True)
    became = models.CharField(max_length=40)
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=["subject_id", "id"], name="statuschange_of"),)
        triggers = (
            pgtrigger.Protect(name="statuschange_kept", operation=pgtrigger.Update | pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return f"{self.was} → {self.became}" if self.was else self.became


def notes_status(subject: str) -> pgtrigger.Trigger:
    """Keeps every status of a table's rows as a ``StatusChange``; ``subject`` is an SQL expression over NEW."""
    return pgtrigger.Trigger(
        name="status_noted",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("status"),
        func=f"""
            IF TG_OP = 'INSERT' OR OLD.status <> NEW.status THEN
                INSERT INTO billing_statuschange (subject, subject_id, was, became, at)
                VALUES ({subject}, NEW.id, CASE TG_OP WHEN 'UPDATE' THEN OLD.status ELSE '' END, NEW.status, ledger_now());
            END IF;
            RETURN NULL;
        """,  # noqa: S608 - a constant of this program
    )
