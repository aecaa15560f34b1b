"""The page behind an invitation's link."""

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts import invitations
from accounts.current import choose_account, forget_memberships
from accounts.errors import AccountsRefusal, InvitationForSomeoneElse
from accounts.models import Invitation, User
from accounts.permissions import ROLE_SAYS


@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows what one is invited to, and to strangers how to sign in or up; POST joins."""
    try:
        invited = invitations.find(token)
        if request.method == "POST" and isinstance(request.user, User):
            return _join(request, request.user, token)
    except InvitationForSomeoneElse as refusal:
        return _page(request, invited, refusal=str(refusal), status=403)
    except AccountsRefusal as refusal:
        return render(request, "accounts/invitation_not_valid.html", {"refusal": refusal}, status=410)
    if not request.user.is_authenticated:
        # Whoever has the link reads this mailbox: signing up with the address needs no second mail.
        get_adapter().stash_verified_email(request, invited.email)
    return _page(request, invited)


def _join(request: HttpRequest, user: User, token: str) -> HttpResponse:
    membership = invitations.accept(token=token, user=user)
    forget_memberships(request)
    choose_account(request, membership.account_id)
    messages.success(request, f"Welcome to {membership.account}.")
    return redirect("/")


def _page(request: HttpRequest, invited: Invitation, refusal: str = "", status: int = 200) -> HttpResponse:
    context = {
        "invitation": invited,
        "account": invited.account,
        "role_says": ROLE_SAYS[invited.role],
        "refusal": refusal,
        "next": urlencode({"next": request.path}),
    }
    return render(request, "accounts/invitation.html", context, status=status)
