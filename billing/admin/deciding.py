"""What forms of staff decisions share: one page with what it does, a form with a reason, one button."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.models import User
from billing.errors import Refusal


class ReasonForm(forms.Form):
    """Why. ``nonce`` makes a form that is sent twice one decision."""

    reason = forms.CharField(
        widget=UnfoldAdminTextareaWidget, max_length=200, help_text="It is kept, with your name."
    )
    nonce = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A decision's page: where it goes back to, what it says, and what it does when the form is right."""

    title: str
    intro: str
    button: str
    back: str
    form: forms.Form
    decide: Callable[[dict[str, Any], User], str]
    """Carries it out and says what happened; raises Refusal."""


def page(request: HttpRequest, admin: Any, decision: Decision) -> HttpResponse:
    """Show the form, or carry the decision out and go back."""
    form = decision.form
    if request.method == "POST" and form.is_valid():
        assert isinstance(request.user, User)
        try:
            messages.success(request, decision.decide(form.cleaned_data, request.user))
            return redirect(decision.back)
        except Refusal as refusal:
            form.add_error(None, refusal.detail)
    context = {
        **admin.admin_site.each_context(request),
        "title": decision.title,
        "opts": admin.model._meta,
        "decision": decision,
        "form": form,
    }
    return render(request, "admin/billing/decide.html", context, status=422 if form.errors else 200)
