"""The history: filtered, page by page, one by one with its story, and as files."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
)
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.timezone import localtime, now
from django.views.decorators.http import require_GET, require_POST

from accounts.current import current_account, current_membership
from accounts.models import ApiKey, BillingAccount
from accounts.permissions import allows, require
from accounts.requests import signed_in
from billing import exports
from billing.errors import InvalidState
from billing.forms import TransactionFilters, key_choice
from billing.selectors import stories
from billing.selectors import transactions as read
from billing.selectors.usage import open_jobs
from billing.services import refunds
from billing.streaming import csv_download
from billing.views.htmx import htmx, wants_part
from catalog import snapshot
from config.ids import parse_id

LARGEST_SEQ = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Segment:
    label: str
    url: str
    current: bool


@require_GET
@require("view")
def transactions(request: HttpRequest) -> HttpResponse:
    """The page; htmx asks for the results alone, or for the next rows alone."""
    account = current_account(request)
    form = TransactionFilters(request.GET or None)
    filters = form.filters() if form.is_bound else read.Filters()
    before = _before(request)
    page = read.page(account.pk, filters, before)
    context = {
        "account": account,
        "form": form,
        "filters": filters,
        "page": page,
        "rows": page.rows,
        "before": before,
        "query": _query(request, without=("before",)),
        "more_query": _query(request, without=("before",), before=page.next_seq),
    }
    if htmx(request).target == "more":
        return render(request, "billing/_transaction_rows.html", context)
    context |= _choices(request, account, filters)
    name = "_transactions_results" if htmx(request).target == "results" else "transactions"
    return render(request, f"billing/{name}.html", context)


@require_GET
@require("view")
def story(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """One transaction: inside the list for htmx, as a page of its own for everybody else."""
    account = current_account(request)
    found = _story(account, transaction_id)
    name = "_story" if wants_part(request) else "story"
    refund = refunds.refundable(found.payment) if found.payment is not None else None
    membership = current_membership(request)
    context = {
        "account": account,
        "story": found,
        "refund": refund,
        "may_pay": membership is not None and allows(membership.role, "pay"),
    }
    return render(request, f"billing/{name}.html", context)


@require_POST
@require("pay")
def ask_refund(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """Ask for the unused part of the purchase that brought these credits; at once or by staff, as the profile says."""
    found = _story(current_account(request), transaction_id)
    if found.payment is None:
        raise Http404("No purchase")
    because = request.POST.get("because", "").replace("\x00", "")
    try:
        asked = refunds.ask(found.payment.pk, by=signed_in(request), because=because)
    except InvalidState as refusal:
        messages.error(request, refusal.detail)
    else:
        messages.success(
            request,
            "We look at it; what we decide stands here."
            if asked.status == "asked"
            else "Your refund is on its way.",
        )
    return redirect("transactions_story", transaction_id)


@require_GET
@require("view")
def transactions_csv(request: HttpRequest) -> HttpResponseBase:
    """All that pass the filters as CSV, streamed; no cell can run as a formula."""
    account = current_account(request)
    rows = read.every(account.pk, TransactionFilters(request.GET).filters())
    return csv_download(request, exports.csv_lines(rows), _filename("csv"))


@require_GET
@require("view")
def transactions_xlsx(request: HttpRequest) -> HttpResponseBase:
    """The same as a workbook, at most exports.MOST_ROWS rows."""
    account = current_account(request)
    rows = read.every(account.pk, TransactionFilters(request.GET).filters(), exports.MOST_ROWS)
    return FileResponse(
        exports.workbook(rows, account.unit),
        as_attachment=True,
        filename=_filename("xlsx"),
        content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    )


def _filename(extension: str) -> str:
    return f"transactions-{localtime(now()):%Y-%m-%d}.{extension}"


def _story(account: BillingAccount, text: str) -> stories.Story:
    transaction_id = parse_id("txn", text)
    found = stories.story(account.pk, transaction_id) if transaction_id else None
    if found is None:
        raise Http404("No such transaction")
    return found


def _before(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        return None
    return min(int(text), LARGEST_SEQ)


def _query(request: HttpRequest, *, without: tuple[str, ...] = (), **values: Any) -> str:
    """The URL's query with some values changed; empty ones are left out."""
    query = request.GET.copy()
    for name in without:
        query.pop(name, None)
    for name, value in values.items():
        query[name] = "" if value is None else str(value)
    for name in [name for name, value in query.items() if not value]:
        del query[name]
    return query.urlencode()


def _choices(request: HttpRequest, account: BillingAccount, filters: read.Filters) -> dict[str, Any]:
    book = snapshot.current().book(account.profile, now(), mode=account.mode)
    keys = ApiKey.objects.filter(account=account).order_by("name")
    return {
        "segments": [_segment(request, slug, label, filters) for slug, (label, _) in read.GROUPS.items()],
        "models": sorted(book.models.items(), key=lambda entry: entry[1]),
        "keys": [(key_choice(key.pk), key.name, key.pk == filters.key_id) for key in keys],
        "jobs": open_jobs(account.pk),
    }


def _segment(request: HttpRequest, slug: str, label: str, filters: read.Filters) -> Segment:
    query = _query(request, without=("before",), type=slug)
    url = reverse("transactions") + (f"?{query}" if query else "")
    return Segment(label, url, slug == filters.group)
