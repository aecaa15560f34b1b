"""Rules for every page of a signed-in person."""

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from accounts.models import User

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class NoStoreMiddleware:
    """Money pages stay out of every cache: after signing out, "back" shows nothing."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.user.is_authenticated and "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = "no-store, private"
        return response


class StaffMfaMiddleware:
    """Where ``PORTAL_STAFF_MFA_REQUIRED`` is on, staff reach the admin only with two-step sign-in set up.

    Who has it set up was asked for it by the sign-in itself.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if settings.PORTAL_STAFF_MFA_REQUIRED and request.path.startswith("/admin/"):
            user = request.user
            if isinstance(user, User) and user.is_staff and not is_mfa_enabled(user):
                messages.warning(request, "The admin needs two-step sign-in. Set it up here first.")
                return redirect("mfa_index")
        return self.get_response(request)
