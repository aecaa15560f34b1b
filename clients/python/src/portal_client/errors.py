"""What can go wrong, by name. The portal's RFC 9457 problems become one exception class per ``code``."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with one field of the request."""

    field: str
    message: str


@dataclass(frozen=True)
class Remedy:
    """One way out of a 402, such as ``add_funds`` or ``enable_auto_recharge``, and where to go for it."""

    code: str
    url: str


class PortalError(Exception):
    """Every error of this package. ``status`` is 0 and ``body`` empty when no usable answer came back."""

    code: ClassVar[str] = ""

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        title: str = "",
        problem_code: str = "",
        problem: Mapping[str, object] | None = None,
        body: bytes = b"",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        self.title = title
        self.problem_code = problem_code or self.code
        self.problem: Mapping[str, object] = problem or {}
        self.body = body
        self.retry_after = retry_after
        self.errors = _field_errors(self.problem.get("errors"))


class Unreachable(PortalError):
    """No answer: connection refused, dropped or timed out, also after the retries.

    After a POST it is unknown whether the portal acted. Call again with the same ``idempotency_key``.
    """

    code = "unreachable"


class BadAnswer(PortalError):
    """Something answered, but not in the portal's language (wrong address, a proxy's error page)."""

    code = "bad_answer"


class InvalidRequest(PortalError):
    """The request is not valid; ``errors`` says which field and why."""

    code = "invalid_request"


class Unauthorized(PortalError):
    """The key is missing, mistyped, revoked or expired."""

    code = "unauthorized"


class Forbidden(PortalError):
    code = "forbidden"


class NotFound(PortalError):
    """There is no such thing, or it belongs to someone else."""

    code = "not_found"


class PaymentRequired(PortalError):
    """Any 402. Amounts are in ``unit``; ``remedies`` lists only what would help this account."""

    code = "payment_required"

    @property
    def required(self) -> Decimal | None:
        return _amount(self.problem.get("required"))

    @property
    def available(self) -> Decimal | None:
        return _amount(self.problem.get("available"))

    @property
    def unit(self) -> str:
        unit = self.problem.get("unit")
        return unit if isinstance(unit, str) else ""

    @property
    def remedies(self) -> tuple[Remedy, ...]:
        return _remedies(self.problem.get("remedies"))


class InsufficientCredits(PaymentRequired):
    code = "insufficient_credits"


class SpendingLimitReached(PaymentRequired):
    code = "spending_limit_reached"


class CreditLimitReached(PaymentRequired):
    code = "credit_limit_reached"


class PaymentFailed(PaymentRequired):
    """The payment provider declined."""

    code = "payment_failed"


class ModelUnavailable(PortalError):
    """A gate is closed; the detail says which plan or balance opens it."""

    code = "model_unavailable"


class NotOffered(PortalError):
    """There is no price for this operation with this model."""

    code = "not_offered"


class ConfirmationRequired(PortalError):
    """Costly work: ask the customer, then call again with ``confirm=True``."""

    code = "confirmation_required"


class InvalidState(PortalError):
    """The charge is already finished another way."""

    code = "invalid_state"


class IdempotencyConflict(PortalError):
    """The idempotency key was used before with another request."""

    code = "idempotency_conflict"


class IdempotencyInProgress(PortalError):
    """The first request with this key is still running."""

    code = "idempotency_in_progress"


class RateLimited(PortalError):
    """Too many requests; ``retry_after`` is in seconds."""

    code = "rate_limited"


class ServiceUnavailable(PortalError):
    code = "service_unavailable"


_CLASSES: tuple[type[PortalError], ...] = (
    InvalidRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    InsufficientCredits,
    SpendingLimitReached,
    CreditLimitReached,
    PaymentFailed,
    ModelUnavailable,
    NotOffered,
    ConfirmationRequired,
    InvalidState,
    IdempotencyConflict,
    IdempotencyInProgress,
    RateLimited,
    ServiceUnavailable,
)
_BY_CODE: Mapping[str, type[PortalError]] = {cls.code: cls for cls in _CLASSES}
# For an answer whose code this version does not know: the status still tells the family.
_BY_STATUS: Mapping[int, type[PortalError]] = {
    401: Unauthorized,
    402: PaymentRequired,
    403: Forbidden,
    404: NotFound,
    422: InvalidRequest,
    429: RateLimited,
    503: ServiceUnavailable,
}


def from_problem(
    status: int, problem: Mapping[str, object], body: bytes, retry_after: float | None
) -> PortalError:
    """The exception for one problem document."""
    code = _text(problem.get("code"))
    title = _text(problem.get("title"))
    cls = _BY_CODE.get(code) or _BY_STATUS.get(status, PortalError)
    detail = _text(problem.get("detail")) or title or f"The portal answered {status}."
    return cls(
        detail,
        status=status,
        title=title,
        problem_code=code,
        problem=problem,
        body=body,
        retry_after=retry_after,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _amount(value: object) -> Decimal | None:
    if not isinstance(value, str):
        return None
    try:
        return Decimal(value)
    except InvalidOperation:
        return None


def _field_errors(value: object) -> tuple[FieldError, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        FieldError(_text(item.get("field")), _text(item.get("message")))
        for item in value
        if isinstance(item, dict)
    )


def _remedies(value: object) -> tuple[Remedy, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(
        Remedy(_text(item.get("code")), _text(item.get("url"))) for item in value if isinstance(item, dict)
    )
