"""Monthly statements and their files, the keys that sign them, and the balance between two instants."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.utils.timezone import get_current_timezone
from django.views.decorators.http import require_GET, require_safe

from accounts.current import current_account
from accounts.permissions import require
from billing import statement_csv
from billing.forms import ChangesForm
from billing.ledger import clock
from billing.models import Statement
from billing.selectors import as_of
from billing.selectors import statements as read
from billing.selectors.usage_page import shown_name
from billing.services import signing
from billing.streaming import csv_download, pdf_download


@require_GET
@require("view")
def statements(request: HttpRequest) -> HttpResponse:
    """Every month there is, newest first."""
    account = current_account(request)
    months = read.listed(account, clock.now())
    return render(request, "billing/statements.html", {"account": account, "months": months})


@require_GET
@require("view")
def statement_csv_file(request: HttpRequest, month: str) -> HttpResponseBase:
    """The month as CSV, streamed."""
    statement = _statement(request, month)
    return csv_download(request, statement_csv.lines(statement), f"statement-{month}.csv")


@require_GET
@require("view")
def statement_pdf_file(request: HttpRequest, month: str) -> HttpResponse:
    """The month as PDF."""
    # What draws PDFs takes fifty megabytes, which most processes never need.
    from billing import statement_pdf

    statement = _statement(request, month)
    locale = getattr(request.user, "locale", "") or "en"
    return pdf_download(
        statement_pdf.render(statement, settings.BRAND_NAME, locale), f"statement-{month}.pdf"
    )


@require_safe
def statement_keys(request: HttpRequest) -> JsonResponse:
    """The public keys of all statements there ever were, for whoever wants to check one."""
    response = JsonResponse({"keys": signing.listed()})
    response["Cache-Control"] = "public, max-age=300"
    return response


@require_GET
@require("view")
def balance_changes(request: HttpRequest) -> HttpResponse:
    """What the account had at two instants, and why the second is another amount."""
    account = current_account(request)
    moment = clock.now()
    form = ChangesForm(request.GET or None, now=moment)
    context: dict[str, Any] = {"account": account, "form": form}
    since, until = _usual(moment)
    if form.is_bound:
        if not form.is_valid():
            context["values"] = {"since": request.GET.get("since", ""), "until": request.GET.get("until", "")}
            return render(request, "billing/balance_changes.html", context, status=422)
        since, until = form.cleaned_data["since"], form.cleaned_data["until"]
    context["values"] = {"since": _typed(since), "until": _typed(until)}
    context["changes"] = changes = as_of.changes(account.pk, since, until)
    context["sums"] = [
        (total, total.model and shown_name(account, "model", total.model)) for total in changes.sums
    ]
    return render(request, "billing/balance_changes.html", context)


def _statement(request: HttpRequest, text: str) -> Statement:
    month = read.month_named(text)
    found = read.one(current_account(request), month, clock.now()) if month else None
    if found is None:
        raise Http404("No such statement")
    return found


def _usual(moment: datetime) -> tuple[datetime, datetime]:
    """From the beginning of the viewer's month until now."""
    local = moment.astimezone(get_current_timezone())
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0), moment


def _typed(moment: datetime) -> str:
    """The moment as an input of date and time has it, in the viewer's zone."""
    return moment.astimezone(get_current_timezone()).strftime("%Y-%m-%dT%H:%M")
