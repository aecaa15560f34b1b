"""Adding credits: the amount and what it buys, paying, and coming back from the payment page."""

from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import now
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts.current import current_account
from accounts.models import BillingAccount, User
from accounts.permissions import require
from billing.errors import InvalidRequest, PaymentFailed, Refusal
from billing.forms import CHECKOUT, TopUpForm, new_request_key
from billing.ledger import balances
from billing.models import Payment, PaymentMethod
from billing.money_text import money_text
from billing.services import topups
from billing.services.validity import good_until, paid_expiry
from billing.templatetags.money import locale_of
from billing.views.htmx import wants_part
from catalog import snapshot
from catalog.pricing.units import Amount
from catalog.terms import Terms
from config.ids import parse_id

POLLS = 30
"""How often the return page asks, every two seconds, before it says that it takes longer."""


@dataclass(frozen=True, slots=True)
class Deal:
    """What an amount buys. ``credits`` in micros of the account's unit; None while no amount can be read."""

    cash: Amount
    credits: int
    card: PaymentMethod | None


@require_http_methods(["GET", "POST"])
@require("pay")
def add_credits(request: HttpRequest) -> HttpResponse:
    """The form as a page, or as a dialog for htmx; POST pays."""
    account = current_account(request)
    terms = snapshot.current().terms(account.profile)
    cards = _cards(account, terms)
    if request.method == "GET":
        start = {"preset": str(_usual(terms)), **request.GET.dict()}
        return _page(request, account, _form(request, terms, cards, start), cards)
    form = _form(request, terms, cards, request.POST)
    cash = form.cash
    if cash is None or form.errors:
        return _page(request, account, form, cards, status=422)
    if form.cleaned_data["shown"] != str(cash):
        return _page(request, account, form, cards, changed=True)
    return _pay(request, account, form, cards, cash)


@require_GET
@require("pay")
def credits_quote(request: HttpRequest) -> HttpResponse:
    """What the form as it stands would buy; replaces the summary and the words on the button while somebody types."""
    account = current_account(request)
    terms = snapshot.current().terms(account.profile)
    cards = _cards(account, terms)
    form = _form(request, terms, cards, request.GET)
    context = _context(request, account, form, cards) | {"live": True}
    return render(request, "billing/_credits_quote.html", context)


@require_GET
@require("view")
def topup_return(request: HttpRequest) -> HttpResponse:
    """Back from the payment page: asks until the payment is posted. Opening it credits nothing by itself."""
    payment = _own_payment(request)
    done = topups.complete(payment.pk)
    return render(request, "billing/return.html", _return_context(request, done, polls=0))


@require_GET
@require("view")
def topup_status(request: HttpRequest) -> HttpResponse:
    """The part of the return page that is asked for every two seconds."""
    payment = _own_payment(request)
    text = request.GET.get("polls", "")
    polls = min(int(text), POLLS) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    done = topups.complete(payment.pk)
    return render(request, "billing/_return.html", _return_context(request, done, polls=polls + 1))


def _pay(
    request: HttpRequest, account: BillingAccount, form: TopUpForm, cards: list[PaymentMethod], cash: Amount
) -> HttpResponse:
    method = next((card for card in cards if card.public_id == form.method), None)
    options: dict[str, Any] = {
        "account": account,
        "cash": cash,
        "return_url": request.build_absolute_uri(reverse("topup_return")),
        "created_by": cast("User", request.user),
        "request_key": str(form.cleaned_data["request_key"] or new_request_key()),
    }
    try:
        if method is not None:
            payment = topups.charge_saved_card(method=method, **options)
        else:
            cancel_url = request.build_absolute_uri(reverse("add_credits"))
            payment = topups.start(cancel_url=cancel_url, **options)
    except PaymentFailed as refusal:
        return _page(request, account, form, cards, status=422, declined=refusal.detail)
    except InvalidRequest as refusal:
        form.add_error("amount", refusal.detail)
        return _page(request, account, form, cards, status=422)
    except Refusal as refusal:
        return _page(request, account, form, cards, status=422, declined=refusal.detail)
    return _onward(request, payment)


