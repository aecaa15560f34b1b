"""Closing the account: for its owner, who is erased with it, after typing its name."""

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from accounts.current import current_account
from accounts.permissions import require
from accounts.requests import signed_in
from billing.errors import Refusal
from billing.services import erasure


class CloseForm(forms.Form):
    """The account's name, typed once more."""

    typed = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "off"}), max_length=200)

    def __init__(self, data: object = None, *, name: str) -> None:
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict or None
        self.name = name
        self.fields["typed"].label = f"Type “{name}” to confirm"

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"])
        if typed != self.name:
            raise forms.ValidationError("That is not the account's name.")
        return typed


@require_http_methods(["GET", "POST"])
@require("close")
def close_account(request: HttpRequest) -> HttpResponse:
    """GET says what happens and what is in the way; POST does it, and signs out."""
    me, account = signed_in(request), current_account(request)
    stays = account.memberships.exclude(user=me).exists()
    closes = [other.name for other in erasure.closes(me) if other != account]
    form = CloseForm(request.POST if request.method == "POST" else None, name=account.name)
    if form.is_valid():
        try:
            erasure.erase(me.pk, by=me)
        except Refusal as refusal:
            form.add_error(None, refusal.detail)
        else:
            logout(request)
            closed = "Your data is deleted." if stays else "Your account is closed and your data is deleted."
            messages.success(request, closed)
            return redirect("account_login")
    context = {
        "account": account,
        "form": form,
        "obstacles": erasure.obstacles(me),
        "stays": stays,
        "closes": closes,
    }
    return render(request, "billing/close_account.html", context, status=422 if form.errors else 200)
