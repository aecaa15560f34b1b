"""Many authorizations in one call: priced one by one, decided together, each answered for itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from billing.errors import Refusal
from billing.ledger import holds
from billing.ledger.holds import Outcome, PlaceRequest
from billing.selectors.identities import Identity
from billing.services import auto_recharge, charges, limit_notices
from billing.services.charges import Body, Caller
from billing.services.quotes import Wanted

Result = Body | Refusal


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of work of the batch, with its own idempotency key where the batch has one."""

    customer: Identity
    wanted: Wanted
    caller: Caller


def authorize_many(items: Sequence[Item]) -> list[Result]:
    """The answer or the refusal of each item, in their order. Where auto-recharge should run first it runs
    inside the call, and the item is asked again.
    """
    results: list[Result | None] = [None] * len(items)
    places: list[int] = []
    requests: list[PlaceRequest] = []
    for place, item in enumerate(items):
        try:
            requests.append(charges.prepare(item.customer, item.wanted, item.caller))
            places.append(place)
        except Refusal as refusal:
            results[place] = refusal
    outcomes = holds.place(requests)
    for place, request, outcome in zip(places, requests, outcomes, strict=True):
        results[place] = _result(items[place], request, outcome)
    _nudge(requests, outcomes)
    return [result for result in results if result is not None]


def _result(item: Item, request: PlaceRequest, outcome: Outcome) -> Result:
    try:
        if outcome["code"] == "recharge":
            outcome = charges.recharge_and_place(request)
        return charges.authorized(outcome, item.customer)
    except Refusal as refusal:
        return refusal


def _nudge(requests: Sequence[PlaceRequest], outcomes: Sequence[Outcome]) -> None:
    """Have the worker recharge each account that the batch left below its threshold, and tell of limits it met."""
    low = {request.account for request, outcome in zip(requests, outcomes, strict=True) if outcome.get("low")}
    for request, outcome in zip(requests, outcomes, strict=True):
        if limit_notices.concerns(outcome):
            told = (outcome, request.account, request.api_key)
            transaction.on_commit(lambda told=told: limit_notices.nudge(*told))  # type: ignore[misc]
    for account_id in low:
        transaction.on_commit(lambda account_id=account_id: auto_recharge.nudge(account_id))  # type: ignore[misc]
