"""Payments, what went back, auto-recharge and saved cards: staff look, and may ask Stripe again. Nothing is
edited.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import action, display

from accounts.admin import ViewOnly
from accounts.models import User
from billing.admin.amounts import Amounts
from billing.admin.deciding import Decision, ReasonForm, page
from billing.gateways.protocol import GatewayError
from billing.models import AutoRecharge, Payment, PaymentMethod, Reversal
from billing.money_text import money_text
from billing.services import payments, refunds
from catalog.pricing.units import from_minor, micros_to_text

STATUS_LABELS = {
    "created": "info",
    "submitted": "info",
    "unknown": "warning",
    "requires_action": "warning",
    "succeeded": "success",
    "failed": "danger",
    "quarantined": "danger",
}


class ReversalInline(Amounts, ViewOnly, TabularInline):
    model = Reversal
    extra = 0
    fields = ("kind", "stripe_id", "status", "reason", "cash_minor", "withdrawn", "created_at")
    readonly_fields = ("created_at",)
    micros = ("withdrawn",)
    minor = ("cash_minor",)


@admin.register(Payment)
class PaymentAdmin(Amounts, ViewOnly, ModelAdmin):
    """Every attempt to take money. Quarantined ones need a person: refund at Stripe, or adjust with a
    reason.
    """

    list_display = (
        "public_id",
        "account",
        "shown_status",
        "purpose",
        "route",
        "cash_text",
        "card",
        "created_at",
    )
    list_filter = ("status", "purpose", "route", "currency")
    search_fields = ("stripe_intent_id", "stripe_checkout_id", "stripe_charge_id", "account__email")
    list_select_related = ("account",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    inlines = (ReversalInline,)
    actions = ("ask_stripe",)
    micros = ("credits",)
    minor = ("cash_minor", "tax_minor")
    exclude = ("success_url", "cancel_url", "action_url")
    actions_detail = ("refund_unused",)

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ledger.add_transaction")

    @action(description="Refund what is unused", url_path="refund", permissions=["decide"])  # type: ignore[untyped-decorator]
    def refund_unused(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Within the profile's days: the unused part goes back, and its credits are taken."""
        payment = get_object_or_404(Payment.objects.select_related("account"), pk=object_id)
        found = refunds.refundable(payment)
        intro = "Nothing of this purchase can be refunded any more."
        if found is not None and found.may_ask:
            cash = from_minor(found.cash_minor, payment.currency)
            intro = (
                f"{cash} {payment.currency} go back to the card, and {micros_to_text(found.micros)} {payment.unit} that "
                f"are unused are taken. It is possible until {found.until:%Y-%m-%d %H:%M} UTC."
            )

        def decide(asked: dict[str, Any], staff: User) -> str:
            row = refunds.ask(payment.pk, by=staff, because=asked["reason"])
            done = refunds.carry_out(row.pk, by=staff, reason=asked["reason"])
            return f"{done.cash} {payment.currency}: {done.get_status_display().lower()}."

        return page(
            request,
            self,
            Decision(
                title=f"Refund of {payment.public_id}",
                intro=intro,
                button="Refund",
                back=reverse("admin:billing_payment_change", args=[payment.pk]),
                form=ReasonForm(request.POST or None),
                decide=decide,
            ),
        )

    @display(description="status", ordering="status", label=STATUS_LABELS)  # type: ignore[untyped-decorator]
    def shown_status(self, payment: Payment) -> str:
        return payment.status

    @admin.display(description="amount", ordering="cash_minor")
    def cash_text(self, payment: Payment) -> str:
        return f"{payment.cash} {payment.currency}"

    @admin.action(description="Ask Stripe where it stands", permissions=["view"])
    def ask_stripe(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        """Finish what Stripe has an answer to; credits are given as anywhere else, once."""
        for payment in queryset[:50]:
            try:
                status = payments.refresh(payment.pk).status
                self.message_user(request, f"{payment.public_id}: {status}")
            except GatewayError as error:
                self.message_user(request, f"{payment.public_id}: {error}", messages.ERROR)


@admin.register(Reversal)
class ReversalAdmin(Amounts, ViewOnly, ModelAdmin):
    """Refunds and disputes as Stripe has them, and the credits they took back."""

    list_display = ("stripe_id", "kind", "status", "payment", "cash_text", "withdrawn_text", "created_at")
    list_filter = ("kind", "status")
    search_fields = ("stripe_id", "payment__account__email")
    micros = ("withdrawn",)
    minor = ("cash_minor",)
    list_select_related = ("payment",)

    @admin.display(description="amount", ordering="cash_minor")
    def cash_text(self, reversal: Reversal) -> str:
        return f"{from_minor(reversal.cash_minor, reversal.payment.currency)} {reversal.payment.currency}"

    @admin.display(description="credits taken back", ordering="withdrawn")
    def withdrawn_text(self, reversal: Reversal) -> str:
        return money_text(reversal.withdrawn, reversal.payment.unit)


@admin.register(AutoRecharge)
class AutoRechargeAdmin(Amounts, ViewOnly, ModelAdmin):
    """The customer's own setting; support sees why nothing is charged."""

    list_display = (
        "account",
        "enabled",
        "threshold_text",
        "amount_text",
        "failures",
        "pause_reason",
        "next_attempt_at",
    )
    list_filter = ("enabled", "pause_reason")
    micros = ("threshold",)
    minor = ("amount_minor", "monthly_cap_minor")
    search_fields = ("account__email", "account__name")
    list_select_related = ("account",)

    @admin.display(description="below")
    def threshold_text(self, settings: AutoRecharge) -> str:
        return money_text(settings.threshold, settings.account.unit)

    @admin.display(description="buys")
    def amount_text(self, settings: AutoRecharge) -> str:
        return f"{from_minor(settings.amount_minor, settings.currency)} {settings.currency}"


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ViewOnly, ModelAdmin):
    """Saved cards as the customer sees them."""

    list_display = ("label", "account", "expiry", "is_default", "created_at")
    search_fields = ("account__email", "stripe_id", "last4")
    list_select_related = ("account",)

    @admin.display(description="expires")
    def expiry(self, method: PaymentMethod) -> str:
        return f"{method.exp_month:02d}/{method.exp_year}"
