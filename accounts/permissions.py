"""What each role may do in a billing account, and the decorator that asks."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, Literal, ParamSpec

import structlog
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django_htmx.http import HttpResponseClientRedirect

from accounts.current import membership_for_page
from accounts.models import Membership, Role, User

Capability = Literal["view", "pay", "manage_billing", "manage_keys", "manage_team", "close"]

PERMISSIONS: dict[str, frozenset[Capability]] = {
    Role.OWNER: frozenset({"view", "pay", "manage_billing", "manage_keys", "manage_team", "close"}),
    Role.BILLING: frozenset({"view", "pay", "manage_billing"}),
    Role.DEVELOPER: frozenset({"view", "manage_keys"}),
    Role.VIEWER: frozenset({"view"}),
}

ROLE_SAYS: dict[str, str] = {
    Role.OWNER: "Everything, including the team and closing the account",
    Role.BILLING: "Sees everything, pays, and changes billing settings",
    Role.DEVELOPER: "Sees everything and manages API keys",
    Role.VIEWER: "Sees everything and changes nothing",
}

NEEDED_FOR: dict[Capability, str] = {
    "view": "see this page",
    "pay": "add credits",
    "manage_billing": "change billing settings",
    "manage_keys": "manage API keys",
    "manage_team": "manage the team",
    "close": "close the account",
}

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def allows(role: str, capability: Capability) -> bool:
    """Whether a member with this role may do this."""
    return capability in PERMISSIONS[role]


def require(capability: Capability) -> Callable[[View[P]], View[P]]:
    """Lets only members through whose role in the account in view has the capability.

    Strangers are sent to sign in, a member of no account gets 404, too small a role a 403 page
    that says who could help.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            membership = membership_for_page(request)
            if membership is None:
                raise Http404("No billing account")
            if not allows(membership.role, capability):
                return forbidden(request, membership, capability)
            structlog.contextvars.bind_contextvars(account=membership.account.public_id)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """To the sign-in page and back here afterwards; a whole-page move for a request made by htmx."""
    redirect = login_required(lambda _: HttpResponse())(request)
    if request.headers.get("HX-Request") == "true":
        return HttpResponseClientRedirect(redirect["Location"])
    return redirect


def forbidden(request: HttpRequest, membership: Membership, capability: Capability) -> HttpResponse:
    """The 403 page: what was asked, which roles may do it, and the owners to turn to."""
    owners = User.objects.filter(memberships__account=membership.account, memberships__role=Role.OWNER)
    context = {
        "account": membership.account,
        "role": membership.role,
        "needed_for": NEEDED_FOR[capability],
        "roles": [Role(role).label for role, can in PERMISSIONS.items() if capability in can],
        "owners": owners.order_by("email"),
    }
    return render(request, "accounts/forbidden.html", context, status=403)
