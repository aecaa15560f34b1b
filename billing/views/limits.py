"""Limits and alerts: the monthly spending limit, who hears of it, and when a balance counts as low."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts import notices
from accounts.current import current_account
from accounts.models import BillingAccount, NoticeTopic
from accounts.permissions import require
from accounts.requests import signed_in
from billing.errors import InvalidRequest
from billing.forms import LowBalanceForm, SpendingLimitForm
from billing.ledger import balances
from billing.models import SpendingLimit
from billing.money_text import money_text
from billing.selectors import keys as keys_read
from billing.selectors import limits as read
from billing.selectors import low_balance, plans
from billing.services import limits as service
from billing.templatetags.money import locale_of
from billing.views.htmx import htmx, wants_part
from catalog import snapshot


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
    typed = form.cleaned_data if form.is_valid() else None
    shown = month.with_limit(typed["limit"], typed["mode"]) if typed else month
    context = {"account": account, "month": month, "shown": shown}
    return render(request, "billing/_limits_live.html", context)


@require_POST
@require("manage_billing")
def limits_readers(request: HttpRequest) -> HttpResponse:
    """Who is written to about the limit: the ticked ones, of those who can be."""
    account = current_account(request)
    ticked = set(request.POST.getlist("reader"))
    for reader in notices.readers(account, NoticeTopic.LIMITS):
        wanted = _reader_name(reader) in ticked
        if wanted != reader.wanted:
            notices.choose(account, reader.membership, NoticeTopic.LIMITS, wanted)
    messages.success(request, "Recipients saved." if ticked else "Saved: nobody is told about limits.")
    return redirect("limits")


@require_POST
@require("manage_billing")
def limits_low_balance(request: HttpRequest) -> HttpResponse:
    """Below what the balance counts as low; empty goes back to the usual mark."""
    account = current_account(request)
    form = LowBalanceForm(request.POST, locale=locale_of(request))
    if not form.is_valid():
        return _page(request, _context(request) | {"low_form": form}, status=422)
    service.set_low_balance(account.pk, form.cleaned_data["below"])
    messages.success(request, "Saved.")
    return redirect("limits")


@require("manage_billing")
def _change(request: HttpRequest) -> HttpResponse:
    account, locale = current_account(request), locale_of(request)
    remove = request.POST.get("action") == "remove"
    form = SpendingLimitForm(request.POST, locale=locale)
    if not form.is_valid() and not remove:
        return _page(request, _context(request, form), status=422)
    limit = None if remove else form.cleaned_data["limit"]
    mode = SpendingLimit.Mode.HARD if remove else form.cleaned_data["mode"]
    if limit is not None and _unconfirmed(account, limit, mode, form.cleaned_data["confirmed"]):
        return _page(request, _context(request, form, asks=limit), status=422)
    try:
        service.set_spending_limit(account.pk, limit, mode=mode, changed_by=signed_in(request))
    except InvalidRequest as refusal:
        form.errors["limit"] = form.error_class([refusal.detail])
        return _page(request, _context(request, form), status=422)
    messages.success(request, _said(limit, mode, account, locale))
    return HttpResponseClientRedirect(reverse("limits")) if htmx(request) else redirect("limits")


def _unconfirmed(account: BillingAccount, limit: int, mode: str, confirmed: str) -> bool:
    """Whether this limit would stop the account's work at once and nobody has agreed to that yet."""
    return confirmed != str(limit) and service.stops_at_once(balances.of(account.pk), limit, mode)


def _said(limit: int | None, mode: str, account: BillingAccount, locale: str) -> str:
    if limit is None:
        return "The spending limit is removed."
    amount = money_text(limit, account.unit, locale, short=True)
    if mode == SpendingLimit.Mode.ALERT:
        return f"You are told at {amount} a month; nothing is stopped."
    return f"The spending limit is {amount} a month."


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
    value = form["limit"].value() if form is not None else _typed(request, account, proposed)
    return {
        "account": account,
        "month": month,
        "shown": month if asks is None else month.with_limit(asks, SpendingLimit.Mode.HARD),
        "form": form,
        "value": value,
        "mode": month.mode if form is None else form.shown_mode,
        "asks": asks,
        "readers": [
            (_reader_name(reader), reader) for reader in notices.readers(account, NoticeTopic.LIMITS)
        ],
        "keys": [row for row in keys_read.rows(account) if row.limit is not None and row.can_revoke],
        **_low_balance(request, account),
    }


def _low_balance(request: HttpRequest, account: BillingAccount) -> dict[str, Any]:
    """The mark in force, and the account's own; none where the account pays later."""
    if not low_balance.warns(account):
        return {"low_usual": None}
    return {
        "offers_recharge": plans.offers_recharge(account.profile),
        "low_usual": low_balance.usual_mark(snapshot.current().terms(account.profile), account.plan),
        "low_value": _typed(request, account, low_balance.chosen_mark(account)),
    }


def _typed(request: HttpRequest, account: BillingAccount, micros: int | None) -> str:
    """An amount as somebody would type it into a field; empty for none."""
    if micros is None:
        return ""
    return money_text(micros, account.unit, locale_of(request), bare=True, short=True)


def _reader_name(reader: notices.Reader) -> str:
    """How the form names a reader."""
    return "account" if reader.membership is None else str(reader.membership.pk)
