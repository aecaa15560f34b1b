"""The settings page: the person's own profile and notices, the account's name and billing address."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.current import current_account, current_membership
from accounts.forms import AccountForm, ProfileForm
from accounts.models import NoticeTopic
from accounts.notices import TOPIC_SAYS, choose, wants
from accounts.permissions import allows, require
from accounts.requests import signed_in


@require_GET
@require("view")
def settings_page(request: HttpRequest) -> HttpResponse:
    return _page(request)


@require_POST
@require("view")
def profile(request: HttpRequest) -> HttpResponse:
    """The signed-in person's name, time zone and way of writing numbers."""
    form = ProfileForm(request.POST, instance=signed_in(request), auto_id="profile_%s")
    if not form.is_valid():
        signed_in(request).refresh_from_db()
        return _page(request, profile_form=form, status=422)
    form.save()
    messages.success(request, "Profile saved.")
    return redirect("settings")


@require_POST
@require("view")
def notices(request: HttpRequest) -> HttpResponse:
    """Which notices about the account in view the signed-in person wants by e-mail."""
    me = current_membership(request)
    assert me is not None
    ticked = request.POST.getlist("topic")
    for topic in NoticeTopic.values:
        if wants(me, topic) != (topic in ticked):
            choose(me.account, me, topic, topic in ticked)
    messages.success(request, "Notices saved.")
    return redirect("settings")


@require_POST
@require("manage_billing")
def account(request: HttpRequest) -> HttpResponse:
    """The account's name and where its receipts go."""
    form = AccountForm(request.POST, instance=current_account(request), auto_id="account_%s")
    if not form.is_valid():
        current_account(request).refresh_from_db()
        return _page(request, account_form=form, status=422)
    form.save()
    messages.success(request, "Account saved.")
    return redirect("settings")


def _page(
    request: HttpRequest,
    profile_form: ProfileForm | None = None,
    account_form: AccountForm | None = None,
    status: int = 200,
) -> HttpResponse:
    me = current_membership(request)
    may_edit = me is not None and allows(me.role, "manage_billing")
    context = {
        "profile_form": profile_form or ProfileForm(instance=signed_in(request), auto_id="profile_%s"),
        "account_form": account_form or AccountForm(instance=current_account(request), auto_id="account_%s"),
        "account": current_account(request),
        "may_edit_account": may_edit,
        "may_close": me is not None and allows(me.role, "close"),
        "topics": [
            (topic, topic.label, TOPIC_SAYS[topic], me is not None and wants(me, topic))
            for topic in NoticeTopic
        ],
    }
    return render(request, "accounts/settings.html", context, status=status)
