"""What htmx says about a request."""

from typing import cast

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


def htmx(request: HttpRequest) -> HtmxDetails:
    """The request's htmx headers; falsy where a browser asks for the page by itself."""
    return cast("HtmxDetails", request.htmx)  # type: ignore[attr-defined]


def wants_part(request: HttpRequest) -> bool:
    """Whether only a piece of the page is wanted; going back in history asks for the whole."""
    details = htmx(request)
    return bool(details) and not details.history_restore_request
