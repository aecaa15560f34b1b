"""Stripe's errors: one exception, and one constructor for each thing that can be wrong with a request."""

from dataclasses import dataclass, field

from stripe_simulator.values import ACCOUNT_ID, Json

_DOC_CODES = "https://stripe.com/docs/error-codes/"


@dataclass
class StripeError(Exception):
    """Becomes the response `{"error": {…}}` with `status`."""

    message: str
    status: int = 400
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    extra: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    keeps_effects: bool = False
    """A declined card is an answer, not a failure: what the request wrote stays written."""
    storable: bool = True
    """Whether an idempotency key remembers this answer. Refusals before the work began are not remembered."""

    def body(self, request_id: str, now: int) -> Json:
        error: Json = {"code": self.code, "message": self.message, "param": self.param, "type": self.type}
        if self.code:
            error["doc_url"] = _DOC_CODES + self.code.replace("_", "-")
        if self.status not in (401, 429) and self.type != "idempotency_error":
            error["request_log_url"] = (
                f"https://dashboard.stripe.com/{ACCOUNT_ID}/test/workbench/logs?object={request_id}&t={now}"
            )
        error.update(self.extra)
        return {"error": {name: error[name] for name in sorted(error) if error[name] is not None}}


def missing_object(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> StripeError:
    """Named by the path: 404. Named by a parameter: 400."""
    return StripeError(
        f"No such {kind}: '{object_id}'", status=status, code="resource_missing", param=param, storable=False
    )


def missing_param(param: str) -> StripeError:
    return StripeError(
        f"Missing required param: {param}.", code="parameter_missing", param=param, storable=False
    )


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> StripeError:
    return StripeError(message, code=code, param=param, storable=False)


def invalid_integer(param: str, message: str) -> StripeError:
    return invalid(message, param=param, code="parameter_invalid_integer")


def unknown_url(method: str, path: str) -> StripeError:
    return StripeError(
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the "
        "trailing slash. If you are trying to retrieve an object, make sure you passed a valid (non-empty) "
        "identifier in your code. Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
        storable=False,
    )


def unauthenticated(message: str) -> StripeError:
    return StripeError(
        message, status=401, headers={"www-authenticate": 'Basic realm="Stripe"'}, storable=False
    )


def idempotency_error(message: str, *, status: int = 400, code: str | None = None) -> StripeError:
    return StripeError(message, status=status, type="idempotency_error", code=code, storable=False)


def server_error() -> StripeError:
    return StripeError("An unknown error occurred", status=500, type="api_error", storable=False)


def rate_limited() -> StripeError:
    return StripeError(
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
        status=429,
        code="rate_limit",
        headers={"stripe-rate-limited-reason": "endpoint-rate", "stripe-should-retry": "true"},
        storable=False,
    )


def lock_timeout() -> StripeError:
    return StripeError(
        "This object cannot be accessed right now because another API request or Stripe process is currently "
        "accessing it. If you see this error intermittently, retry the request. If you see this error "
        "frequently and are making multiple concurrent requests to a single object, make your requests "
        "serially or at a lower rate. For more details, see "
        "https://stripe.com/docs/rate-limits#object-lock-timeouts.",
        status=429,
        code="lock_timeout",
        headers={"stripe-should-retry": "true"},
        storable=False,
    )
