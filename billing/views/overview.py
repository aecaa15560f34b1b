"""The first page: what there is, how long it lasts, where it went."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.current import current_account
from accounts.permissions import require
from billing.selectors import invoices
from billing.selectors import overview as read
from billing.templatetags.money import locale_of


@require_GET
@require("view")
def overview(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    account = current_account(request)
    page = read.overview(account, locale_of(request))
    context = {
        "account": account,
        "page": page,
        "standing": page.standing,
        "month": read.month_name(),
        "overdue": invoices.overdue(account, page.standing.as_of),
        "api_url": settings.PORTAL_BASE_URL,
    }
    return render(request, "billing/overview.html", context)


@require_GET
@require("view")
def overview_balance(request: HttpRequest) -> HttpResponse:
    """The balance alone, asked for again and again while jobs hold some of it."""
    account = current_account(request)
    context = {"account": account, "standing": read.standing(account)}
    return render(request, "billing/_balance.html", context)
