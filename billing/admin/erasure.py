"""Erasing a person at their request, and who was erased."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.admin import UserAdmin, ViewOnly
from accounts.models import User
from billing.admin.deciding import Decision, ReasonForm, page
from billing.models import Erasure
from billing.services import erasure

admin.site.unregister(User)


class EraseForm(ReasonForm):
    """Why, and the person's address once more, so that it is not somebody else."""

    typed = forms.CharField(widget=UnfoldAdminTextInputWidget, max_length=254, label="Their e-mail address")
    field_order = ("typed", "reason", "nonce")

    def __init__(self, data: Any, *, email: str) -> None:
        super().__init__(data)
        self.email = email
        self.fields["reason"].help_text = "It is kept, with your name. Do not name the person."

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"]).strip()
        if typed.lower() != self.email.lower():
            raise forms.ValidationError("That is not this person's address.")
        return typed


@admin.register(User)
class PersonAdmin(UserAdmin):
    """People, and erasing one."""

    actions_detail = ("erase",)

    def has_erase_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("accounts.delete_user")

    @action(description="Erase person", url_path="erase", permissions=["erase"])  # type: ignore[untyped-decorator]
    def erase(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Their data and that of accounts nobody else is in; sums stay."""
        person = get_object_or_404(User, pk=object_id)

        def decide(asked: dict[str, Any], staff: User) -> str:
            done = erasure.erase(person.pk, by=staff, reason=asked["reason"])
            many = len(done.accounts)
            return f"{done} is erased, with {many} account{'' if many == 1 else 's'}."

        decision = Decision(
            title="Erase person",
            intro=_intro(person),
            button="Erase for good",
            back=reverse("admin:accounts_user_change", args=[person.pk]),
            form=EraseForm(request.POST or None, email=person.email),
            decide=decide,
        )
        return page(request, self, decision)


@admin.register(Erasure)
class ErasureAdmin(ViewOnly, ModelAdmin):
    """Who was erased, by whom and why; done at Stripe once its customers are deleted there."""

    list_display = ("erased_at", "user_id", "asked_by", "reason", "stripe_done_at")
    list_select_related = ("asked_by",)
    show_full_result_count = False
    exclude = ("stripe_ids",)


def _intro(person: User) -> str:
    """What goes and what stays, or what is in the way."""
    if found := erasure.obstacles(person):
        return " ".join(("Before that:", *map(str, found)))
    return (
        f"{person.email}: name, addresses, sign-in, sessions, memberships and mails go, and the accounts nobody else is in"
        " are closed and made nameless, here and at Stripe. Ledger, invoices' figures and statements stay. It is for good."
    )
