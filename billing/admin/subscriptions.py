"""Plans by period, changes of mode and credit limits: staff look; what they decide they decide on the account's balance."""

from django.contrib import admin
from unfold.admin import ModelAdmin, TabularInline
from unfold.decorators import display

from accounts.admin import ViewOnly
from billing.admin.amounts import Amounts
from billing.models import (
    CreditLimitDecision,
    ModeChange,
    Subscription,
    SubscriptionEvent,
    SubscriptionPeriod,
)
from billing.money_text import money_text
from catalog.pricing.units import micros_to_text

STATUS_LABELS = {"active": "success", "trialing": "info", "past_due": "danger", "paused": "warning"}


class PeriodInline(ViewOnly, TabularInline):
    model = SubscriptionPeriod
    extra = 0
    fields = ("number", "plan", "price_text", "credits_text", "starts_at", "ends_at")
    readonly_fields = ("price_text", "credits_text")

    @admin.display(description="price")
    def price_text(self, row: SubscriptionPeriod) -> str:
        return f"{micros_to_text(row.price)} {row.currency}"

    @admin.display(description="credits")
    def credits_text(self, row: SubscriptionPeriod) -> str:
        return micros_to_text(row.credits)


class EventInline(ViewOnly, TabularInline):
    model = SubscriptionEvent
    extra = 0
    fields = ("at", "kind", "from_plan", "to_plan", "reason", "by")


@admin.register(Subscription)
class SubscriptionAdmin(ViewOnly, ModelAdmin):
    """Who has which plan until when, with every period and decision."""

    list_display = (
        "public_id",
        "account",
        "plan",
        "shown_status",
        "period_ends_at",
        "next_plan",
        "cancel_at_end",
    )
    list_filter = ("status", "plan", "cancel_at_end")
    search_fields = ("account__name", "account__email")
    list_select_related = ("account",)
    show_full_result_count = False
    inlines = (PeriodInline, EventInline)

    @display(description="status", ordering="status", label=STATUS_LABELS)  # type: ignore[untyped-decorator]
    def shown_status(self, row: Subscription) -> str:
        return row.status


@admin.register(ModeChange)
class ModeChangeAdmin(ViewOnly, ModelAdmin):
    """How accounts came to pay as they do."""

    list_display = ("account", "from_mode", "to_mode", "from_unit", "to_unit", "at", "by", "reason")
    list_filter = ("to_mode",)
    search_fields = ("account__name", "account__email")
    list_select_related = ("account", "by")
    show_full_result_count = False


@admin.register(CreditLimitDecision)
class CreditLimitAdmin(Amounts, ViewOnly, ModelAdmin):
    """Every limit there was: what decided it, from which history, and until when."""

    micros = ("limit",)
    list_display = ("account", "source", "limit_text", "reason", "by", "created_at", "expires_at")
    list_filter = ("source",)
    search_fields = ("account__name", "account__email")
    list_select_related = ("account", "by")
    show_full_result_count = False

    @admin.display(description="limit", ordering="limit")
    def limit_text(self, row: CreditLimitDecision) -> str:
        return money_text(row.limit, row.account.unit)
