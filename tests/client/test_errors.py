"""Problems become exceptions by their code, with everything the portal said."""

from decimal import Decimal

import pytest
from portal_client import (
    BadAnswer,
    ConfirmationRequired,
    CreditLimitReached,
    FieldError,
    Forbidden,
    IdempotencyConflict,
    InsufficientCredits,
    InvalidRequest,
    InvalidState,
    ModelUnavailable,
    NotFound,
    NotOffered,
    PaymentRequired,
    Portal,
    PortalError,
    RateLimited,
    Remedy,
    ServiceUnavailable,
    SpendingLimitReached,
    Unauthorized,
)

from billing.errors import PROBLEMS
from tests.client.conftest import Script
from tests.client.stand_in import problem

EXPECTED = [
    (401, "unauthorized", Unauthorized),
    (402, "insufficient_credits", InsufficientCredits),
    (402, "spending_limit_reached", SpendingLimitReached),
    (402, "credit_limit_reached", CreditLimitReached),
    (403, "forbidden", Forbidden),
    (403, "model_unavailable", ModelUnavailable),
    (404, "not_found", NotFound),
    (409, "confirmation_required", ConfirmationRequired),
    (409, "idempotency_conflict", IdempotencyConflict),
    (409, "invalid_state", InvalidState),
    (422, "invalid_request", InvalidRequest),
    (422, "not_offered", NotOffered),
    (429, "rate_limited", RateLimited),
    (503, "service_unavailable", ServiceUnavailable),
    (402, "a_new_kind_of_402", PaymentRequired),
    (418, "unheard_of", PortalError),
]


@pytest.mark.parametrize(("status", "code", "kind"), EXPECTED)
def test_each_code_has_its_exception(
    portal: Portal, script: Script, status: int, code: str, kind: type[PortalError]
) -> None:
    for _ in range(3):
        script(status, problem(status, code, "Title", "What happened.")[1])
    with pytest.raises(PortalError, match="What happened") as caught:
        portal.balance()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.problem_code, caught.value.title) == (status, code, "Title")


def test_every_refusal_of_the_portal_has_an_exception_of_its_own() -> None:
    """The client cannot fall behind the portal's one error table."""

    def codes(kind: type[PortalError]) -> set[str]:
        return {kind.code}.union(*(codes(child) for child in kind.__subclasses__()))

    assert set(PROBLEMS) <= codes(PortalError)


def test_a_402_says_what_was_needed_and_the_ways_out(portal: Portal, script: Script) -> None:
    document = problem(
        402,
        "insufficient_credits",
        "Not enough credits",
        "Add funds.",
        required="5",
        available="0.5",
        unit="credit",
        remedies=[{"code": "add_funds", "url": "https://x/credits/add"}],
    )[1]
    script(402, document)
    with pytest.raises(InsufficientCredits) as caught:
        portal.balance()
    error = caught.value
    assert (error.required, error.available, error.unit) == (Decimal(5), Decimal("0.5"), "credit")
    assert error.remedies == (Remedy("add_funds", "https://x/credits/add"),)


def test_bad_input_names_its_fields(portal: Portal, script: Script) -> None:
    errors = [{"field": "parameters.count", "message": "must be at least 1"}]
    script(422, problem(422, "invalid_request", "Not valid", "No.", errors=errors)[1])
    with pytest.raises(InvalidRequest) as caught:
        portal.estimate("m", parameters={"count": 0})
    assert caught.value.errors == (FieldError("parameters.count", "must be at least 1"),)


def test_an_error_page_that_is_not_the_portals_is_told_apart(portal: Portal, script: Script) -> None:
    script(404, b"<html>nginx</html>", Content_Type="text/html")
    with pytest.raises(BadAnswer, match="404"):
        portal.balance()


def test_a_redirect_is_not_followed_with_the_key(portal: Portal, script: Script) -> None:
    script(302, b"", Content_Type="text/html", Location="http://elsewhere.example/")
    with pytest.raises(BadAnswer, match="302"):
        portal.balance()
