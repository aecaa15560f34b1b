"""Looking at another of one's billing accounts."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.current import choose_account
from config.ids import parse_id


@require_POST
@login_required
def switch_account(request: HttpRequest) -> HttpResponse:
    """The choice is kept in the session; an account one is not a member of does not exist."""
    account_id = parse_id("acct", request.POST.get("account", ""))
    if account_id is None:
        raise Http404("No such billing account")
    choose_account(request, account_id)
    return redirect("/")
