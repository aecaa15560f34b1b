"""Looks at the books, and what was signed: staff see what was found, what to do about it, and may look again."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.paginator import InfinitePaginator

from accounts.admin import ViewOnly
from billing.models import ReconciliationRun, SigningKey, Statement
from billing.nudges import nudge
from billing.services.reconciliation import runs
from catalog.pricing.units import micros_to_text


class LookForm(forms.Form):
    """How much to look at."""

    everything = forms.TypedChoiceField(
        choices=[
            ("no", "What is new since the last look"),
            ("yes", "Everything, from each account's first row"),
        ],
        coerce=lambda chosen: chosen == "yes",
        widget=forms.RadioSelect,
        initial="no",
    )


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ViewOnly, ModelAdmin):
    """The last looks at the books. Every ten minutes at what is new, every night at everything."""

    list_display = ("requested_at", "asked", "scope", "state", "breaches", "took")
    list_filter = ("asked", "everything")
    ordering = ("-id",)
    show_full_result_count = False
    actions_list = ("look_now",)
    fields = (
        "requested_at",
        "asked",
        "scope",
        "started_at",
        "finished_at",
        "breaches",
        "findings_table",
    )
    readonly_fields = ("scope", "findings_table")

    @admin.display(description="looked at")
    def scope(self, row: ReconciliationRun) -> str:
        return "Everything" if row.everything else "What was new"

    @display(
        description="state",
        label={"In order": "success", "Broken": "danger", "Waiting": "info", "Running": "info"},
    )  # type: ignore[untyped-decorator]
    def state(self, row: ReconciliationRun) -> str:
        if row.finished_at is not None:
            return "Broken" if row.breaches else "In order"
        return "Running" if row.started_at else "Waiting"

    @admin.display(description="took")
    def took(self, row: ReconciliationRun) -> str:
        if row.started_at is None or row.finished_at is None:
            return "–"
        return f"{(row.finished_at - row.started_at).total_seconds():.1f} s"

    @admin.display(description="findings")
    def findings_table(self, row: ReconciliationRun) -> SafeString:
        """Broken promises first, each with its examples and what to do."""
        if not row.findings:
            return format_html("–")
        ordered = sorted(row.findings, key=lambda finding: finding["breaches"] == 0)
        return format_html(
            '<table class="w-full text-left">{}</table>',
            format_html_join("", "{}", ((_finding(finding),) for finding in ordered)),
        )

    def has_look_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.add_reconciliationrun")

    @action(description="Look now", url_path="look", permissions=["look"], icon="fact_check")  # type: ignore[untyped-decorator]
    def look_now(self, request: HttpRequest) -> HttpResponse:
        """Ask the worker for a look; the list shows it as soon as it is done."""
        form = LookForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            asked = runs.ask(ReconciliationRun.Asked.STAFF, everything=form.cleaned_data["everything"])
            nudge("billing.run_looks")
            messages.success(request, "The worker looks at the books now. Reload this page in a moment.")
            return redirect(reverse("admin:billing_reconciliationrun_change", args=[asked.pk]))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": "Look at the books",
            "opts": self.model._meta,
            "form": form,
        }
        return render(request, "admin/billing/look.html", context, status=422 if form.errors else 200)


def _finding(finding: dict[str, Any]) -> SafeString:
    if not finding["breaches"]:
        return format_html(
            '<tr><td class="py-1 pr-4 text-green-700 dark:text-green-400">kept</td><td class="py-1">{}</td></tr>',
            finding["promise"],
        )
    return format_html(
        '<tr class="align-top"><td class="py-2 pr-4 font-semibold text-red-600 dark:text-red-400">{} broken</td>'
        '<td class="py-2"><p class="font-semibold">{}</p><p>Found: <code>{}</code></p><p>{}</p></td></tr>',
        finding["breaches"],
        finding["promise"],
        ", ".join(finding["examples"]),
        finding["remedy"],
    )


@admin.register(Statement)
class StatementAdmin(ViewOnly, ModelAdmin):
    """Sealed months. What was signed is never changed, in the database neither."""

    list_display = (
        "account",
        "month",
        "unit",
        "opening_text",
        "closing_text",
        "transactions",
        "key",
        "created_at",
    )
    list_filter = ("month", "key")
    search_fields = ("account__name", "account__email")
    list_select_related = ("account",)
    ordering = ("-id",)
    paginator = InfinitePaginator
    show_full_result_count = False
    fields = ("account", "month", "unit", "opening_text", "closing_text", "transactions", "head_text", "content",
              "signature_text", "key", "created_at")  # fmt: skip
    readonly_fields = ("opening_text", "closing_text", "transactions", "head_text", "signature_text")

    @admin.display(description="opening")
    def opening_text(self, row: Statement) -> str:
        return micros_to_text(row.opening)

    @admin.display(description="closing")
    def closing_text(self, row: Statement) -> str:
        return micros_to_text(row.closing)

    @admin.display(description="transactions")
    def transactions(self, row: Statement) -> int:
        return row.rows

    @admin.display(description="last hash")
    def head_text(self, row: Statement) -> str:
        return bytes(row.head).hex()

    @admin.display(description="signature")
    def signature_text(self, row: Statement) -> str:
        return bytes(row.signature).hex()


@admin.register(SigningKey)
class SigningKeyAdmin(ViewOnly, ModelAdmin):
    """Public keys of statements, as they are published."""

    list_display = ("id", "public_text", "created_at")
    fields = ("id", "public_text", "created_at")
    readonly_fields = ("public_text",)

    @admin.display(description="public key")
    def public_text(self, row: SigningKey) -> str:
        return bytes(row.public).hex()
