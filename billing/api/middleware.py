"""Keeps cookies out of the API: none is read, none is set, so no session can stand in for a key."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

PREFIXES: Final = ("/v1/", "/api/")
PAGE: Final = "/v1/docs"


class NoCookies:
    """Before everything that would look at a session. The documentation's page reads the viewer's theme."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIXES):
            return self.get_response(request)
        if request.path_info != PAGE:
            request.COOKIES = {}
        response = self.get_response(request)
        response.cookies.clear()
        varies = [name for name in response.get("Vary", "").split(", ") if name not in ("", "Cookie")]
        if varies:
            response["Vary"] = ", ".join(varies)
        else:
            del response["Vary"]
        return response
