"""Invoices of our own: staff say that one was paid, with the bank's reference, or that it is void, with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin import ViewOnly
from accounts.models import User
from billing.admin.amounts import Amounts
from billing.admin.deciding import Decision, ReasonForm, page
from billing.models import ClosedMonth, Invoice, InvoiceLine
from billing.money_text import money_text
from billing.services import invoicing
from catalog.pricing.units import micros_to_text

STATUS_LABELS = {"open": "warning", "paid": "success", "void": "info"}


class PaidForm(ReasonForm):
    """How it was paid."""

    reference = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        max_length=120,
        help_text="The bank's reference; the customer sees it.",
    )
    field_order = ("reference", "reason", "nonce")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields["reason"].required = False
        self.fields["reason"].label = "remark"


class LineInline(ViewOnly, TabularInline):
    model = InvoiceLine
    extra = 0
    fields = ("position", "description", "model", "operation", "quantity", "amount_text")
    readonly_fields = ("amount_text",)

    @admin.display(description="amount")
    def amount_text(self, line: InvoiceLine) -> str:
        return money_text(line.amount, line.invoice.unit)


@admin.register(Invoice)
class InvoiceAdmin(Amounts, ViewOnly, ModelAdmin):
    """What accounts owe under which number. Figures never change; an invoice is paid or void."""

    list_display = ("number_text", "account", "shown_status", "due_text", "issued_at", "due_at", "reference")
    list_filter = ("status", "currency", "unit")
    search_fields = ("=number", "account__name", "account__email", "reference")
    list_select_related = ("account",)
    show_full_result_count = False
    micros = ("total",)
    minor = ("due_minor",)
    inlines = (LineInline,)
    actions_detail = ("mark_paid", "make_void")

    @display(description="status", ordering="status", label=STATUS_LABELS)  # type: ignore[untyped-decorator]
    def shown_status(self, invoice: Invoice) -> str:
        return invoice.status

    @admin.display(description="amount due", ordering="due_minor")
    def due_text(self, invoice: Invoice) -> str:
        return f"{invoice.due} {invoice.currency}"

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("billing.change_invoice")

    @action(description="Mark as paid", url_path="paid", permissions=["decide"])  # type: ignore[untyped-decorator]
    def mark_paid(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The money is there; the account's credit limit follows."""
        invoice = get_object_or_404(Invoice, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            invoicing.mark_paid(invoice.pk, reference=asked["reference"], reason=asked["reason"], by=staff)
            return f"{invoice.number_text} is paid."

        intro = (
            f"{invoice.number_text} of {invoice.name}: {invoice.due} {invoice.currency}. Its being paid "
            f"counts for the account's credit limit."
        )
        return page(
            request,
            self,
            Decision(
                title=f"{invoice.number_text} was paid",
                intro=intro,
                button="Mark as paid",
                back=_back(invoice),
                form=PaidForm(request.POST or None),
                decide=decide,
            ),
        )

    @action(description="Void", url_path="void", permissions=["decide"])  # type: ignore[untyped-decorator]
    def make_void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The invoice was wrong: what it was for is on the balance again, and on the next one."""
        invoice = get_object_or_404(Invoice, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            invoicing.void(invoice.pk, reason=asked["reason"], by=staff)
            return f"{invoice.number_text} is void."

        intro = (
            f"{invoice.number_text} of {invoice.name} keeps its number. {micros_to_text(invoice.total)} "
            f"{invoice.unit} go back onto the balance as owed, and onto the next invoice."
        )
        return page(
            request,
            self,
            Decision(
                title=f"Void {invoice.number_text}",
                intro=intro,
                button="Void",
                back=_back(invoice),
                form=ReasonForm(request.POST or None),
                decide=decide,
            ),
        )


@admin.register(ClosedMonth)
class ClosedMonthAdmin(ViewOnly, ModelAdmin):
    """Months that are closed, with the invoice they came to."""

    list_display = ("account", "month", "invoice", "closed_at")
    search_fields = ("account__name", "account__email")
    list_select_related = ("account", "invoice")
    show_full_result_count = False


def _back(invoice: Invoice) -> str:
    return reverse("admin:billing_invoice_change", args=[invoice.pk])
