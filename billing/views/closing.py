"""Closing the account: for its owner, who is erased with it, after typing its name."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from accounts.current import current_account
from accounts.permissions import require
from accounts.requests import signed_in
from billing.errors import Refusal
from billing.services import erasure
from billing.services.closing import Obstacle, Way

PAGES: Final[dict[Way, tuple[str, str, str]]] = {
    Way.RUNNING: ("See running requests", "transactions", "#held"),
    Way.DEBT: ("Add credits", "add_credits", ""),
    Way.INVOICE: ("See invoices", "invoices", ""),
    Way.NOT_INVOICED: ("See ways to pay", "plan", ""),
    Way.PLAN: ("See the plan", "plan", ""),
    Way.BOUGHT: ("See purchases", "transactions", "?type=topups"),
    Way.SET_ASIDE: ("See ways to pay", "plan", ""),
    Way.MEMBERS: ("See the team", "team", ""),
}
"""Where each obstacle is resolved: the words of the link, the name of the page, and what follows its address."""
OWN_PAGES: Final[dict[Way, tuple[str, str]]] = {
    Way.INVOICE: ("Open the invoice", "invoices_one"),
    Way.REFUND: ("See the purchase", "transactions_story"),
    Way.DISPUTE: ("See the purchase", "transactions_story"),
}
"""The same for obstacles that name the one row they are about."""


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
        "obstacles": list(_with_links(erasure.obstacles(me), account.pk)),
        "stays": stays,
        "closes": closes,
    }
    return render(request, "billing/close_account.html", context, status=422 if form.errors else 200)


def _with_links(found: Iterable[Obstacle], here: uuid.UUID) -> Iterator[tuple[str, str, str]]:
    """Each obstacle's sentence with the words and address of where it is resolved; both empty where no page of this
    account does.
    """
    for obstacle in found:
        words, address = link(obstacle) if obstacle.account == here else ("", "")
        yield obstacle.sentence, words, address


def link(obstacle: Obstacle) -> tuple[str, str]:
    """The words and the address of the page on which the obstacle is resolved; both empty where none is."""
    way = obstacle.way
    if way == Way.PAYMENT:
        return "Open the payment", f"{reverse('topup_return')}?payment={obstacle.about}"
    if way == Way.ADJUSTMENT:
        return "Ask us", f"mailto:{settings.SUPPORT_EMAIL}"
    if obstacle.about and way in OWN_PAGES:
        words, page = OWN_PAGES[way]
        return words, reverse(page, args=[obstacle.about])
    if way in PAGES:
        words, page, rest = PAGES[way]
        return words, reverse(page) + rest
    return "", ""
