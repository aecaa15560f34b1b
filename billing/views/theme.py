"""Light or dark: the choice is a cookie, so that the first byte already has the right colours."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from billing.context import THEMES

YEAR = 365 * 24 * 3600


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """``theme``: light, dark, system, or "toggle" between the two. Goes back to ``next`` on this host."""
    chosen = request.POST.get("theme", "system")
    if chosen == "toggle":
        chosen = "light" if request.COOKIES.get("theme") == "dark" else "dark"
    target = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        target = "/"
    response = HttpResponseRedirect(target)
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=YEAR, samesite="Lax", secure=request.is_secure())
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response
