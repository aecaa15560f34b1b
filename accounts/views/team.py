"""The team page: who is in the account, as what, and who was invited."""

from allauth.core import ratelimit
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import emails, invitations, members
from accounts.current import current_account, current_membership, forget_memberships
from accounts.errors import AccountsRefusal, LastOwner
from accounts.forms import InvitationForm, RoleForm
from accounts.models import BillingAccount, Invitation, Membership, Role
from accounts.permissions import ROLE_SAYS, allows, require
from accounts.requests import signed_in


@require_GET
@require("view")
def team(request: HttpRequest) -> HttpResponse:
    return _page(request, InvitationForm())


@require_POST
@require("manage_team")
def invite(request: HttpRequest) -> HttpResponse:
    """Sends an invitation; what was typed stays on the page when it is refused."""
    account, form = current_account(request), InvitationForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    if not ratelimit.consume(request, action="invite"):
        form.add_error(None, "That were many invitations. Try again in an hour.")
        return _page(request, form, status=429)
    try:
        invitation, token = invitations.invite(
            account=account,
            email=form.cleaned_data["email"],
            role=form.cleaned_data["role"],
            invited_by=signed_in(request),
        )
    except AccountsRefusal as refusal:
        form.add_error("email", str(refusal))
        return _page(request, form, status=422)
    _send(request, invitation, token)
    return redirect("team")


@require_POST
@require("manage_team")
def resend_invitation(request: HttpRequest, invitation_id: int) -> HttpResponse:
    invitation = _invitation(request, invitation_id)
    if not ratelimit.consume(request, action="invite"):
        messages.error(request, "That were many invitations. Try again in an hour.")
        return redirect("team")
    try:
        token = invitations.resend(invitation)
    except AccountsRefusal as refusal:
        messages.error(request, str(refusal))
    else:
        _send(request, invitation, token)
    return redirect("team")


@require_POST
@require("manage_team")
def revoke_invitation(request: HttpRequest, invitation_id: int) -> HttpResponse:
    invitation = _invitation(request, invitation_id)
    invitations.revoke(invitation)
    messages.success(request, f"The invitation of {invitation.email} is revoked.")
    return redirect("team")


@require_POST
@require("manage_team")
def change_role(request: HttpRequest, membership_id: int) -> HttpResponse:
    membership = _membership(request, membership_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such role.")
        return redirect("team")
    try:
        members.change_role(membership, form.cleaned_data["role"])
        messages.success(request, f"{membership.user} is now {membership.get_role_display().lower()}.")
    except LastOwner as refusal:
        messages.error(request, str(refusal))
    return redirect("team")


@require_http_methods(["GET", "POST"])
@require("manage_team")
def remove_member(request: HttpRequest, membership_id: int) -> HttpResponse:
    """GET asks, for browsers without the dialog."""
    membership = _membership(request, membership_id)
    if request.method == "GET":
        return render(request, "accounts/member_remove.html", {"member": membership})
    return _take_out(request, membership)


@require_http_methods(["GET", "POST"])
@require("view")
def leave(request: HttpRequest) -> HttpResponse:
    """Any member may go, whatever the role."""
    membership = current_membership(request)
    if membership is None:
        raise Http404
    if request.method == "GET":
        return render(request, "accounts/leave.html", {"member": membership})
    return _take_out(request, membership)


def _take_out(request: HttpRequest, membership: Membership) -> HttpResponse:
    try:
        members.remove(membership)
    except LastOwner as refusal:
        messages.error(request, str(refusal))
        return redirect("team")
    if membership.user_id != signed_in(request).pk:
        messages.success(request, f"{membership.user} is no longer in the team.")
        return redirect("team")
    forget_memberships(request)
    messages.success(request, f"You left {membership.account}.")
    return redirect("/")


def _page(request: HttpRequest, form: InvitationForm, status: int = 200) -> HttpResponse:
    account, me = current_account(request), current_membership(request)
    may_manage = me is not None and allows(me.role, "manage_team")
    context = {
        "account": account,
        "me": me,
        "may_manage": may_manage,
        "members": account.memberships.select_related("user").order_by("pk"),
        "invitations": _open_invitations(account) if may_manage else (),
        "form": form,
        "roles": [(role, role.label, ROLE_SAYS[role]) for role in Role],
    }
    return render(request, "accounts/team.html", context, status=status)


def _open_invitations(account: BillingAccount) -> QuerySet[Invitation]:
    return account.invitations.filter(accepted_at=None).select_related("invited_by").order_by("pk")


def _membership(request: HttpRequest, membership_id: int) -> Membership:
    mine = current_account(request).memberships.select_related("user", "account")
    return get_object_or_404(mine, pk=membership_id)


def _invitation(request: HttpRequest, invitation_id: int) -> Invitation:
    return get_object_or_404(_open_invitations(current_account(request)), pk=invitation_id)


def _send(request: HttpRequest, invitation: Invitation, token: str) -> None:
    if emails.send_invitation(request, invitation, token):
        messages.success(request, f"Invitation sent to {invitation.email}.")
    else:
        messages.error(
            request, f"The mail to {invitation.email} could not be sent. Try “Resend” in a minute."
        )
