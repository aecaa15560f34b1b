"""Limits and notices in the admin, for themselves and on the page of the account they belong to. Customers set them."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from accounts.admin import AccountMembershipInline, ApiKeyInline, BillingAccountAdmin, ViewOnly
from accounts.models import ApiKey, NoticeChoice
from billing.ledger import clock, key_limits
from billing.ledger.models import KeyLimit
from billing.models import BalanceAlert, Notice, SpendingLimit
from billing.money_text import money_text
from catalog.pricing.units import micros_to_text


def _text(micros: int | None) -> str:
    return "–" if micros is None else micros_to_text(micros)


class SpendingLimitInline(ViewOnly, TabularInline):
    """The limit as it was chosen; a hard one counts as it is on the balance."""

    model = SpendingLimit
    extra = 0
    fields = ("mode", "amount_text", "updated_by", "updated_at")
    readonly_fields = fields

    @admin.display(description="a month")
    def amount_text(self, row: SpendingLimit) -> str:
        return micros_to_text(row.amount)


class BalanceAlertInline(ViewOnly, TabularInline):
    model = BalanceAlert
    extra = 0
    fields = ("below_text", "updated_at")
    readonly_fields = fields

    @admin.display(description="low below")
    def below_text(self, row: BalanceAlert) -> str:
        return micros_to_text(row.below)


class NoticeChoiceInline(ViewOnly, TabularInline):
    model = NoticeChoice
    extra = 0
    fields = ("topic", "membership", "wanted", "updated_at")
    readonly_fields = fields


class NoticeInline(ViewOnly, TabularInline):
    """What the account was told last."""

    model = Notice
    extra = 0
    fields = ("created_at", "kind", "subject", "told", "ended_at")
    readonly_fields = fields
    max_num = 20
    show_change_link = True

    @admin.display(description="written to")
    def told(self, row: Notice) -> str:
        return ", ".join(row.recipients) or "–"

    def get_queryset(self, request: HttpRequest) -> Any:
        """Only the rows that can still matter: a year's notices would bury the page."""
        return super().get_queryset(request).filter(ended_at=None)


class LimitedKeyInline(ApiKeyInline):
    """The account's keys with what each may spend."""

    fields = (*ApiKeyInline.fields, "may_spend")
    readonly_fields = (*ApiKeyInline.readonly_fields, "may_spend")

    @admin.display(description="may spend")
    def may_spend(self, key: ApiKey) -> str:
        row = key_limits.of_key(key.pk)
        if row is None:
            return "–"
        month = clock.now().date().replace(day=1)
        in_month = row.month_accepted if row.month == month else 0
        both = ((row.monthly, in_month, "a month"), (row.budget, row.accepted, "in all"))
        return "; ".join(
            f"{micros_to_text(spent)} of {micros_to_text(limit)} {period}"
            for limit, spent, period in both
            if limit is not None
        )


BillingAccountAdmin.inlines = (
    AccountMembershipInline,
    LimitedKeyInline,
    SpendingLimitInline,
    BalanceAlertInline,
    NoticeChoiceInline,
    NoticeInline,
)


@admin.register(SpendingLimit)
class SpendingLimitAdmin(ViewOnly, ModelAdmin):
    """Monthly limits as customers chose them."""

    list_display = ("account", "mode", "amount_text", "updated_by", "updated_at")
    fields = readonly_fields = list_display
    list_filter = ("mode",)
    list_select_related = ("account", "updated_by")
    search_fields = ("account__name", "account__email")

    @admin.display(description="a month", ordering="amount")
    def amount_text(self, row: SpendingLimit) -> str:
        return money_text(row.amount, row.account.unit)


@admin.register(KeyLimit)
class KeyLimitAdmin(ViewOnly, ModelAdmin):
    """What API keys may spend, as authorize counts it: one row for a key and those that replaced it."""

    list_display = ("key", "month", "monthly_text", "in_month", "budget_text", "in_all")
    fields = readonly_fields = list_display
    search_fields = ("=api_key_id", "=account_id")
    search_help_text = "The id of the first key of a rotation, or of its account"
    ordering = ("api_key_id",)

    @admin.display(description="API key")
    def key(self, row: KeyLimit) -> str:
        """The one in use; those it replaced spend the same limit."""
        keys = ApiKey.objects.filter(Q(pk=row.api_key_id) | Q(limited_as=row.api_key_id))
        newest = keys.select_related("account").order_by("created_at", "pk").last()
        if newest is None:
            return str(row.api_key_id)
        return f"{newest.account} · {newest}" + (f" and {n - 1} before it" if (n := keys.count()) > 1 else "")

    @admin.display(description="most a month")
    def monthly_text(self, row: KeyLimit) -> str:
        return _text(row.monthly)

    @admin.display(description="spent in the month")
    def in_month(self, row: KeyLimit) -> str:
        return _text(row.month_accepted)

    @admin.display(description="most in all")
    def budget_text(self, row: KeyLimit) -> str:
        return _text(row.budget)

    @admin.display(description="spent in all")
    def in_all(self, row: KeyLimit) -> str:
        return _text(row.accepted)


@admin.register(Notice)
class NoticeAdmin(ViewOnly, ModelAdmin):
    """What customers were told, and who was written to."""

    list_display = ("created_at", "account", "kind", "subject", "told", "ended_at")
    list_filter = ("kind", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("account__name", "account__email", "subject")
    show_full_result_count = False

    @admin.display(description="written to")
    def told(self, row: Notice) -> str:
        return ", ".join(row.recipients) or "–"
