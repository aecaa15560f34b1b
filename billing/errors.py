"""Every refusal of the portal by name, and the one table that says which HTTP status each one is.

Services raise these; the API renders them as RFC 9457 problems, pages as sentences. ``detail`` says what to do.
"""

from dataclasses import dataclass
from typing import Any, ClassVar


class Refusal(Exception):
    """A request that was understood and is not carried out. Nothing has changed when it is raised."""

    code: ClassVar[str] = "invalid_request"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra
        self.replayed = False
        """Whether this answer was given before, to the same request with the same Idempotency-Key."""


class InvalidRequest(Refusal):
    """The input is not what the operation takes; ``errors`` lists ``{"field", "message"}``."""

    code = "invalid_request"

    def __init__(self, detail: str, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail, **({"errors": errors} if errors else {}))


class Unauthorized(Refusal):
    code = "unauthorized"


class Forbidden(Refusal):
    code = "forbidden"


class NotFound(Refusal):
    """There is no such thing, or it belongs to someone else; the answer does not tell which."""

    code = "not_found"


class InsufficientCredits(Refusal):
    code = "insufficient_credits"


class SpendingLimitReached(Refusal):
    code = "spending_limit_reached"


class CreditLimitReached(Refusal):
    code = "credit_limit_reached"


class ModelUnavailable(Refusal):
    """A gate is closed; the detail says which plan or balance opens it."""

    code = "model_unavailable"


class NotOffered(Refusal):
    """Nothing prices this model with this operation, so it cannot be bought."""

    code = "not_offered"


class ConfirmationRequired(Refusal):
    code = "confirmation_required"


class InvalidState(Refusal):
    code = "invalid_state"


class RateLimited(Refusal):
    code = "rate_limited"


class IdempotencyConflict(Refusal):
    code = "idempotency_conflict"


class IdempotencyInProgress(Refusal):
    code = "idempotency_in_progress"


class PaymentFailed(Refusal):
    """The payment provider declined; the detail is fit for the customer."""

    code = "payment_failed"


class ServiceUnavailable(Refusal):
    code = "service_unavailable"


@dataclass(frozen=True)
class Problem:
    """How one refusal looks over HTTP."""

    status: int
    title: str


PROBLEMS: dict[str, Problem] = {
    "invalid_request": Problem(422, "The request is not valid"),
    "unauthorized": Problem(401, "A valid API key is needed"),
    "forbidden": Problem(403, "This key may not do that"),
    "not_found": Problem(404, "Not found"),
    "insufficient_credits": Problem(402, "Not enough credits"),
    "spending_limit_reached": Problem(402, "The monthly spending limit is reached"),
    "credit_limit_reached": Problem(402, "The credit limit is reached"),
    "payment_failed": Problem(402, "The payment did not go through"),
    "model_unavailable": Problem(403, "Not available to this account"),
    "not_offered": Problem(422, "Not offered"),
    "confirmation_required": Problem(409, "Confirmation needed"),
    "invalid_state": Problem(409, "Not possible in this state"),
    "idempotency_conflict": Problem(409, "Idempotency key used for another request"),
    "idempotency_in_progress": Problem(409, "The first request with this key is still running"),
    "rate_limited": Problem(429, "Too many requests"),
    "service_unavailable": Problem(503, "Try again shortly"),
}
