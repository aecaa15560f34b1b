"""Charges: authorize, settle, void, refund, and looking them up."""

import hashlib

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from billing.api import answers, price_answers, work
from billing.api.body import invalid_body
from billing.api.errors_of import errors
from billing.api.http import fingerprint, key_header, ok, once
from billing.api.problems import problem
from billing.api.schemas import (
    AuthorizeBody,
    BatchBody,
    ChargesQuery,
    DryRunQuery,
    RefundBody,
    SettleBody,
    VoidBody,
    validated,
)
from billing.api.security import AnyKey, ServiceAuth, caller, count
from billing.errors import InvalidRequest, Refusal
from billing.selectors import api as selectors
from billing.selectors.identities import Identity
from billing.services import charges
from billing.services.batches import Item, authorize_many
from billing.services.charges import Body, Caller
from billing.services.estimates import estimate

router = Router(auth=ServiceAuth(), tags=["Charges"])


@router.post(
    "/charges",
    response={200: price_answers.Estimate, 202: answers.Authorized, **errors(402, 404, 409, 422)},
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


@router.get("/charges", auth=AnyKey(), response={200: answers.Charges, **errors(422)}, summary="List charges")
def list_charges(request: HttpRequest, query: Query[ChargesQuery]) -> HttpResponse:
    """Newest first; `reference` finds the generation service's own id."""
    return ok(
        selectors.charges(
            caller(request).account_id, reference=query.reference, cursor=query.cursor, limit=query.limit
        )
    )


@router.post(
    "/charges/batch", response={200: answers.Batch, **errors(409, 422)}, summary="Authorize many at once"
)
def authorize_batch(request: HttpRequest, body: BatchBody) -> HttpResponse:
    """Up to 500 authorizations, each answered for itself: `data` has the answer or the problem of each."""
    identity = caller(request)
    count(request, identity.kind, identity.key_id, len(body.charges) - 1)
    key, digest = key_header(request), fingerprint(request)
    return once(request, lambda: {"data": _batch(body.charges, identity, key, digest)}, atomic=False)


@router.get(
    "/charges/{charge_id}",
    auth=AnyKey(),
    response={200: answers.Charge, **errors(404)},
    summary="Look up a charge",
)
def get_charge(request: HttpRequest, charge_id: str) -> HttpResponse:
    """Everything about one charge: its hold, cost, price lines and routing."""
    found = selectors.charge(charges.charge_id_of(charge_id), caller(request).account_id)
    if found is None:
        raise charges.no_such_charge()
    return ok(found)


@router.post(
    "/charges/{charge_id}/settle",
    response={200: answers.Finished, **errors(404, 409, 422)},
    summary="Settle",
)
def settle(request: HttpRequest, charge_id: str, body: SettleBody) -> HttpResponse:
    """The hold becomes a charge at the actual cost; the rest returns at once.

    Outputs are priced by the price book of the moment of authorization, `cost` overrides. Settling twice at
    the same cost answers the same.
    """
    answer, replayed = charges.settle(charges.charge_id_of(charge_id), work.result_of(body), _caller(request))
    return ok(answer, replayed=replayed)


@router.post(
    "/charges/{charge_id}/void", response={200: answers.Finished, **errors(404, 409, 422)}, summary="Void"
)
def void(request: HttpRequest, charge_id: str, body: VoidBody = VoidBody()) -> HttpResponse:  # noqa: B008
    """The hold ends with nothing charged."""
    answer, replayed = charges.void(charges.charge_id_of(charge_id), body.reason, _caller(request))
    return ok(answer, replayed=replayed)


@router.post(
    "/charges/{charge_id}/refund",
    response={200: answers.Refunded, **errors(404, 409, 422)},
    summary="Refund",
)
def refund(request: HttpRequest, charge_id: str, body: RefundBody) -> HttpResponse:
    """Gives a settled charge back, whole or in part; the credits can be spent again at once."""
    return once(request, lambda: charges.refund(charges.charge_id_of(charge_id), body.amount, body.reason))


def _caller(request: HttpRequest) -> Caller:
    key = key_header(request)
    return work.caller_of(caller(request), key, fingerprint(request) if key is not None else "")


def _batch(entries: list[object], service: Identity, key: str | None, digest: str) -> list[Body]:
    """Each entry checked, priced and decided for itself; the bodies in the order sent."""
    results: list[Body | None] = [None] * len(entries)
    items: list[Item] = []
    places: list[int] = []
    known: dict[tuple[str, str], Identity] = {}
    for place, entry in enumerate(entries):
        try:
            asked = validated(AuthorizeBody, _an_object(entry))
            handle = (asked.customer.api_key, asked.customer.account)
            known[handle] = customer = known.get(handle) or work.customer_of(asked)
            items.append(Item(customer, work.wanted_of(asked), _part(service, key, digest, place)))
            places.append(place)
        except Refusal as refusal:
            results[place] = problem(refusal)[1]
    for place, result in zip(places, authorize_many(items), strict=True):
        results[place] = problem(result)[1] if isinstance(result, Refusal) else result
    return [result for result in results if result is not None]


def _an_object(entry: object) -> object:
    if not isinstance(entry, dict):
        raise invalid_body("is not a JSON object")
    return entry


def _part(service: Identity, key: str | None, digest: str, place: int) -> Caller:
    """Each entry has a key of its own, so that a batch cut off in the middle can be sent again."""
    if key is None:
        return work.caller_of(service, None, "")
    own = hashlib.sha256(f"batch:{key}".encode()).hexdigest()
    return work.caller_of(service, f"{own}:{place}", digest)
