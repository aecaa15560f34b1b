"""The monthly spending limit: what is used of it, and setting, changing and removing it."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts.current import current_account
from accounts.models import BillingAccount
from accounts.permissions import require
from billing.errors import InvalidRequest
from billing.forms import SpendingLimitForm
from billing.ledger import balances
from billing.money_text import money_text
from billing.selectors import limits as read
from billing.services import limits as service
from billing.templatetags.money import locale_of
from billing.views.htmx import htmx, wants_part


@require_http_methods(["GET", "POST"])
@require("view")
def limits(request: HttpRequest) -> HttpResponseBase:
    """The page; POST sets the limit, or with ``action=remove`` takes it away."""
    if request.method == "POST":
        return _change(request)
    return _page(request, _context(request))


@require_GET
@require("manage_billing")
def limits_preview(request: HttpRequest) -> HttpResponse:
    """The meter and the sentence for the limit as typed; as saved while that cannot be read."""
    account = current_account(request)
    month = read.of(account)
    form = SpendingLimitForm(request.GET, locale=locale_of(request))
    shown = month.with_limit(form.cleaned_data["limit"]) if form.is_valid() else month
    context = {"account": account, "month": month, "shown": shown}
    return render(request, "billing/_limits_live.html", context)


@require("manage_billing")
def _change(request: HttpRequest) -> HttpResponse:
    account, locale = current_account(request), locale_of(request)
    remove = request.POST.get("action") == "remove"
    form = SpendingLimitForm(request.POST, locale=locale)
    if not form.is_valid() and not remove:
        return _page(request, _context(request, form), status=422)
    limit = None if remove else form.cleaned_data["limit"]
    if limit is not None and _unconfirmed(account, limit, form.cleaned_data["confirmed"]):
        return _page(request, _context(request, form, asks=limit), status=422)
    try:
        service.set_spending_limit(account.pk, limit)
    except InvalidRequest as refusal:
        form.errors["limit"] = form.error_class([refusal.detail])
        return _page(request, _context(request, form), status=422)
    messages.success(request, _said(limit, account, locale))
    return HttpResponseClientRedirect(reverse("limits")) if htmx(request) else redirect("limits")


def _unconfirmed(account: BillingAccount, limit: int, confirmed: str) -> bool:
    """Whether this limit would stop the account's work at once and nobody has agreed to that yet."""
    return confirmed != str(limit) and service.stops_at_once(balances.of(account.pk), limit)


def _said(limit: int | None, account: BillingAccount, locale: str) -> str:
    if limit is None:
        return "The spending limit is removed."
    return f"The spending limit is {money_text(limit, account.unit, locale, short=True)} a month."


def _page(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    name = "_limits" if wants_part(request) else "limits"
    return render(request, f"billing/{name}.html", context, status=status)


def _context(
    request: HttpRequest, form: SpendingLimitForm | None = None, asks: int | None = None
) -> dict[str, Any]:
    """``shown`` is the month under the limit in the form; ``asks`` the limit that waits for a yes, micros."""
    account = current_account(request)
    month = read.of(account)
    proposed = month.suggested if month.limit is None else month.limit
    value = (
        form["limit"].value()
        if form is not None
        else ""
        if proposed is None
        else money_text(proposed, account.unit, locale_of(request), bare=True, short=True)
    )
    return {
        "account": account,
        "month": month,
        "shown": month if asks is None else month.with_limit(asks),
        "form": form,
        "value": value,
        "asks": asks,
    }
