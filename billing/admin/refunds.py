"""Refunds of purchases: what customers asked for, and what staff decide. The credits move in the service."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from accounts.admin import ViewOnly
from accounts.models import User
from billing.admin.amounts import Amounts
from billing.admin.deciding import Decision, ReasonForm, page
from billing.models import RefundRequest
from billing.services import refunds
from catalog.pricing.units import from_minor, micros_to_text

STATUS_LABELS = {
    "asked": "warning",
    "sent": "info",
    "done": "success",
    "declined": "danger",
    "failed": "danger",
}


@admin.register(RefundRequest)
class RefundRequestAdmin(Amounts, ViewOnly, ModelAdmin):
    """Who wants the unused part of a purchase back. Carry it out or decline it, with a reason."""

    list_display = (
        "created_at",
        "account_text",
        "shown_status",
        "cash_text",
        "payment",
        "asked_because",
        "decided_by",
    )
    list_filter = ("status",)
    search_fields = ("stripe_id", "payment__account__name", "payment__account__email")
    list_select_related = ("payment__account", "decided_by")
    show_full_result_count = False
    micros = ("withdrawn",)
    actions_detail = ("carry_out", "decline")

    @display(description="status", ordering="status", label=STATUS_LABELS)  # type: ignore[untyped-decorator]
    def shown_status(self, row: RefundRequest) -> str:
        return row.status

    @admin.display(description="account")
    def account_text(self, row: RefundRequest) -> str:
        return str(row.payment.account)

    @admin.display(description="amount", ordering="cash_minor")
    def cash_text(self, row: RefundRequest) -> str:
        return f"{row.cash} {row.payment.currency}"

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """What is refunded, declined or refused by Stripe has no buttons; one on its way may be asked for again."""
        if not request.user.has_perm("ledger.add_transaction"):
            return False
        if object_id is None or request.method == "POST":
            return True
        open_ones = RefundRequest.objects.filter(pk=object_id, status__in=("asked", "sent"))
        return open_ones.exists()

    @action(description="Carry out", url_path="carry-out", permissions=["decide"])  # type: ignore[untyped-decorator]
    def carry_out(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take what is unused now and send the money."""
        row = get_object_or_404(RefundRequest, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            done = refunds.carry_out(row.pk, by=staff, reason=asked["reason"])
            return f"{done.cash} {done.payment.currency}: {done.get_status_display().lower()}."

        return page(
            request, self, _decision(row, "Refund", _standing(row), ReasonForm(request.POST or None), decide)
        )

    @action(description="Decline", url_path="decline", permissions=["decide"])  # type: ignore[untyped-decorator]
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Nothing goes back; the customer reads why."""
        row = get_object_or_404(RefundRequest, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            refunds.decline(row.pk, by=staff, reason=asked["reason"])
            return "Declined; the customer reads why."

        intro = f"{_standing(row)} The reason stands on the customer's page."
        return page(request, self, _decision(row, "Decline", intro, ReasonForm(request.POST or None), decide))


def _standing(row: RefundRequest) -> str:
    """What would go back now, and until when it could be asked for."""
    found = refunds.refundable(row.payment)
    if found is None:
        return (
            f"{row.payment.account} asked for {row.cash} {row.payment.currency}; nothing of it can go back."
        )
    cash = from_minor(found.cash_minor, row.payment.currency)
    return (
        f"{row.payment.account} asked for {row.cash} {row.payment.currency} on {row.created_at:%Y-%m-%d}. Unused now: "
        f"{micros_to_text(found.micros)} {row.payment.unit}, for which {cash} {row.payment.currency} go back. It could be "
        f"asked for until {found.until:%Y-%m-%d %H:%M} UTC."
    )


def _decision(row: RefundRequest, button: str, intro: str, form: ReasonForm, decide: Any) -> Decision:
    back = reverse("admin:billing_refundrequest_change", args=[row.pk])
    title = f"{button} {row.cash} {row.payment.currency}"
    return Decision(title=title, intro=intro, button=button, back=back, form=form, decide=decide)
