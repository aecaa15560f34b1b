"""The plan page: how the account pays, what that includes, and what else there is."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.current import current_account
from accounts.permissions import require
from billing.ledger import balances
from billing.selectors import invoices, keys, plan_comparison, subscriptions
from billing.selectors import plans as read
from billing.templatetags.money import locale_of


@require_GET
@require("view")
def plan(request: HttpRequest) -> HttpResponse:
    account = current_account(request)
    context = {
        "account": account,
        "page": read.of(account, locale_of(request)),
        "standing": balances.of(account.pk),
        "slots": keys.slots(account),
        "comparison": plan_comparison.of(account.profile, locale_of(request), account),
        "running": subscriptions.of(account),
        "overdue": invoices.overdue(account),
        "support": settings.SUPPORT_EMAIL,
    }
    return render(request, "billing/plan.html", context)
