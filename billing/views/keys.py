"""The API keys page: list, create, rename, limit, rotate, revoke.

Every action has its own page, which htmx shows as a dialog. A fresh key's text is in the answer to the POST
that made it and nowhere else: not in the session, not in a message, not in a log.
"""

import uuid

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from accounts import keys
from accounts.current import current_account
from accounts.errors import AccountsRefusal
from accounts.forms import ApiKeyForm, RevokeForm
from accounts.models import ApiKey
from accounts.permissions import require
from accounts.requests import signed_in
from billing.errors import Refusal
from billing.forms import KeyLimitForm
from billing.money_text import money_text
from billing.selectors import keys as selectors
from billing.services import key_limits
from billing.templatetags.money import locale_of
from config.ids import new_id, parse_id


@never_cache
@require_GET
@require("view")
def api_keys(request: HttpRequest) -> HttpResponse:
    account = current_account(request)
    context = {"rows": selectors.rows(account), "slots": selectors.slots(account), "account": account}
    return render(request, "billing/keys.html", context)


@never_cache
@sensitive_variables("text")
@require_http_methods(["GET", "POST"])
@require("manage_keys")
def create(request: HttpRequest) -> HttpResponse:
    """The form carries the new key's id, so that sending it twice makes one key."""
    form = ApiKeyForm(request.POST or None, initial={"id": new_id()})
    if request.method == "GET" or not form.is_valid():
        return _action(request, "create", {"form": form})
    if ApiKey.objects.filter(pk=form.cleaned_data["id"]).exists():
        return _done(
            request, "That key was made already. Its text is shown only once; rotate it for a new one."
        )
    account = current_account(request)
    try:
        key, text = keys.create_key(
            account=account,
            name=form.cleaned_data["name"],
            created_by=signed_in(request),
            slots=selectors.allowed(account),
            key_id=form.cleaned_data["id"],
        )
    except AccountsRefusal as refusal:
        form.add_error(None, str(refusal))
        return _action(request, "create", {"form": form})
    return _action(request, "created", {"key": key, "text": text})


@never_cache
@require_http_methods(["GET", "POST"])
@require("manage_keys")
def rename(request: HttpRequest, key_id: str) -> HttpResponse:
    """In its row for htmx, a page of its own otherwise."""
    key = _key(request, key_id)
    form = ApiKeyForm(request.POST or None, initial={"id": key.pk, "name": key.name}, auto_id=f"{key_id}_%s")
    if request.method == "POST" and form.is_valid():
        key.name = form.cleaned_data["name"]
        key.save(update_fields=["name"])
        if request.htmx:  # type: ignore[attr-defined]
            return render(request, "billing/_key_name.html", {"key": key, "saved": True})
        return _done(request, "Name saved.")
    status = 422 if form.is_bound else 200
    template = "billing/_key_rename.html" if request.htmx else "billing/keys_rename.html"  # type: ignore[attr-defined]
    return render(request, template, {"key": key, "form": form}, status=status)


@never_cache
@sensitive_variables("text")
@require_http_methods(["GET", "POST"])
@require("manage_keys")
def rotate(request: HttpRequest, key_id: str) -> HttpResponse:
    key = _key(request, key_id)
    if request.method == "GET":
        return _action(request, "rotate", {"key": key})
    try:
        successor, text = keys.rotate(key, created_by=signed_in(request))
    except AccountsRefusal as refusal:
        return _done(request, str(refusal), messages.ERROR)
    return _action(request, "created", {"key": successor, "text": text, "old": key})


@never_cache
@require_http_methods(["GET", "POST"])
@require("manage_billing")
def limit(request: HttpRequest, key_id: str) -> HttpResponse:
    """What the key may spend a month and in all; empty fields take a limit away."""
    key = _key(request, key_id)
    account, locale = current_account(request), locale_of(request)
    row = next(row for row in selectors.rows(account) if row.key.pk == key.pk)
    form = KeyLimitForm(request.POST or None, locale=locale)
    context = {"key": key, "row": row, "form": form, "account": account}
    if request.method == "GET":
        monthly, budget = (None, None) if row.limit is None else (row.limit.monthly, row.limit.budget)
        set_now = {"monthly": monthly, "budget": budget}
        return _action(request, "limit", context | {"values": _typed(set_now, account.unit, locale)})
    if not form.is_valid():
        return _action(request, "limit", context | {"values": request.POST})
    try:
        key_limits.set_limits(key, **form.cleaned_data)
    except Refusal as refusal:
        return _done(request, refusal.detail, messages.ERROR)
    return _done(request, f"The limits of “{key.name}” are saved.")


@never_cache
@require_http_methods(["GET", "POST"])
@require("manage_keys")
def revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    """The name has to be typed: a revoked key cannot be brought back."""
    key = _key(request, key_id)
    form = RevokeForm(request.POST or None, name=key.name)
    if request.method == "GET" or not form.is_valid():
        return _action(request, "revoke", {"key": key, "form": form})
    keys.revoke(key)
    return _done(request, f"“{key.name}” is revoked.")


def _key(request: HttpRequest, public_id: str) -> ApiKey:
    """A key of the account in view; anybody else's does not exist."""
    key_id: uuid.UUID | None = parse_id("key", public_id)
    key = ApiKey.objects.filter(pk=key_id, account=current_account(request)).first() if key_id else None
    if key is None:
        raise Http404("No such key")
    return key


def _typed(amounts: dict[str, int | None], unit: str, locale: str) -> dict[str, str]:
    """Amounts as somebody would type them into fields; empty for none."""
    return {
        name: "" if micros is None else money_text(micros, unit, locale, bare=True, short=True)
        for name, micros in amounts.items()
    }


def _action(request: HttpRequest, name: str, context: dict[str, object]) -> HttpResponse:
    form = context.get("form")
    refused = isinstance(form, ApiKeyForm | RevokeForm | KeyLimitForm) and bool(form.is_bound and form.errors)
    frame = "billing/keys_dialog.html" if request.htmx else "billing/keys_page.html"  # type: ignore[attr-defined]
    context = {**context, "action": name, "body": f"billing/_keys_{name}.html"}
    return render(request, frame, context, status=422 if refused else 200)


def _done(request: HttpRequest, sentence: str, level: int = messages.SUCCESS) -> HttpResponse:
    messages.add_message(request, level, sentence)
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect("/keys")
    return redirect("api_keys")
