"""Auto-recharge: the rule, said as a sentence, the cards it may charge, and what it did so far."""

import re
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.current import current_account
from accounts.models import BillingAccount, User
from accounts.permissions import require
from billing.errors import InvalidRequest, Refusal
from billing.forms import AutoRechargeForm
from billing.ledger import balances
from billing.models import Payment, PaymentMethod
from billing.money_text import money_text
from billing.selectors import plans
from billing.services import auto_recharge as service
from billing.services import payment_methods
from billing.services.auto_recharge import RechargeView
from billing.templatetags.money import locale_of
from catalog import snapshot
from catalog.pricing.units import Amount
from config.ids import parse_id

ATTEMPTS = 10
SETUP_ID = re.compile(r"cs_[A-Za-z0-9_]{1,250}", re.ASCII)


@require_http_methods(["GET", "POST"])
@require("manage_billing")
def auto_recharge(request: HttpRequest) -> HttpResponse:
    """The settings; POST saves them."""
    account = current_account(request)
    if not plans.offers_recharge(account.profile):
        raise Http404("Not offered to this account")
    if request.method == "GET":
        return render(request, "billing/auto_recharge.html", _context(request, account, None))
    form = AutoRechargeForm(request.POST, locale=locale_of(request))
    if form.is_valid() and _saved(request, account, form):
        return redirect("auto_recharge")
    return render(request, "billing/auto_recharge.html", _context(request, account, form), status=422)


@require_GET
@require("manage_billing")
def recharge_sentence(request: HttpRequest) -> HttpResponse:
    """The form as it stands, said as one sentence; replaces the last one while somebody types."""
    account = current_account(request)
    form = AutoRechargeForm(request.GET, locale=locale_of(request))
    return render(request, "billing/_recharge_live.html", _context(request, account, form))


@require_POST
@require("manage_billing")
def add_card(request: HttpRequest) -> HttpResponse:
    """To Stripe's page for saving a card."""
    here = request.build_absolute_uri(reverse("auto_recharge"))
    try:
        page = payment_methods.start_setup(
            account=current_account(request),
            return_url=request.build_absolute_uri(reverse("card_saved")),
            cancel_url=here,
        )
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return redirect("auto_recharge")
    return redirect(page.url)


@require_GET
@require("manage_billing")
def card_saved(request: HttpRequest) -> HttpResponse:
    """Back from that page: takes the card over. A page that belongs to someone else changes nothing."""
    try:
        setup = request.GET.get("setup", "")
        known = SETUP_ID.fullmatch(setup)
        card = payment_methods.finish_setup(setup, current_account(request)) if known else None
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return redirect("auto_recharge")
    if card is not None:
        messages.success(request, f"{card.label} is saved and will be charged from now on.")
    else:
        messages.info(request, "No card was saved.")
    return redirect("auto_recharge")


@require_POST
@require("manage_billing")
def change_card(request: HttpRequest, card_id: str) -> HttpResponse:
    """``action``: "default" charges this card from now on, "remove" forgets it."""
    account = current_account(request)
    wanted = parse_id("pm", card_id)
    card = PaymentMethod.objects.filter(pk=wanted, account=account).first() if wanted else None
    if card is None:
        raise Http404("No such card")
    remove = request.POST.get("action") == "remove"
    try:
        if remove:
            payment_methods.remove(account=account, stripe_id=card.stripe_id)
        else:
            payment_methods.set_default(account=account, stripe_id=card.stripe_id)
    except Refusal as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(
            request, f"{card.label} {'is removed' if remove else 'will be charged from now on'}."
        )
    return redirect("auto_recharge")


def _saved(request: HttpRequest, account: BillingAccount, form: AutoRechargeForm) -> bool:
    clean = form.cleaned_data
    currency = snapshot.current().terms(account.profile).cash_currency
    cap = clean["monthly_cap"]
    try:
        service.configure(
            account=account,
            enabled=clean["enabled"],
            threshold=clean["threshold"],
            amount=Amount(clean["amount"], currency),
            monthly_cap=None if cap is None else Amount(cap, currency),
            changed_by=cast("User", request.user),
        )
    except InvalidRequest as refusal:
        for error in refusal.extra.get("errors", []):
            form.add_error(error["field"], error["message"])
        return False
    if clean["enabled"]:
        service.recharge_now(account.pk)  # as announced: below the threshold it charges at once
    messages.success(request, "Saved." if clean["enabled"] else "Auto-recharge is off.")
    return True


def _context(request: HttpRequest, account: BillingAccount, form: AutoRechargeForm | None) -> dict[str, Any]:
    terms = snapshot.current().terms(account.profile)
    view = service.of(account)
    values = (
        _values(view, locale_of(request))
        if form is None
        else {name: form[name].value() for name in form.fields}
    )
    wanted = _wanted(form, view, terms.cash_currency)
    balance = balances.of(account.pk)
    return {
        "account": account,
        "terms": terms,
        "currency": terms.cash_currency,
        "view": view,
        "values": values,
        "form": form,
        "wanted": wanted,
        "balance": balance,
        "capped": _capped(wanted, view),
        "charges_now": wanted is not None and wanted["enabled"] and balance.balance < wanted["threshold"],
        "cards": PaymentMethod.objects.filter(account=account),
        "attempts": Payment.objects.filter(account=account, purpose=Payment.Purpose.AUTO_RECHARGE)[:ATTEMPTS],
    }


def _capped(wanted: dict[str, Any] | None, view: RechargeView) -> bool:
    """Whether this month's recharges leave no room for one more under the cap as it stands in the form."""
    if wanted is None or wanted["cap"] is None:
        return False
    return bool(view.charged_this_month.micros + wanted["amount"].micros > wanted["cap"].micros)


def _values(view: RechargeView, locale: str) -> dict[str, Any]:
    """The saved settings as the fields show them."""

    def text(amount: Amount | None) -> str:
        return "" if amount is None else money_text(amount.micros, amount.unit, locale, bare=True, short=True)

    return {
        "enabled": view.enabled,
        "threshold": text(view.threshold),
        "amount": text(view.amount),
        "monthly_cap": text(view.monthly_cap),
    }


def _wanted(form: AutoRechargeForm | None, view: RechargeView, currency: str) -> dict[str, Any] | None:
    """The rule the sentence says: as typed, or as saved; None while what is typed cannot be read."""
    if form is None:
        cap, amount, threshold = view.monthly_cap, view.amount, view.threshold.micros
        enabled = view.enabled
    elif form.is_valid():
        clean = form.cleaned_data
        enabled, threshold, amount = clean["enabled"], clean["threshold"], Amount(clean["amount"], currency)
        cap = None if clean["monthly_cap"] is None else Amount(clean["monthly_cap"], currency)
    else:
        return None
    times = cap.micros // amount.micros if cap is not None and amount.micros > 0 else None
    return {"enabled": enabled, "threshold": threshold, "amount": amount, "cap": cap, "times": times}
