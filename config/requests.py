"""Every request has an id: in its logs, in the answer's header, on error pages."""

import re
import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"
_WELL_FORMED = re.compile(r"[0-9A-Za-z_-]{8,64}", re.ASCII)


class RequestId:
    """Takes a well-formed id from the proxy or makes one, as ``request.META["REQUEST_ID"]``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        identifier = given if _WELL_FORMED.fullmatch(given) else secrets.token_hex(8)
        request.META["REQUEST_ID"] = identifier
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=identifier, path=request.path)
        response = self.get_response(request)
        response[HEADER] = identifier
        return response
