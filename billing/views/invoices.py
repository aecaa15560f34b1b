"""The account's invoices: list, one with its lines, and its PDF."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.current import current_account
from accounts.permissions import require
from billing.ledger import clock
from billing.models import Invoice
from billing.selectors import invoices as read
from billing.streaming import pdf_download
from billing.templatetags.money import locale_of


@require_GET
@require("view")
def invoices(request: HttpRequest) -> HttpResponse:
    account = current_account(request)
    moment = clock.now()
    rows = [(row, row.overdue_at(moment)) for row in read.listed(account)]
    context = {
        "account": account,
        "rows": rows,
        "overdue": read.overdue(account),
        "support": settings.SUPPORT_EMAIL,
    }
    return render(request, "billing/invoices.html", context)


@require_GET
@require("view")
def invoice(request: HttpRequest, invoice_id: str) -> HttpResponse:
    found = _own(request, invoice_id)
    context = {
        "account": found.account,
        "invoice": found,
        "lines": found.lines.all(),
        "overdue": found.overdue_at(clock.now()),
        "support": settings.SUPPORT_EMAIL,
    }
    return render(request, "billing/invoice.html", context)


@require_GET
@require("view")
def invoice_pdf_file(request: HttpRequest, invoice_id: str) -> HttpResponse:
    # What draws PDFs takes fifty megabytes, which most processes never need.
    from billing import invoice_pdf

    found = _own(request, invoice_id)
    content = invoice_pdf.render(found, settings.BRAND_NAME, locale_of(request))
    return pdf_download(content, f"{found.number_text}.pdf")


def _own(request: HttpRequest, invoice_id: str) -> Invoice:
    """An invoice of the account in view. Raises Http404 for anybody else's."""
    found = read.one(current_account(request), invoice_id)
    if found is None:
        raise Http404("No such invoice")
    return found
