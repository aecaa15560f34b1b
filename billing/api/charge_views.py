"""Charges: authorize, settle, void, refund, and looking them up."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from billing.api import batch, charge_answers, price_answers, work
from billing.api.errors_of import errors
from billing.api.http import fingerprint, key_header, ok, once
from billing.api.schemas import (
    AuthorizeBody,
    BatchBody,
    ChargesQuery,
    DryRunQuery,
    RefundBody,
    SettleBody,
    VoidBody,
)
from billing.api.security import AnyKey, ServiceAuth, caller, count
from billing.errors import InvalidRequest
from billing.selectors import api as selectors
from billing.selectors import identities
from billing.services import charges
from billing.services.batches import authorize_many
from billing.services.charges import Body, Caller
from billing.services.deliveries import no_such_charge
from billing.services.estimates import estimate

router = Router(auth=ServiceAuth(), tags=["Charges"])


@router.post(
    "/charges",
    response={200: price_answers.Estimate, 202: charge_answers.Authorized, **errors(402, 404, 409)},
    summary="Authorize",
)
def authorize(request: HttpRequest, body: AuthorizeBody, query: Query[DryRunQuery]) -> HttpResponse:
    """Checks the customer's key, prices the work, applies gates and limits, and places the hold.

    With `dryRun=true` answers the estimate and writes nothing, by the prices of another moment with `as_of`.
    What is priced on acceptance comes back `settled`.
    """
    customer = work.customer_of(body)
    if query.dryRun:
        return ok(estimate(customer, work.wanted_of(body), query.as_of))
    if query.as_of is not None:
        raise InvalidRequest(
            "Work is charged by the prices of now; as_of goes with dryRun=true.",
            [{"field": "as_of", "message": "goes with dryRun=true only"}],
        )
    answer, replayed = charges.authorize(customer, work.wanted_of(body), _caller(request))
    return ok(answer, 202, replayed=replayed)


@router.get(
    "/charges", auth=AnyKey(), response={200: charge_answers.Charges, **errors()}, summary="List charges"
)
def list_charges(request: HttpRequest, query: Query[ChargesQuery]) -> HttpResponse:
    """Newest first; `reference` finds the generation service's own id."""
    return ok(
        selectors.charges(
            caller(request).account_id, reference=query.reference, cursor=query.cursor, limit=query.limit
        )
    )


@router.post(
    "/charges/batch", response={200: charge_answers.Batch, **errors(409)}, summary="Authorize many at once"
)
def authorize_batch(request: HttpRequest, body: BatchBody) -> HttpResponse:
    """Up to 500 authorizations, each answered for itself: `data` has the answer or the problem of each."""
    identity = caller(request)
    count(request, identity.kind, identity.key_id, len(body.charges) - 1)
    key, digest = key_header(request), fingerprint(request)

    def decide() -> Body:
        entries = batch.entries_of(body.charges)
        found = identities.find(batch.handles_of(entries))
        return batch.answer_of(authorize_many(batch.items_of(entries, found, identity, key, digest)))

    return once(request, decide, atomic=False)


@router.get(
    "/charges/{charge_id}",
    auth=AnyKey(),
    response={200: charge_answers.Charge, **errors(404)},
    summary="Look up a charge",
)
def get_charge(request: HttpRequest, charge_id: str) -> HttpResponse:
    """Everything about one charge: its hold, cost, price lines and routing."""
    found = selectors.charge(charges.charge_id_of(charge_id), caller(request).account_id)
    if found is None:
        raise no_such_charge()
    return ok(found)


@router.post(
    "/charges/{charge_id}/settle",
    response={200: charge_answers.Finished, **errors(404, 409)},
    summary="Settle",
)
def settle(request: HttpRequest, charge_id: str, body: SettleBody) -> HttpResponse:
    """The hold becomes a charge at the actual cost; the rest returns at once.

    Outputs are priced by the price book of the moment of authorization, `cost` overrides. Settling twice at
    the same cost answers the same.

    With `partial` the work goes on: `outputs.phases` says what became of some of its phases, the charge stays `authorized`,
    `metadata.cost` is what is reported so far, and what the hold needs no longer returns at once. A phase is reported once;
    the same again answers the same. The last settle adds what was not reported yet; what nobody reported is not charged.
    A hold that times out is charged at what was reported.
    """
    answer, replayed = charges.settle(charges.charge_id_of(charge_id), work.result_of(body), _caller(request))
    return ok(answer, replayed=replayed)


@router.post(
    "/charges/{charge_id}/void", response={200: charge_answers.Finished, **errors(404, 409)}, summary="Void"
)
def void(request: HttpRequest, charge_id: str, body: VoidBody = VoidBody()) -> HttpResponse:  # noqa: B008
    """The hold ends with nothing charged."""
    answer, replayed = charges.void(charges.charge_id_of(charge_id), body.reason, _caller(request))
    return ok(answer, replayed=replayed)


@router.post(
    "/charges/{charge_id}/refund",
    response={200: charge_answers.Refunded, **errors(404, 409)},
    summary="Refund",
)
def refund(request: HttpRequest, charge_id: str, body: RefundBody) -> HttpResponse:
    """Gives a settled charge back, whole or in part; the credits can be spent again at once."""
    return once(request, lambda: charges.refund(charges.charge_id_of(charge_id), body.amount, body.reason))


def _caller(request: HttpRequest) -> Caller:
    key = key_header(request)
    return work.caller_of(caller(request), key, fingerprint(request) if key is not None else "")
