"""Refusals, as RFC 9457 problems: the studio's own, and the portal's passed on as they came."""

import json
from dataclasses import dataclass

from portal_client import PortalError

PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True)
class FieldProblem:
    field: str
    message: str


class Refused(Exception):
    """The request is answered with this problem document and nothing else happens."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str,
        *,
        errors: tuple[FieldProblem, ...] = (),
        body: bytes | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.body = body if body is not None else _document(status, code, title, detail, errors)


def invalid(errors: list[FieldProblem]) -> Refused:
    return Refused(
        422,
        "invalid_request",
        "The request is not valid",
        f"{errors[0].field}: {errors[0].message}" if errors else "The request is not valid.",
        errors=tuple(errors),
    )


def invalid_field(field: str, message: str) -> Refused:
    return invalid([FieldProblem(field, message)])


def unauthorized() -> Refused:
    return Refused(
        401,
        "unauthorized",
        "A valid API key is needed",
        "Send your API key: Authorization: Bearer bpk_…",
    )


def not_found(what: str) -> Refused:
    return Refused(404, "not_found", "Not found", f"There is no such {what}.")


def unavailable(detail: str) -> Refused:
    return Refused(503, "service_unavailable", "Try again shortly", detail, retry_after=5)


def passed_on(error: PortalError) -> Refused:
    """The portal's own answer, same status and body. What is not for the customer to read becomes a 503."""
    if error.status < 400 or not error.body or error.status >= 500:
        return unavailable("The billing service cannot be reached. Nothing was charged; please try again.")
    retry_after = None if error.retry_after is None else round(error.retry_after)
    return Refused(
        error.status, error.problem_code, error.title, error.detail, body=error.body, retry_after=retry_after
    )


def _document(status: int, code: str, title: str, detail: str, errors: tuple[FieldProblem, ...]) -> bytes:
    document: dict[str, object] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if errors:
        document["errors"] = [{"field": error.field, "message": error.message} for error in errors]
    return json.dumps(document, ensure_ascii=False).encode()
