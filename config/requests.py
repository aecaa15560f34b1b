"""Every request has an id: in its logs, in the answer's header, on error pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from billing.api.calls import begin, request_id

HEADER = "X-Request-Id"


class RequestId:
    """Takes a well-formed id from the proxy or makes one, as ``request.META["REQUEST_ID"]``."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        identifier = request_id(given)
        request.META["REQUEST_ID"] = identifier
        begin(identifier, request.path)
        response = self.get_response(request)
        response[HEADER] = identifier
        return response
