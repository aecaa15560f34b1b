"""What things cost: for anybody, and for an account by its own price book and plan."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.current import current_membership
from billing.selectors import pricing as read
from billing.views.htmx import htmx
from catalog import selectors, snapshot

LONGEST_WORD = 60


@require_GET
def pricing(request: HttpRequest) -> HttpResponse:
    """The page; htmx asks for the tables alone while somebody types. No sign-in needed."""
    membership = current_membership(request)
    account = membership.account if membership else None
    try:
        profile = account.profile if account else selectors.default_profile()
        terms = selectors.terms(profile)
    except snapshot.UnknownProfile as error:
        raise Http404("No prices are published") from error
    mode = account.mode if account else None
    document = selectors.public_pricing(profile, mode=mode, plan=account.plan or None if account else None)
    lists = terms.price_lists if account is None else (terms.price_list(mode),)
    word = request.GET.get("q", "")[:LONGEST_WORD].replace("\x00", "")
    operation = request.GET.get("operation", "")[:LONGEST_WORD]
    context: dict[str, Any] = {
        "account": account,
        "base": "base_app.html" if account else "base_public.html",
        "terms": terms,
        "document": document,
        "operations": {entry["id"]: entry["name"] for entry in document["operations"]},
        "word": word,
        "operation": operation,
        "tables": read.tables(document, {entry.slug: entry.name for entry in lists}, word, operation),
    }
    name = "_prices" if htmx(request).target == "prices" else "pricing"
    return render(request, f"billing/{name}.html", context)
