"""What things cost: for anybody by price list, and for an account by its own version, offers and plan."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from accounts.current import current_membership
from accounts.models import BillingAccount
from billing.selectors import identities, plan_comparison, price_notices
from billing.selectors import offers as agreed
from billing.selectors import pricing as read
from billing.selectors.account_prices import account_pricing
from billing.templatetags.money import locale_of
from billing.views.htmx import htmx
from catalog import selectors, snapshot
from catalog.terms import Terms

LONGEST_WORD = 60


@require_GET
def pricing(request: HttpRequest) -> HttpResponse:
    """The page; htmx asks for the tables alone while somebody types. No sign-in needed.

    A member sees what their account pays; ``?profile=`` is anybody's list of that name, for members too.
    """
    account = viewer(request)
    try:
        terms = selectors.terms(profile_of(request, account))
        document, lists = _document(terms, account)
    except snapshot.UnknownProfile as error:
        raise Http404("No prices are published") from error
    word = text_of(request, "q")
    operation = text_of(request, "operation")
    context: dict[str, Any] = {
        **frame(request, account, terms),
        "document": document,
        "operations": {entry["id"]: entry["name"] for entry in document["operations"]},
        "word": word,
        "operation": operation,
        "tables": read.tables(document, lists, word, operation),
    }
    if htmx(request).target == "prices":
        return render(request, "billing/_prices.html", context)
    context["comparison"] = plan_comparison.of(terms.slug, locale_of(request)) if account is None else None
    context["agreed"] = _agreed(account) if account is not None else None
    context["price_notice"] = price_notices.standing(account) if account is not None else None
    return render(request, "billing/pricing.html", context)


def viewer(request: HttpRequest) -> BillingAccount | None:
    """The account whose prices are shown: the member's, unless another list was asked for by name."""
    membership = current_membership(request)
    asked = text_of(request, "profile")
    if membership is None or (asked and asked != membership.account.profile):
        return None
    return membership.account


def profile_of(request: HttpRequest, account: BillingAccount | None) -> str:
    """Whose price list: the account's, the one asked for, or the default. Raises snapshot.UnknownProfile."""
    if account is not None:
        return account.profile
    return text_of(request, "profile") or selectors.default_profile()


def frame(request: HttpRequest, account: BillingAccount | None, terms: Terms) -> dict[str, Any]:
    """What pages about prices share: whose they are, and the price lists to choose from."""
    membership = current_membership(request)
    state = snapshot.current()
    names = {slug: state.terms(slug).name for slug in state.profiles}
    return {
        "account": account,
        "member_of": membership.account if membership else None,
        "base": "base_app.html" if membership else "base_public.html",
        "terms": terms,
        "profiles": [
            {"label": name, "url": f"?profile={slug}", "current": slug == terms.slug}
            for slug, name in sorted(names.items(), key=lambda pair: pair[1])
        ]
        if account is None and len(names) > 1
        else [],
    }


def text_of(request: HttpRequest, name: str) -> str:
    """A word of the query, short and without what no database stores."""
    return request.GET.get(name, "")[:LONGEST_WORD].replace("\x00", "").strip()


def _document(terms: Terms, account: BillingAccount | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The prices, and the price lists they are of by name."""
    if account is None:
        lists = {entry.slug: entry.name for entry in terms.price_lists}
        return selectors.public_pricing(terms.slug), lists
    mine = terms.price_list(account.mode)
    return account_pricing(identities.of_account(account)), {mine.slug: mine.name}


def _agreed(account: BillingAccount) -> read.AgreedPrices | None:
    return read.agreed_prices(agreed.of(account.pk), account)