def _onward(request: HttpRequest, payment: Payment) -> HttpResponse:
    """To the payment page, to the bank, or, when it is paid already, to the overview."""
    if payment.status == Payment.Status.SUCCEEDED:
        amount = money_text(payment.credits, payment.unit, locale_of(request))
        messages.success(request, f"{amount} added.")
        target = reverse("overview")
    else:
        target = payment.checkout_url or f"{reverse('topup_return')}?payment={payment.public_id}"
    return HttpResponseClientRedirect(target) if wants_part(request) else redirect(target)


def _form(request: HttpRequest, terms: Terms, cards: list[PaymentMethod], data: Any) -> TopUpForm:
    return TopUpForm(data, terms=terms, locale=locale_of(request), cards=[card.public_id for card in cards])


def _cards(account: BillingAccount, terms: Terms) -> list[PaymentMethod]:
    """Cards that can be charged here and now; where tax is worked out per sale, only the payment page can."""
    if terms.tax.collected_by != "none":
        return []
    moment = now()
    cards = PaymentMethod.objects.filter(account=account)
    return [card for card in cards if not card.expired_at(moment)]


def _usual(terms: Terms) -> int:
    """The amount chosen at first: auto-recharge's, where it is one of the presets, else the second preset."""
    presets = terms.topup.presets or (terms.topup.min,)
    if terms.auto_recharge is not None and terms.auto_recharge.amount in presets:
        return terms.auto_recharge.amount
    return presets[min(1, len(presets) - 1)]


def _page(
    request: HttpRequest,
    account: BillingAccount,
    form: TopUpForm,
    cards: list[PaymentMethod],
    *,
    status: int = 200,
    declined: str = "",
    changed: bool = False,
) -> HttpResponse:
    context = _context(request, account, form, cards) | {"declined": declined, "changed": changed}
    if not wants_part(request):
        name = "add_credits"
    elif request.method == "GET":
        name = "_credits_dialog"
    else:
        name = "_credits_form"
    return render(request, f"billing/{name}.html", context, status=status)


def _context(
    request: HttpRequest, account: BillingAccount, form: TopUpForm, cards: list[PaymentMethod]
) -> dict[str, Any]:
    terms = form.terms
    cash = form.cash
    inside = cash is not None and terms.topup.min <= cash.micros <= terms.topup.max
    own = form.data.get("amount", "")
    return {
        "account": account,
        "form": form,
        "terms": terms,
        "currency": terms.cash_currency,
        "presets": [
            (micros, not own and form.data.get("preset") == str(micros)) for micros in terms.topup.presets
        ],
        "own_amount": own,
        "cards": [(card, card.public_id == form.method) for card in cards],
        "pays_at_checkout": form.method == CHECKOUT,
        "deal": _deal(account, form, cards, cash) if cash is not None and inside else None,
        "out_of_range": cash is not None and not inside,
        "balance": balances.of(account.pk),
        "good_until": paid_expiry(account.profile, now()),
        "good_now": good_until(account),
        "request_key": new_request_key(),
    }


def _deal(account: BillingAccount, form: TopUpForm, cards: list[PaymentMethod], cash: Amount) -> Deal:
    card = next((card for card in cards if card.public_id == form.method), None)
    return Deal(cash, form.terms.credits_for(cash, account.unit), card)


def _own_payment(request: HttpRequest) -> Payment:
    """The payment the URL names, of the account in view. Raises Http404 for anyone else's."""
    payment_id = parse_id("pay", request.GET.get("payment", ""))
    account = current_account(request)
    payment = Payment.objects.filter(pk=payment_id, account=account).first() if payment_id else None
    if payment is None:
        raise Http404("No such payment")
    return payment


def _return_context(request: HttpRequest, payment: Payment, polls: int) -> dict[str, Any]:
    statuses = Payment.Status
    waiting = payment.status in (statuses.SUBMITTED, statuses.UNKNOWN, statuses.CREATED)
    return {
        "account": payment.account,
        "payment": payment,
        "credits": Amount(payment.credits, payment.unit),
        "balance": balances.of(payment.account_id),
        "state": "late" if waiting and polls >= POLLS else "waiting" if waiting else payment.status,
        "polls": polls,
    }
