"""The catalog for staff: terms, plans and models are edited, published price books are read.

Prices change by publishing: open a draft, edit it, publish it. Past charges keep their version.
"""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from catalog import services, snapshot
from catalog.forms import PlanForm, PriceForm, ProfileForm
from catalog.models import AIModel, Operation, Plan, Price, PriceBook, PriceList, Profile
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
class ProfileAdmin(KeptAdmin):
    form = ProfileForm
    list_display = ("name", "slug", "cash_currency", "credit_price", "is_default")
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


@admin.register(AIModel)
class AIModelAdmin(KeptAdmin):
    list_display = ("name", "profile", "slug", "tier", "provider_cost", "active")
    list_filter = ("profile", "tier", "active")
    search_fields = ("name", "slug")
    readonly_fields = ("profile", "slug")

    def save_model(self, request: HttpRequest, obj: AIModel, form: Any, change: bool) -> None:
        """A new provider cost publishes the rates that follow it."""
        super().save_model(request, obj, form, change)
        if "provider_cost" in form.changed_data and obj.provider_cost is not None:
            for book in services.change_provider_cost(obj, obj.provider_cost):
                self.message_user(request, f"Published {book} with the rates derived again.")


@admin.register(Operation)
class OperationAdmin(KeptAdmin):
    list_display = ("name", "profile", "slug", "active")
    list_filter = ("profile", "active")
    search_fields = ("name", "slug")
    readonly_fields = ("profile", "slug")


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
            _told(self, request, lambda row=price_list: f"Opened {services.new_draft(row)}.")

    def has_draft_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("catalog.add_pricebook")


class PriceInline(TabularInline):
    """The prices of one version: editable in a draft, read-only once published."""

    model = Price
    form = PriceForm
    extra = 0
    fields = ("model", "operation", "amount", "per", "approximate", "requires", "rules")

    def _editable(self, request: HttpRequest, obj: Model | None) -> bool:
        return isinstance(obj, PriceBook) and obj.status == PriceBook.Status.DRAFT

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._editable(request, obj) and bool(super().has_add_permission(request, obj))

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._editable(request, obj) and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self._editable(request, obj) and bool(super().has_delete_permission(request, obj))

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only models and operations of the book's own profile."""
        resolver = request.resolver_match
        if resolver is not None and "object_id" in resolver.kwargs:
            profile = Profile.objects.filter(price_lists__books=resolver.kwargs["object_id"]).first()
            kwargs["queryset"] = db_field.remote_field.model.objects.filter(profile=profile, active=True)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(PriceBook)
class PriceBookAdmin(ModelAdmin):
    list_display = ("price_list", "version", "status", "effective_at", "published_at", "note")
    list_filter = ("price_list__profile", "status")
    fields = ("price_list", "version", "status", "effective_at", "published_at", "note")
    readonly_fields = ("price_list", "version", "status", "published_at")
    inlines = (PriceInline,)
    actions = ("publish", "draft_from_this")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        draft = obj is None or (isinstance(obj, PriceBook) and obj.status == PriceBook.Status.DRAFT)
        return draft and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        draft = isinstance(obj, PriceBook) and obj.status == PriceBook.Status.DRAFT
        return draft and bool(super().has_delete_permission(request, obj))

    @admin.action(description="Publish (from the draft's own date, or now)", permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[PriceBook]) -> None:
        for book in queryset:
            _told(
                self,
                request,
                lambda row=book: f"Published {services.publish(row, effective_at=row.effective_at)}.",
            )

    @admin.action(description="Open a draft with these prices", permissions=["change"])
    def draft_from_this(self, request: HttpRequest, queryset: QuerySet[PriceBook]) -> None:
        for book in queryset:
            _told(
                self,
                request,
                lambda row=book: f"Opened {services.new_draft(row.price_list, source=row)}.",
            )


def _told(page: ModelAdmin, request: HttpRequest, act: Any) -> None:
    """Do one thing and say how it went."""
    try:
        page.message_user(request, act())
    except services.CannotPublish as error:
        page.message_user(request, str(error), messages.ERROR)
