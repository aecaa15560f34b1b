"""Profiles, plans, models, operations and price lists for staff."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from catalog import services, snapshot
from catalog.admin.files import ProfileFiles
from catalog.admin.pages import told
from catalog.admin.plans import PlanPages
from catalog.forms import PlanForm, ProfileForm, RowForm
from catalog.models import AIModel, Operation, Plan, PriceList, Profile
from catalog.pricing.units import micros_to_text


class KeptAdmin(ModelAdmin):
    """Rows come from profile files and stay: charges and accounts refer to them by their slugs."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(snapshot.expire)


@admin.register(Profile)
class ProfileAdmin(PlanPages, ProfileFiles, KeptAdmin):
    form = ProfileForm
    list_display = ("name", "slug", "cash_currency", "credit_price", "is_default")
    actions_detail = ("plans", "download_file", "load_file")
    fieldsets = (
        (None, {"fields": ("name", "cash_currency", "credit_price", "is_default")}),
        ("Grants", {"fields": ("welcome_bonus", "trial_enabled", "trial_amount")}),
        ("Top-ups", {"fields": ("topup_enabled", "topup_min", "topup_max", "topup_presets")}),
        ("Auto-recharge", {"fields": ("recharge_threshold", "recharge_amount")}),
        ("Expiry and refunds", {"fields": ("validity_months", "refund_window_days", "refund_approval")}),
        ("Everything else", {"fields": ("hold_ttl", "other")}),
    )

    def save_model(self, request: HttpRequest, obj: Profile, form: Any, change: bool) -> None:
        if obj.is_default:
            Profile.objects.exclude(pk=obj.pk).filter(is_default=True).update(is_default=False)
        super().save_model(request, obj, form, change)


@admin.register(Plan)
class PlanAdmin(KeptAdmin):
    form = PlanForm
    list_display = ("name", "profile", "rank", "price_text", "credits_text", "key_slots", "active", "example")
    list_filter = ("profile", "active")
    readonly_fields = ("profile", "slug")

    @admin.display(description="Price a month", ordering="price")
    def price_text(self, plan: Plan) -> str:
        return f"{micros_to_text(plan.price)} {plan.profile.cash_currency}"

    @admin.display(description="Credits a month", ordering="credits")
    def credits_text(self, plan: Plan) -> str:
        return micros_to_text(plan.credits)


class NamedAdmin(KeptAdmin):
    """Models and operations: added with a slug that stays, switched off and never deleted."""

    form = RowForm
    list_filter: tuple[str, ...] = ("profile", "active")
    search_fields = ("name", "slug")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(ModelAdmin.has_add_permission(self, request))

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return () if obj is None else ("profile", "slug")


@admin.register(AIModel)
class AIModelAdmin(NamedAdmin):
    list_display = ("name", "profile", "slug", "tier", "provider_cost", "active")
    list_filter = ("profile", "tier", "active")

    def save_model(self, request: HttpRequest, obj: AIModel, form: Any, change: bool) -> None:
        """A new provider cost publishes the rates that follow it; where it cannot, the cost stays as it was."""
        cost = obj.provider_cost
        follow = change and "provider_cost" in form.changed_data and cost is not None
        if follow:
            obj.provider_cost = form.initial["provider_cost"]
        super().save_model(request, obj, form, change)
        if not follow or cost is None:
            return
        try:
            for book in services.change_provider_cost(obj, cost):
                self.message_user(request, f"Published {book} with the rates derived again.")
        except services.CannotPublish as error:
            told(request, error)
            self.message_user(request, "The provider cost stays as it was.", messages.WARNING)


@admin.register(Operation)
class OperationAdmin(NamedAdmin):
    list_display = ("name", "profile", "slug", "active")


@admin.register(PriceList)
class PriceListAdmin(KeptAdmin):
    list_display = ("name", "profile", "unit", "modes", "markup", "round_to", "active")
    list_filter = ("profile",)
    actions = ("open_draft",)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.action(description="Open a draft of the next price book", permissions=["draft"])
    def open_draft(self, request: HttpRequest, queryset: QuerySet[PriceList]) -> None:
        for price_list in queryset:
            try:
                self.message_user(request, f"Opened {services.new_draft(price_list)}.")
            except services.CannotPublish as error:
                told(request, error)

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.add_pricebook")
