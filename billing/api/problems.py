"""Refusals as RFC 9457 problems: the only place that writes ``application/problem+json``.

``problem`` is used by the views and by the lane; the handlers below turn everything else that can go
wrong in a view into a refusal first, so that there is one way out.
"""

import logging
import math
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError
from ninja.errors import ValidationError as NinjaValidationError

from billing.api.body import LARGEST_BATCH, encode, invalid_body
from billing.errors import (
    PROBLEMS,
    InvalidRequest,
    NotFound,
    Refusal,
    ServiceUnavailable,
)
from billing.throttle import Throttled

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
RETRY_AFTER: Final = {"service_unavailable": 1, "idempotency_in_progress": 1}
MOST_ERRORS: Final = 20


def problem(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    """The status and body that tell a refusal."""
    shape = PROBLEMS[refusal.code]
    return shape.status, {
        "type": type_url(refusal.code),
        "title": shape.title,
        "status": shape.status,
        "detail": refusal.detail,
        "code": refusal.code,
        **refusal.extra,
    }


def headers(refusal: Refusal) -> dict[str, str]:
    """What a problem says beside its body: how to sign in, when to come back, whether it is a repeat."""
    told: dict[str, str] = {}
    if refusal.code == "unauthorized":
        told["WWW-Authenticate"] = "Bearer"
    wait = refusal.extra.get("retry_after", RETRY_AFTER.get(refusal.code))
    if wait is not None:
        told["Retry-After"] = str(math.ceil(wait))
    if refusal.replayed:
        told["Idempotent-Replayed"] = "true"
    if isinstance(refusal, Throttled):
        told |= refusal.decision.headers()
    return told


def type_url(code: str) -> str:
    """Where the problem is explained for people."""
    return f"{settings.PORTAL_BASE_URL}/v1/docs#{code}"


def answer(refusal: Refusal) -> HttpResponse:
    """The refusal as a response of a Django view."""
    status, body = problem(refusal)
    return respond(status, body, headers(refusal))


def respond(status: int, body: dict[str, Any], told: dict[str, str] | None = None) -> HttpResponse:
    """A problem's body as a response."""
    response = HttpResponse(encode(body), status=status, content_type=CONTENT_TYPE, headers=told or {})
    response["Cache-Control"] = "no-store"
    return response


def method_not_allowed(method: str, allowed: str) -> HttpResponse:
    """405: not a refusal of the house but HTTP's own, in the same shape."""
    body = {
        "type": "about:blank",
        "title": "Method not allowed",
        "status": 405,
        "detail": f"This address takes {allowed or 'no method'}.",
        "code": "method_not_allowed",
    }
    return respond(405, body, {"Allow": allowed})


def unexpected(request: HttpRequest, error: BaseException) -> HttpResponse:
    """500: logged whole under the id the caller is told; nothing of it is shown."""
    request_id = str(request.META.get("REQUEST_ID") or secrets.token_hex(8))
    logger.error(
        "unexpected error %s in %s %s", request_id, request.method, request.path, exc_info=error
    )  # fmt: skip
    return respond(500, unexpected_body(request_id))


def unexpected_body(request_id: str) -> dict[str, Any]:
    """What the caller is told of an error that only the log knows."""
    return {
        "type": "about:blank",
        "title": "Something went wrong on our side",
        "status": 500,
        "detail": f"This is our fault and was recorded as {request_id}. Nothing is known to have changed; "
        "a POST can be sent again with the same Idempotency-Key.",
        "code": "internal_error",
        "request_id": request_id,
    }


def of_validation(errors: Iterable[Any], *, inside: tuple[str, ...] = ()) -> InvalidRequest:
    """Pydantic's findings as one refusal, in the API's words; ``inside`` is left off each place's front."""
    found = [
        {"field": _field(error["loc"], inside), "message": _message(error)}
        for error in list(errors)[:MOST_ERRORS]
    ]
    return InvalidRequest("Some of the input is not valid: see errors.", found)


def install(api: NinjaAPI) -> None:
    """Give a ninja API the handlers below; it takes the one of the nearest class."""
    for kind, handler in _HANDLERS.items():
        api.add_exception_handler(kind, handler)


def _refused(request: HttpRequest, error: Any) -> HttpResponse:
    return answer(error)


def _invalid(request: HttpRequest, error: Any) -> HttpResponse:
    return answer(of_validation(error.errors, inside=("body", "query", "path", "header")))


def _http(request: HttpRequest, error: Any) -> HttpResponse:
    """Ninja wraps what its body parser raises; the refusal inside is the answer."""
    cause = error.__cause__
    return answer(cause if isinstance(cause, Refusal) else invalid_body("cannot be read"))


def _missing(request: HttpRequest, error: Any) -> HttpResponse:
    return answer(NotFound("There is nothing at this address."))


def _too_big(request: HttpRequest, error: Any) -> HttpResponse:
    return answer(invalid_body(f"is larger than {LARGEST_BATCH // 1024} KiB"))


def _database(request: HttpRequest, error: Any) -> HttpResponse:
    logger.error("the database did not answer %s %s", request.method, request.path, exc_info=error)
    return answer(
        ServiceUnavailable("The database is out of reach or busy. Send the same request again shortly.")
    )


_HANDLERS: Final[dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]]] = {
    Refusal: _refused,
    NinjaValidationError: _invalid,
    HttpError: _http,
    Http404: _missing,
    RequestDataTooBig: _too_big,
    OperationalError: _database,
    InterfaceError: _database,
    Exception: unexpected,
}


def _field(location: tuple[str | int, ...], inside: tuple[str, ...]) -> str:
    """``("body", "body", "customer", "api_key")`` → ``customer.api_key``."""
    parts = [str(part) for part in location]
    if inside and parts and parts[0] in inside:
        parts = parts[1:]
        if len(parts) > 0 and parts[0] in ("body", "query"):
            parts = parts[1:]
    return ".".join(parts)[:200] or "body"


_MESSAGES: Final = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}
_SIZES: Final = {
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
}


def _message(error: Any) -> str:
    """A sentence's end about the field, without what was sent (it may be a key)."""
    if (known := _MESSAGES.get(error["type"])) is not None:
        return known
    if (size := _SIZES.get(error["type"])) is not None:
        return size.format(**error["ctx"])
    text = str(error["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    return text[:1].lower() + text[1:]
