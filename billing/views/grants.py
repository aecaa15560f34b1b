"""The account's credits grant by grant, in the order in which they are used, and the rules of their validity."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.current import current_account
from accounts.permissions import require
from billing.ledger import balances
from billing.selectors import grants as read
from billing.services.validity import good_until
from catalog import snapshot


@require_GET
@require("view")
def grants(request: HttpRequest) -> HttpResponse:
    account = current_account(request)
    terms = snapshot.current().terms(account.profile)
    context = {
        "account": account,
        "balance": balances.of(account.pk),
        "lots": read.lots(account.pk),
        "most": read.MOST,
        "terms": terms,
        "good_now": good_until(account),
    }
    return render(request, "billing/grants.html", context)
