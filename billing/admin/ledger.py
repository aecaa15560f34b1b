"""The ledger in the admin: balances, history, grants and charges to look at; an adjustment is posted, never edited in."""

import uuid
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.paginator import InfinitePaginator
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin import ViewOnly
from accounts.models import User
from billing.admin.amounts import Amounts
from billing.admin.standing import StandingActions
from billing.errors import Refusal
from billing.ledger.models import Balance, Charge, Grant, Transaction
from billing.services.adjustments import adjust, approve_above
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import micros_to_text, parse_micros
from config.ids import public_id


class AdjustmentForm(forms.Form):
    """An amount with its sign, and why. ``nonce`` makes a form that is sent twice one adjustment."""

    amount = forms.CharField(
        widget=UnfoldAdminTextInputWidget,
        max_length=20,
        help_text="In the account's unit; negative to take credits.",
    )
    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget,
        max_length=200,
        help_text="The customer sees it in the history, which is kept for good: name nobody.",
    )
    nonce = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def clean_amount(self) -> int:
        try:
            return parse_micros(self.cleaned_data["amount"].strip())
        except InvalidAmount as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Balance)
class BalanceAdmin(StandingActions, Amounts, ViewOnly, ModelAdmin):
    """What each account has, and what staff may decide about it: an adjustment, its plan, how it pays, what it may owe."""

    list_display = ("account", "unit", "balance_text", "held_text", "next_expiry", "is_open")
    list_filter = ("unit", "is_open")
    search_fields = ("account__name", "account__email")
    list_select_related = ("account",)
    show_full_result_count = False
    micros = ("balance", "held", "credit_limit", "overdraft", "recharge_below", "spend_limit", "spend_accepted",
              "comfort_above", "comfort_share")  # fmt: skip
    exclude = ("head",)
    actions_detail = ("adjust_balance", "change_plan", "change_mode", "decide_credit_limit")

    @admin.display(description="balance", ordering="balance")
    def balance_text(self, row: Balance) -> str:
        return micros_to_text(row.balance)

    @admin.display(description="held", ordering="held")
    def held_text(self, row: Balance) -> str:
        return micros_to_text(row.held)

    def has_adjust_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ledger.add_transaction")

    @action(description="Adjust balance", url_path="adjust", permissions=["adjust"])  # type: ignore[untyped-decorator]
    def adjust_balance(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Give or take credits with a reason; posted to the ledger under the staff member's name."""
        row = get_object_or_404(Balance.objects.select_related("account"), pk=object_id)
        form = AdjustmentForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._adjusted(request, row, form):
            return redirect(reverse("admin:ledger_balance_change", args=[row.pk]))
        context: dict[str, Any] = {
            **self.admin_site.each_context(request),
            "title": f"Adjust {row.account.name}",
            "alone": micros_to_text(approve_above(row.account, row.unit)),
            "opts": self.model._meta,
            "form": form,
            "row": row,
            "balance": micros_to_text(row.balance),
            "available": micros_to_text(row.balance - row.held),
        }
        return render(request, "admin/billing/adjust.html", context, status=422 if form.errors else 200)

    def _adjusted(self, request: HttpRequest, row: Balance, form: AdjustmentForm) -> bool:
        assert isinstance(request.user, User)
        asked = form.cleaned_data
        try:
            done = adjust(
                account_id=row.pk,
                micros=asked["amount"],
                reason=asked["reason"],
                staff=request.user,
                nonce=asked["nonce"],
            )
        except Refusal as refusal:
            form.add_error("amount", refusal.detail)
            return False
        amount, alone = f"{micros_to_text(done.micros)} {done.unit}", micros_to_text(done.approve_above)
        if done.transaction_id is not None:
            posted = public_id("txn", done.transaction_id)
            messages.success(request, f"{posted} posted: {amount}. {done.reason}")
        elif done.status == done.Status.PENDING:
            messages.warning(
                request, f"{amount} is above {alone} {done.unit}: it waits for somebody else's approval."
            )
        else:
            messages.error(request, f"This adjustment was declined: {done.decided_because}")
        return True


@admin.register(Transaction)
class TransactionAdmin(Amounts, ViewOnly, ModelAdmin):
    """The history of all accounts, newest last made first. Append-only in the database too."""

    list_display = ("public_id", "account", "seq", "kind", "amount_text", "unit", "description", "created_at")
    list_filter = ("kind", "unit")
    search_fields = ("=id", "=reference", "=key")
    search_help_text = "A transaction's id, reference or business key"
    micros = ("amount", "balance_after")
    list_select_related = ("account",)
    ordering = ("-id",)
    # Ten million rows are not counted for a page of them.
    paginator = InfinitePaginator
    show_full_result_count = False

    @admin.display(description="amount", ordering="amount")
    def amount_text(self, row: Transaction) -> str:
        return micros_to_text(row.amount)

    @admin.display(description="postings")
    def postings_text(self, row: Transaction) -> str:
        lines = row.postings.order_by("line")
        return "; ".join(f"{line.ledger_account} {micros_to_text(line.amount)} {line.unit}" for line in lines)

    @admin.display(description="grants used")
    def grants_text(self, row: Transaction) -> str:
        uses = row.grant_uses.select_related("grant")
        return "; ".join(
            f"{use.grant.public_id} ({use.grant.source}) {micros_to_text(use.amount)}" for use in uses
        )

    @admin.display(description="posted by")
    def staff_text(self, row: Transaction) -> str:
        number = str(row.details.get("staff") or "")
        found = User.objects.filter(pk=number).first() if number.isdecimal() else None
        return number if found is None else found.email

    readonly_fields = ("postings_text", "grants_text", "staff_text")


@admin.register(Grant)
class GrantAdmin(Amounts, ViewOnly, ModelAdmin):
    """Credits as they came in, and what is left of them."""

    list_display = ("public_id", "account", "source", "amount_text", "remaining_text", "unit", "expires_at")
    list_filter = ("source", "is_spent", "unit")
    search_fields = ("=id", "=reference", "account__email")
    micros = ("amount", "remaining")
    list_select_related = ("account",)
    ordering = ("-id",)
    paginator = InfinitePaginator
    show_full_result_count = False

    @admin.display(description="amount", ordering="amount")
    def amount_text(self, row: Grant) -> str:
        return micros_to_text(row.amount)

    @admin.display(description="remaining", ordering="remaining")
    def remaining_text(self, row: Grant) -> str:
        return micros_to_text(row.remaining)


@admin.register(Charge)
class ChargeAdmin(Amounts, ViewOnly, ModelAdmin):
    """Every piece of work: its hold, cost, price lines and where it ran."""

    list_display = (
        "public_id",
        "account",
        "status",
        "description",
        "hold_text",
        "cost_text",
        "unit",
        "authorized_at",
    )
    list_filter = ("status", "unit", "model")
    search_fields = ("=id", "=reference")
    search_help_text = "A charge's id or the service's reference"
    micros = ("amount", "estimate", "cost", "uncollected", "refunded")
    list_select_related = ("account",)
    ordering = ("-id",)
    paginator = InfinitePaginator
    show_full_result_count = False

    @admin.display(description="hold", ordering="amount")
    def hold_text(self, row: Charge) -> str:
        return micros_to_text(row.amount)

    @admin.display(description="cost", ordering="cost")
    def cost_text(self, row: Charge) -> str:
        return "" if row.cost is None else micros_to_text(row.cost)
