"""Adjustments as they were asked for: what waits for a second person, and what was decided."""

from typing import Any

from django import forms
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
from billing.models import AdjustmentRequest
from billing.money_text import money_text
from billing.services import adjustments

STATUS_LABELS = {"pending": "warning", "approved": "success", "declined": "danger", "within": "info"}


def pending_badge() -> str:
    """How many adjustments wait for somebody, for the sidebar; empty when none does."""
    return str(AdjustmentRequest.objects.filter(status="pending").count() or "")


class ApproveForm(forms.Form):
    """Nothing to fill in: the reason is that of who asked."""


@admin.register(AdjustmentRequest)
class AdjustmentRequestAdmin(Amounts, ViewOnly, ModelAdmin):
    """What staff gave and took by hand. Above the profile's limit somebody else than who asked approves or declines."""

    list_display = ("asked_at", "account", "shown_status", "amount_text", "reason", "asked_by", "decided_by")
    list_filter = ("status", "unit")
    search_fields = ("account__name", "account__email", "reason", "asked_by__email")
    list_select_related = ("account", "asked_by", "decided_by")
    show_full_result_count = False
    micros = ("micros", "approve_above")
    actions_detail = ("approve", "decline")
    fields = (
        "account", "micros", "unit", "reason", "approve_above", "status", "next_step", "asked_by", "asked_at",
        "decided_by", "decided_at", "decided_because", "transaction_id",
    )  # fmt: skip
    readonly_fields = ("next_step",)

    @display(description="status", ordering="status", label=STATUS_LABELS)  # type: ignore[untyped-decorator]
    def shown_status(self, row: AdjustmentRequest) -> tuple[str, str]:
        return row.status, row.get_status_display()

    @admin.display(description="amount", ordering="micros")
    def amount_text(self, row: AdjustmentRequest) -> str:
        return money_text(row.micros, row.unit, signed=True)

    @admin.display(description="next")
    def next_step(self, row: AdjustmentRequest) -> str:
        """Why who asked finds no buttons."""
        if row.status != AdjustmentRequest.Status.PENDING:
            return "–"
        return f"Somebody other than {row.asked_by} approves or declines it; nobody approves their own."

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may adjust may approve, but what they asked for themselves; decided ones have no buttons."""
        if not request.user.has_perm("ledger.add_transaction"):
            return False
        if object_id is None or request.method == "POST":
            return True
        waiting = AdjustmentRequest.objects.filter(pk=object_id, status="pending")
        return waiting.exclude(asked_by=request.user.pk).exists()

    @action(description="Approve", url_path="approve", permissions=["decide"])  # type: ignore[untyped-decorator]
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Post it to the ledger."""
        row = get_object_or_404(AdjustmentRequest, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            done = adjustments.approve(row.pk, by=staff)
            return f"Approved and posted: {money_text(done.micros, done.unit, signed=True)}."

        form = ApproveForm(request.POST if request.method == "POST" else None)
        return page(
            request, self, _decision(row, "Approve", f"{_standing(row)} It is posted at once.", form, decide)
        )

    @action(description="Decline", url_path="decline", permissions=["decide"])  # type: ignore[untyped-decorator]
    def decline(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Nothing is posted; who asked reads why."""
        row = get_object_or_404(AdjustmentRequest, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            adjustments.decline(row.pk, by=staff, reason=asked["reason"])
            return "Declined; nothing is posted."

        form = ReasonForm(request.POST or None)
        return page(request, self, _decision(row, "Decline", _standing(row), form, decide))


def _standing(row: AdjustmentRequest) -> str:
    """Who asked for what, and what one person may do alone."""
    verb = "give" if row.micros > 0 else "take"
    return (
        f"{row.asked_by} asked on {row.asked_at:%Y-%m-%d %H:%M} UTC to {verb} {money_text(abs(row.micros), row.unit)}"
        f" {'to' if row.micros > 0 else 'from'} {row.account}: “{row.reason}”. One person alone may"
        f" {verb} {money_text(row.approve_above, row.unit)}."
    )


def _decision(row: AdjustmentRequest, button: str, intro: str, form: forms.Form, decide: Any) -> Decision:
    back = reverse("admin:billing_adjustmentrequest_change", args=[row.pk])
    title = f"{button} {money_text(row.micros, row.unit, signed=True)}"
    return Decision(title=title, intro=intro, button=button, back=back, form=form, decide=decide)
