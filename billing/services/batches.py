"""Many authorizations in one call: priced one by one, decided together, each answered for itself.

The web server's lane runs the same steps with a database call of its own between them.
"""

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


def authorize_many(items: Sequence[Item | Refusal]) -> list[Result]:
    """The answer or the refusal of each item, in their order. Where auto-recharge should run first it runs
    inside the call, and the item is asked again.
    """
    prepared = prepare(items)
    requests = requests_of(prepared)
    outcomes = holds.place(requests)
    results = answer(items, prepared, outcomes)
    transaction.on_commit(lambda: nudge(requests, outcomes))
    return results


def prepare(items: Sequence[Item | Refusal]) -> list[PlaceRequest | Refusal]:
    """Each item priced, or why it cannot be."""
    return [item if isinstance(item, Refusal) else _prepared(item) for item in items]


def requests_of(prepared: Sequence[PlaceRequest | Refusal]) -> list[PlaceRequest]:
    """What is left for the ledger to decide."""
    return [request for request in prepared if isinstance(request, PlaceRequest)]


def answer(
    items: Sequence[Item | Refusal],
    prepared: Sequence[PlaceRequest | Refusal],
    outcomes: Sequence[Outcome],
) -> list[Result]:
    """What became of each item, from the outcomes of those that were asked, in the same order."""
    decided = iter(outcomes)
    results: list[Result] = []
    for item, request in zip(items, prepared, strict=True):
        if isinstance(item, Item) and isinstance(request, PlaceRequest):
            results.append(_result(item, request, next(decided)))
        elif isinstance(request, Refusal):
            results.append(request)
    return results


def nudge(requests: Sequence[PlaceRequest], outcomes: Sequence[Outcome]) -> None:
    """Have the worker recharge each account that the batch left below its threshold, and tell of limits it met."""
    for request, outcome in zip(requests, outcomes, strict=True):
        if limit_notices.concerns(outcome):
            limit_notices.nudge(outcome, request.account, request.api_key)
    for account_id in {
        request.account for request, outcome in zip(requests, outcomes, strict=True) if outcome.get("low")
    }:
        auto_recharge.nudge(account_id)


def _prepared(item: Item) -> PlaceRequest | Refusal:
    try:
        return charges.prepare(item.customer, item.wanted, item.caller)
    except Refusal as refusal:
        return refusal


def _result(item: Item, request: PlaceRequest, outcome: Outcome) -> Result:
    try:
        if outcome["code"] == "recharge":
            outcome = charges.recharge_and_place(request)
        return charges.authorized(outcome, item.customer)
    except Refusal as refusal:
        return refusal
