"""Changing the plan or how the account pays: each step says what it would do before it is done.

Every step has its own page, which htmx shows as a dialog.
"""

from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.dateformat import format as date_text
from django.utils.timezone import localtime
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect

from accounts.current import current_account
from accounts.permissions import require
from accounts.requests import signed_in
from billing.errors import InvalidRequest, Refusal
from billing.forms import WayToPayForm
from billing.money_text import money_text
from billing.selectors import plans as read
from billing.selectors import subscriptions as standing
from billing.services import mode_preview, modes, plan_changes
from billing.services.modes import Asked
from billing.templatetags.money import locale_of
from billing.views.htmx import htmx
from catalog import snapshot
from config.ids import new_id, parse_id, public_id


@never_cache
@require_http_methods(["GET", "POST"])
@require("manage_billing")
def take(request: HttpRequest, plan: str) -> HttpResponse:
    """What taking a plan would do; POST takes it, where nothing has to be paid first."""
    account = current_account(request)
    try:
        shown = plan_changes.preview(account, plan)
    except InvalidRequest as unknown:
        raise Http404(unknown.detail) from unknown
    context: dict[str, Any] = {"shown": shown, "once": public_id("evt", new_id())}
    if request.method == "GET":
        return _step(request, "take", context)
    try:
        taken = plan_changes.change(
            account.pk, plan, by=signed_in(request), event_id=parse_id("evt", request.POST.get("once", ""))
        )
    except Refusal as refusal:
        return _step(request, "take", context | {"refused": refusal.detail})
    name = shown.plan.name
    if taken.next_plan == plan:
        return _done(request, f"{name} follows on {_day(taken.period_ends_at)}. Until then you can undo it.")
    return _done(request, f"You are on {name} now.")


@never_cache
@require_http_methods(["GET", "POST"])
@require("manage_billing")
def cancel(request: HttpRequest) -> HttpResponse:
    """Give the plan up when its period ends."""
    account = current_account(request)
    running = standing.of(account)
    if running is None or running.is_paused:
        raise Http404("There is no plan that runs")
    terms = snapshot.current().terms(account.profile)
    after = terms.plan(terms.default_plan) if terms.default_plan else None
    context = {"running": running, "after": after if after and after.price == 0 else None}
    if request.method == "GET":
        return _step(request, "cancel", context)
    try:
        canceled = plan_changes.cancel(account.pk, by=signed_in(request))
    except Refusal as refusal:
        return _step(request, "cancel", context | {"refused": refusal.detail})
    return _done(request, f"The plan ends on {_day(canceled.period_ends_at)}. Until then you can undo it.")


@require_POST
@require("manage_billing")
def undo(request: HttpRequest) -> HttpResponse:
    """Keep the plan after all."""
    try:
        kept = plan_changes.undo(current_account(request).pk, by=signed_in(request))
    except Refusal as refusal:
        return _done(request, refusal.detail, messages.ERROR)
    terms = snapshot.current().terms(kept.account.profile)
    plan = terms.plan(kept.plan)
    return _done(
        request, f"You keep {plan.name if plan else kept.plan}. Nothing changes at the period's end."
    )


@never_cache
@require_http_methods(["GET", "POST"])
@require("manage_billing")
def pay_by(request: HttpRequest, mode: str) -> HttpResponse:
    """What paying another way would do; POST switches."""
    account, locale = current_account(request), locale_of(request)
    try:
        shown = mode_preview.preview(account, mode)
    except InvalidRequest as unknown:
        raise Http404(unknown.detail) from unknown
    sent = request.POST if request.method == "POST" else None
    form = WayToPayForm(sent, locale=locale, asks_limit=mode == "metered")
    usual = money_text(shown.limit, shown.unit_to, locale, bare=True, short=True)
    context: dict[str, Any] = {
        "shown": shown,
        "name": read.MODES[mode][0],
        "form": form,
        "once": public_id("evt", new_id()),
        "limit_value": form["limit"].value() if form.is_bound and mode == "metered" else usual,
    }
    if request.method == "GET" or not form.is_valid():
        return _step(request, "pay", context)
    asked = Asked(
        mode=mode,
        limit=form.cleaned_data.get("limit"),
        by=signed_in(request),
        id=parse_id("evt", request.POST.get("once", "")),
    )
    try:
        modes.switch(account.pk, asked)
    except Refusal as refusal:
        return _step(request, "pay", context | {"refused": refusal.detail})
    return _done(request, f"The account pays this way now: {read.MODES[mode][0].lower()}.")


def _day(moment: Any) -> str:
    return date_text(localtime(moment), "j F Y")


def _step(request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    form = context.get("form")
    refused = bool(context.get("refused") or (form is not None and form.is_bound and form.errors))
    account = current_account(request)
    frame = "billing/plan_dialog.html" if htmx(request) else "billing/plan_step.html"
    context = {
        **context,
        "account": account,
        "step": name,
        "body": f"billing/_plan_{name}.html",
        "title": f"billing/_plan_{name}_title.html",
        "terms": snapshot.current().terms(account.profile),
        "support": settings.SUPPORT_EMAIL,
        "subject": quote(f"Plan of {account.name} ({account.public_id})"),
    }
    return render(request, frame, context, status=422 if refused else 200)


def _done(request: HttpRequest, sentence: str, level: int = messages.SUCCESS) -> HttpResponse:
    messages.add_message(request, level, sentence)
    return HttpResponseClientRedirect(reverse("plan")) if htmx(request) else redirect("plan")
