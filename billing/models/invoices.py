"""What an account owes for work it had on credit: our own invoices, numbered without gaps, and closed months."""

from datetime import datetime, timedelta

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from billing.models.history import notes_status
from catalog.pricing.units import Amount, from_minor
from config.ids import new_id, public_id

INVOICE_TRANSITIONS: dict[str, tuple[str, ...]] = {"open": ("paid", "void"), "paid": (), "void": ()}
"""Status of an invoice → where it may go; a database trigger enforces the same table."""


class InvoiceCounter(models.Model):
    """The last number given. Its row is locked while an invoice is made, so that no number is left out."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="invoicecounter_single_row"),)

    def __str__(self) -> str:
        return str(self.last)


class Invoice(models.Model):
    """The work of a period that was had on credit. ``total`` (micros of ``unit``) is exactly the sum of its lines.

    Ledger transaction ``transaction_id`` moved it out of the balance when it was issued; ``due_minor`` is what is
    to be paid for it, in the smallest unit of ``currency``, rounded half up. Once it is paid, ``paid_transaction_id`` moved
    what was owed from receivables to the bank. Nothing but its state ever changes.
    """

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        PAID = "paid", "Paid"
        VOID = "void", "Void"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    number = models.PositiveIntegerField(unique=True)
    account = models.ForeignKey("accounts.BillingAccount", on_delete=models.PROTECT, related_name="invoices")
    status = models.CharField(max_length=4, choices=Status.choices, default=Status.OPEN)
    name = models.CharField(max_length=120)
    email = models.CharField(max_length=254)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    unit = models.CharField(max_length=8)
    total = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    due_minor = models.BigIntegerField()
    issued_at = models.DateTimeField()
    due_at = models.DateTimeField()
    transaction_id = models.UUIDField(unique=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    finished_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reference = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    void_transaction_id = models.UUIDField(null=True, blank=True, unique=True)
    paid_transaction_id = models.UUIDField(null=True, blank=True, unique=True)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["account", "ends_at"], name="invoice_period_once"),
            models.CheckConstraint(
                condition=Q(total__gt=0, due_minor__gte=0), name="invoice_amounts_positive"
            ),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="invoice_ends_after_start"),
            models.CheckConstraint(
                condition=Q(status="open", finished_at__isnull=True)
                | Q(status="paid", finished_at__isnull=False)
                | (Q(status="void", finished_at__isnull=False) & ~Q(reason="")),
                name="invoice_finished_fits",
            ),
            models.CheckConstraint(
                condition=Q(status="void", void_transaction_id__isnull=False)
                | (~Q(status="void") & Q(void_transaction_id__isnull=True)),
                name="invoice_void_is_posted",
            ),
        )
        indexes = (models.Index(fields=["due_at"], condition=Q(status="open"), name="invoice_open_due"),)
        triggers = (
            pgtrigger.FSM(
                name="invoice_transitions",
                field="status",
                transitions=[(old, new) for old, ways in INVOICE_TRANSITIONS.items() for new in ways],
            ),
            notes_status("'invoice'"),
            pgtrigger.Protect(name="invoice_is_kept", operation=pgtrigger.Delete),
            pgtrigger.Protect(
                name="invoice_figures_stay",
                operation=pgtrigger.Update,
                condition=pgtrigger.AnyChange(
                    "number", "account", "unit", "total", "currency", "due_minor", "starts_at", "ends_at"
                ),
            ),
        )

    def __str__(self) -> str:
        return self.number_text

    @property
    def public_id(self) -> str:
        return public_id("inv", self.id)

    @property
    def number_text(self) -> str:
        """``INV-000042``."""
        return f"INV-{self.number:06d}"

    @property
    def due(self) -> Amount:
        """What is to be paid."""
        return from_minor(self.due_minor, self.currency)

    @property
    def last_moment(self) -> datetime:
        """The last moment the invoice is for: ``ends_at`` itself is the next one's."""
        return self.ends_at - timedelta(microseconds=1)

    def overdue_at(self, moment: datetime) -> bool:
        return self.status == self.Status.OPEN and moment >= self.due_at


class InvoiceLine(models.Model):
    """A line: ``quantity`` requests of a model and operation, or with an empty model what was set against them."""

    invoice = models.ForeignKey(Invoice, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveIntegerField()
    model = models.CharField(max_length=80, blank=True)
    operation = models.CharField(max_length=80, blank=True)
    description = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField(null=True, blank=True)
    amount = models.BigIntegerField()

    class Meta:
        ordering = ("invoice", "position")
        constraints = (
            models.UniqueConstraint(fields=["invoice", "position"], name="invoiceline_position_once"),
        )
        triggers = (
            pgtrigger.Protect(name="invoiceline_is_kept", operation=pgtrigger.Update | pgtrigger.Delete),
        )

    def __str__(self) -> str:
        return self.description


class ClosedMonth(models.Model):
    """A calendar month (UTC) of an account that pays afterwards, and the invoice it came to, if any."""

    account = models.ForeignKey("accounts.BillingAccount", on_delete=models.PROTECT, related_name="+")
    month = models.DateField()
    invoice = models.ForeignKey(Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ("-month",)
        constraints = (models.UniqueConstraint(fields=["account", "month"], name="closedmonth_once"),)

    def __str__(self) -> str:
        return f"{self.account_id} {self.month:%Y-%m}"
