"""What all answers of the API share: JSON, no caching of money, what is left of the rate, wrong methods."""

import time
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from billing.api import calls, idempotency
from billing.api.body import encode
from billing.api.idempotency import Answer
from billing.api.problems import answer, method_not_allowed, respond
from billing.api.security import caller
from billing.errors import InvalidRequest, NotFound

View = Callable[..., HttpResponseBase]
REPLAYED: Final = "Idempotent-Replayed"
_CHANGING: Final = ("POST", "PUT")


def ok(body: dict[str, Any], status: int = 200, *, replayed: bool = False) -> HttpResponse:
    """A body with amounts, for the one who asked and nobody else."""
    response = HttpResponse(encode(body), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    if replayed:
        response[REPLAYED] = "true"
    return response


def once(
    request: HttpRequest, operation: Callable[[], dict[str, Any]], *, atomic: bool = True
) -> HttpResponse:
    """Run a POST's operation once per Idempotency-Key of this key's bearer.

    ``atomic``: its effect and the record of its answer are committed together; not for what calls Stripe.
    """
    owner = caller(request).key_id
    if owner is None:
        raise ValueError("whoever calls has a key")
    result = idempotency.run_once(
        owner,
        key_header(request),
        fingerprint(request),
        lambda: Answer(200, operation()),
        atomic=atomic,
    )
    told = dict(result.headers) | ({REPLAYED: "true"} if result.replayed else {})
    if result.status >= 400:
        return respond(result.status, result.body, told)
    return ok(result.body, result.status, replayed=result.replayed)


def key_header(request: HttpRequest) -> str | None:
    """The request's Idempotency-Key. Raises InvalidRequest."""
    return idempotency.key_of(request.headers.get("Idempotency-Key"))


def fingerprint(request: HttpRequest) -> str:
    """What a request with the same Idempotency-Key must share with this one."""
    return idempotency.request_hash(request.method or "", request.get_full_path(), request.body)


def enclosed(view: View, known: Callable[[HttpRequest], Collection[str] | None]) -> View:
    """A view of the API in its frame. ``known`` names the query's parameters, every other one is refused;
    None where there is no such address or method.

    Who shows no key where one is needed is told that first, whatever the query.
    """

    @wraps(view)
    def framed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        head = request.method == "HEAD"
        if head:
            request.method = "GET"
        began = time.perf_counter()
        names = known(request)
        strangers = [] if names is None else sorted(set(request.GET) - set(names))
        nobody = strangers and "Authorization" not in request.headers
        response = answer(_unknown(strangers)) if strangers and not nobody else view(request, *args, **kwargs)
        if nobody and response.status_code != 401:
            response = answer(_unknown(strangers))
        if response.status_code == 405:
            response = method_not_allowed(request.method or "", response.headers.get("Allow", ""))
        if request.method in _CHANGING and isinstance(response, HttpResponse):
            calls.end(began, request.method, response.status_code, _body_of(response))
        if (decision := request.META.get("portal.rate")) is not None:
            for name, value in decision.headers().items():
                response[name] = value
        if head and isinstance(response, HttpResponse):
            response["Content-Length"] = str(len(response.content))
            response.content = b""
        elif head and isinstance(response, StreamingHttpResponse):
            response.streaming_content = ()
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    framed.csrf_exempt = True  # type: ignore[attr-defined]  # keys, not cookies, say who calls
    return framed


def _body_of(response: HttpResponse) -> dict[str, Any]:
    """What a JSON answer says; nothing for any other."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def nowhere(request: HttpRequest) -> HttpResponse:
    """404 for every other address under the API's."""
    return answer(NotFound("There is nothing at this address. GET /v1/openapi.json lists what there is."))


def _unknown(names: list[str]) -> InvalidRequest:
    return InvalidRequest(
        "The query has parameters this address does not know.",
        [{"field": name[:80], "message": "is not known here"} for name in names[:20]],
    )
