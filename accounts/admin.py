"""What staff see and may do about people, accounts and keys. What money depends on is read-only here."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from accounts import invitations, keys
from accounts.models import ApiKey, BillingAccount, Invitation, Membership, User
from config.ids import parse_id

# Staff sign in like everybody, with the rate limits and second factor that entails.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
# A second factor's row holds its secret; it is managed by its owner only.
for model in (Authenticator, EmailAddress, Group, UserSession):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class ViewOnly:
    """Nothing is added, edited or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class KeptAdmin(ModelAdmin):
    """Rows are opened by sign-up and services and never deleted by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class EmailAddressInline(ViewOnly, TabularInline):
    model = EmailAddress
    extra = 0
    fields = ("email", "verified", "primary")


class UserMembershipInline(ViewOnly, TabularInline):
    model = Membership
    extra = 0
    fields = ("account", "role", "created_at")
    readonly_fields = ("created_at",)
    show_change_link = True


class AccountMembershipInline(UserMembershipInline):
    fields = ("user", "role", "created_at")


class ApiKeyInline(ViewOnly, TabularInline):
    model = ApiKey
    fk_name = "account"
    extra = 0
    fields: tuple[str, ...] = ("name", "shown", "created_at", "last_used_at", "expires_at", "revoked_at")
    readonly_fields: tuple[str, ...] = ("shown", "created_at")
    show_change_link = True

    @admin.display(description="key")
    def shown(self, key: ApiKey) -> str:
        return f"{key.prefix}…{key.last4}"


@admin.register(User)
class UserAdmin(KeptAdmin):
    """People. Passwords are reset by mail; who may do what in the admin is changed by superusers only."""

    list_display = ("email", "name", "company", "is_staff", "is_active", "date_joined", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active")
    search_fields = ("email", "name", "company")
    ordering = ("-date_joined",)
    inlines = (EmailAddressInline, UserMembershipInline)
    fieldsets = (
        (None, {"fields": ("email", "name", "company", "timezone", "locale", "is_active")}),
        ("Administration", {"fields": ("is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Times", {"fields": ("date_joined", "last_login")}),
    )
    filter_horizontal = ("groups", "user_permissions")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        always = ("email", "date_joined", "last_login")
        if getattr(request.user, "is_superuser", False):
            return always
        return (*always, "is_staff", "is_superuser", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only superusers change superusers."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (
            obj is None or not obj.is_superuser or getattr(request.user, "is_superuser", False)
        )


@admin.register(BillingAccount)
class BillingAccountAdmin(KeptAdmin):
    """Billing accounts. Profile, plan, mode and unit decide what things cost, so no form changes them."""

    list_display = ("name", "public_id", "email", "profile", "plan", "mode", "status", "created_at")
    list_filter = ("profile", "plan", "mode", "status")
    search_fields = ("name", "email", "stripe_customer_id", "memberships__user__email")
    search_help_text = "Name, e-mail, member's e-mail, account id or Stripe customer"
    ordering = ("-created_at",)
    inlines: tuple[type[TabularInline], ...] = (AccountMembershipInline, ApiKeyInline)
    fields = (
        "name",
        "email",
        "public_id",
        "profile",
        "plan",
        "mode",
        "unit",
        "status",
        "stripe_customer_id",
        "opened_for",
        "created_at",
    )
    readonly_fields = fields[2:]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[BillingAccount], search_term: str
    ) -> tuple[QuerySet[BillingAccount], bool]:
        """An id is found as customers and the API write it: ``acct_…``."""
        if (account_id := parse_id("acct", search_term.strip())) is not None:
            return queryset.filter(pk=account_id), False
        found: tuple[QuerySet[BillingAccount], bool]
        found = super().get_search_results(request, queryset, search_term)
        return found


@admin.register(Membership)
class MembershipAdmin(ViewOnly, ModelAdmin):
    list_display = ("account", "user", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("account", "user")
    search_fields = ("account__name", "user__email")


@admin.register(Invitation)
class InvitationAdmin(ViewOnly, ModelAdmin):
    list_display = ("email", "account", "role", "invited_by", "created_at", "expires_at", "accepted_at")
    list_filter = ("role",)
    list_select_related = ("account", "invited_by")
    search_fields = ("email", "account__name")
    fields = ("email", "account", "role", "invited_by", "created_at", "expires_at", "accepted_at")
    actions = ("revoke",)

    @admin.action(description="Revoke the selected invitations", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Invitation]) -> None:
        chosen = list(queryset.filter(accepted_at=None))
        for invitation in chosen:
            invitations.revoke(invitation)
            self.log_deletions(request, [invitation])
        messages.success(request, f"{len(chosen)} invitations revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.delete_invitation")


@admin.register(ApiKey)
class ApiKeyAdmin(ViewOnly, ModelAdmin):
    """Keys by name, prefix and last digits. The digest is shown nowhere."""

    list_display = (
        "name",
        "prefix",
        "last4",
        "kind",
        "account",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = ("kind", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("account",)
    search_fields = ("name", "prefix", "last4", "account__name")
    fields = (*list_display, "created_by", "replaces")
    actions = ("revoke",)

    @admin.action(description="Revoke the selected keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        chosen = list(queryset.filter(revoked_at=None))
        for key in chosen:
            keys.revoke(key)
            self.log_change(request, key, "Revoked")
        messages.success(request, f"{len(chosen)} keys revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_apikey")


@admin.register(Group)
class GroupAdmin(ModelAdmin):
    """Sets of permissions for staff."""

    search_fields = ("name",)
    filter_horizontal = ("permissions",)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "permissions":
            kwargs["queryset"] = db_field.remote_field.model.objects.select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, **kwargs)
