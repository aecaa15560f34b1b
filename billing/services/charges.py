"""Charges: authorize, settle, void, refund, expire, estimate. One verb, one function.

``prepare`` and ``prepare_finish`` price a request without touching the database, the ledger's one call decides, and
``authorized`` and ``finished`` say what became of it. The web server's lane runs the same three steps with the call
shared by many requests; the functions here run them one after the other.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction

from billing.errors import ConfirmationRequired, InvalidState
from billing.ledger import clock, holds, refunds, reports
from billing.ledger.errors import OtherUnit
from billing.ledger.holds import FinishRequest, Outcome, PlaceRequest
from billing.ledger.models import Charge
from billing.selectors.identities import Identity
from billing.services import auto_recharge, deliveries, limit_notices, quotes
from billing.services.deliveries import Facts, Result, no_such_charge
from billing.services.quotes import Wanted
from billing.services.refusals import finish_refusal, place_refusal
from catalog import snapshot
from catalog.pricing.units import micros_to_text
from config.ids import parse_id, public_id

ROUTING = ("provider", "provider_name", "executed_model", "upstream_id")
RECHARGE_TRIES = 3
PRICED_ANEW: Final = 10
"""How often a settle is priced in all while others report phases of the same work. Each report names one that was not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The service that asks, and its Idempotency-Key with the hash of the request it stands for."""

    service_key: uuid.UUID | None = None
    idem: str | None = None
    hash: str | None = None


Body = dict[str, Any]


def prepare(customer: Identity, wanted: Wanted, caller: Caller) -> PlaceRequest:
    """Price and gate a request; what is left for the ledger is whether the account can afford it.

    Raises NotOffered, InvalidRequest, ModelUnavailable, ConfirmationRequired.
    """
    priced = quotes.price(customer, wanted)
    quotes.refuse_closed(customer, priced)
    if priced.quote.requires_confirmation and not wanted.confirm:
        raise ConfirmationRequired(
            "This is expensive. Show the customer the estimate, and send the request again with confirm: true.",
            **quotes.estimate_body(priced),
        )
    assert customer.account_id is not None
    quote, count = priced.quote, quotes.count_of(customer, priced)
    return PlaceRequest(
        account=customer.account_id,
        amount=priced.hold,
        estimate=quote.micros if priced.hold != quote.micros else None,
        needs=quote.gate.needs_available,
        settle_now=quote.charge_on == "acceptance",
        ttl=quote.hold_ttl,
        model=wanted.model,
        operation=wanted.operation,
        description=priced.label,
        parameters=dict(quote.parameters),
        lines=priced.kept_lines(),
        price_book=priced.terms.book.id,
        counted_in=quote.unit,
        reference=wanted.reference,
        api_key=customer.key_id,
        service_key=caller.service_key,
        owner=caller.service_key,
        idem=caller.idem,
        hash=caller.hash,
        recharge=True,
        relaxed=snapshot.current().terms(customer.profile).low_balance is not None,
        count_scope=None if count is None else count.scope,
        count_limit=None if count is None else count.limit,
        count_since=None if count is None else count.anchor,
    )


def authorized(outcome: Outcome, customer: Identity) -> Body:
    """The answer to an authorize call. Raises the refusal the ledger decided on."""
    if outcome["code"] not in ("authorized", "settled"):
        raise place_refusal(outcome, customer)
    cost = {"cost": micros_to_text(outcome["amount"])} if outcome["code"] == "settled" else {}
    return {
        "id": _charge_id(outcome),
        "status": outcome["code"],
        "unit": outcome["unit"],
        "metadata": {"cost_estimate": micros_to_text(_estimate(outcome)), **cost},
        "hold": "0" if cost else micros_to_text(outcome["amount"]),
        **_standing(outcome),
        "held": micros_to_text(outcome["held"]),
        "authorized_at": _instant(outcome["authorized_at"]),
        "expires_at": None if cost else _instant(outcome["expires_at"]),
    }


def place(request: PlaceRequest) -> Outcome:
    """Ask the ledger; where auto-recharge should run first, run it inside this request and ask once more."""
    outcome = holds.place([request])[0]
    if outcome["code"] == "recharge":
        outcome = recharge_and_place(request)
    elif outcome.get("low"):
        transaction.on_commit(lambda: auto_recharge.nudge(request.account))
    if limit_notices.concerns(outcome):
        transaction.on_commit(lambda: limit_notices.nudge(outcome, request.account, request.api_key))
    return outcome


def recharge_and_place(request: PlaceRequest) -> Outcome:
    """The customer's card is charged now if need be; whatever came of it, the ledger decides after.

    What came in may be spent by requests that waited for the same payment: who is left without tries again,
    a few times at most.
    """
    needed = max(request.amount, request.needs)
    for _ in range(RECHARGE_TRIES):
        if not auto_recharge.recharge_now(request.account, needed):
            break
        outcome = holds.place([request])[0]
        if outcome["code"] != "recharge":
            return outcome
        if outcome["available"] >= needed:
            break
    request.recharge = False
    return holds.place([request])[0]


def authorize(customer: Identity, wanted: Wanted, caller: Caller) -> tuple[Body, bool]:
    """Price, gate, and set aside (or charge at once) one piece of work; answers body and whether it is a replay."""
    outcome = place(prepare(customer, wanted, caller))
    return authorized(outcome, customer), "replayed" in outcome


def prepare_finish(charge: Facts, result: Result, caller: Caller) -> FinishRequest:
    """Price what was delivered, or what of it is reported while the rest goes on. Raises InvalidRequest, NotOffered."""
    delivered = deliveries.price(charge, result)
    return FinishRequest(
        id=charge.id,
        action="report" if result.partial else "settle",
        cost=delivered.cost,
        outputs=delivered.outputs,
        lines=delivered.lines,
        phases=delivered.phases,
        known=len(charge.reports or ()),
        hold=delivered.hold,
        routing=result.routing,
        service_key=caller.service_key,
        owner=caller.service_key,
        idem=caller.idem,
        hash=caller.hash,
    )


FINISHED: Final = {
    "settled": "settled",
    "already": "settled",
    "reported": "authorized",
    "repeated": "authorized",
}
"""What the charge is after a settle that the ledger took, by its word for it."""


def finished(outcome: Outcome, request: FinishRequest) -> Body:
    """The answer to a settle or void call. Raises the refusal the ledger decided on."""
    status = "voided" if request.action == "void" else FINISHED.get(outcome["code"])
    if status is None or outcome["code"] not in (*FINISHED, "voided"):
        raise finish_refusal(outcome)
    cost = outcome["cost"]
    if status == "authorized":
        returned, more = outcome["returned"], {"hold": micros_to_text(outcome["hold"])}
    else:
        returned, more = max(0, outcome["amount"] - cost), {}
    if outcome["uncollected"]:
        more["uncollected"] = micros_to_text(outcome["uncollected"])
    return {
        "id": _charge_id(outcome),
        "status": status,
        "unit": outcome["unit"],
        "metadata": {
            "cost": micros_to_text(cost),
            "cost_estimate": micros_to_text(_estimate(outcome)),
            **{name: outcome.get("routing", request.routing or {}).get(name) for name in ROUTING},
        },
        "returned": micros_to_text(returned),
        **more,
        **_standing(outcome),
    }


def settle(charge_id: uuid.UUID, result: Result, caller: Caller) -> tuple[Body, bool]:
    """The hold becomes a charge at the actual cost; the rest returns at once. A repeat at the same cost answers the same.

    A partial result is remembered, and what the hold needs no longer returns. Where others report at the same moment
    the price is made anew, with what they said.
    """
    for _ in range(PRICED_ANEW):
        request = prepare_finish(deliveries.facts(charge_id), result, caller)
        outcome = holds.finish([request])[0]
        if outcome["code"] != "stale":
            break
    nudge_if_low(outcome)
    return finished(outcome, request), "replayed" in outcome


def nudge_if_low(outcome: Outcome) -> None:
    """Have auto-recharge look at an account that a settle left low."""
    if outcome.get("low"):
        account_id = uuid.UUID(outcome["account"])
        transaction.on_commit(lambda: auto_recharge.nudge(account_id))


def void_request(charge_id: uuid.UUID, reason: str, caller: Caller) -> FinishRequest:
    """The ledger's request for a void."""
    return FinishRequest(
        id=charge_id,
        action="void",
        reason=reason,
        service_key=caller.service_key,
        owner=caller.service_key,
        idem=caller.idem,
        hash=caller.hash,
    )


def void(charge_id: uuid.UUID, reason: str, caller: Caller) -> tuple[Body, bool]:
    """The hold ends with nothing charged."""
    request = void_request(charge_id, reason, caller)
    outcome = holds.finish([request])[0]
    return finished(outcome, request), "replayed" in outcome


def refund(charge_id: uuid.UUID, micros: int | None, reason: str) -> Body:
    """Give a settled charge back, whole (None) or in part: the opposite is posted, the credits are there at once.

    Raises NotFound, InvalidState.
    """
    try:
        posted = refunds.refund_charge(charge_id=charge_id, micros=micros, reason=reason)
    except Charge.DoesNotExist as error:
        raise no_such_charge() from error
    except refunds.NotRefundable as error:
        raise InvalidState(
            f"This charge is {error.status}; {micros_to_text(error.refundable)} of it can be refunded.",
            refundable=micros_to_text(error.refundable),
        ) from error
    except OtherUnit as error:
        raise _in_a_unit_left(charge_id, micros, error) from error
    charge = Charge.objects.get(pk=charge_id)
    return {
        "id": charge.public_id,
        "status": charge.status,
        "unit": charge.unit,
        "amount": micros_to_text(posted.amount),
        "refunded": micros_to_text(charge.refunded),
        "transaction": posted.public_id,
        "balance": micros_to_text(posted.balance_after),
        "metadata": {
            "cost": micros_to_text((charge.cost or 0) - charge.refunded),
            "cost_estimate": micros_to_text(charge.amount if charge.estimate is None else charge.estimate),
            **{name: charge.routing.get(name) for name in ROUTING},
        },
    }


def _in_a_unit_left(charge_id: uuid.UUID, micros: int | None, error: OtherUnit) -> InvalidState:
    """A charge from before the account changed its unit: says what staff give back instead, in the unit of today."""
    charge = Charge.objects.select_related("account").get(pk=charge_id)
    left = (charge.cost or 0) - charge.refunded
    amount = left if micros is None else min(micros, left)
    terms = snapshot.current().terms(charge.account.profile)
    worth = terms.credits_for(terms.cash_for(amount, error.unit), error.counted_in)
    return InvalidState(
        f"This charge was paid in {error.unit} and the account is counted in {error.counted_in} by now. Staff give it back "
        f"by adjusting the balance: {micros_to_text(amount)} {error.unit} is {micros_to_text(worth)} {error.counted_in}; "
        f"write {charge.public_id} as the reason.",
        unit=error.unit,
        worth=micros_to_text(worth),
    )


def expire_due(limit: int = 500) -> int:
    """End the holds whose time is over; returns how many. Each hold ends once, whoever else is ending it.

    What was reported of their work until then is charged; a hold of which nothing was reported is given back whole.
    """
    due = Charge.objects.filter(status="authorized", expires_at__lte=clock.now()).order_by("expires_at")
    requests = [
        FinishRequest(id=charge_id, action="expire", reason=reports.TIMED_OUT)
        for charge_id in due.values_list("id", flat=True)[:limit]
    ]
    ended = [outcome for outcome in holds.finish(requests) if outcome["code"] in ("settled", "voided")]
    for outcome in ended:
        if outcome["code"] == "settled":
            nudge_if_low(outcome)
    return len(ended)


def expire_all_due(batch: int = 500) -> int:
    """End every hold whose time is over, some at a time; returns how many."""
    total = 0
    while (ended := expire_due(batch)) > 0:
        total += ended
    return total


def charge_id_of(text: str) -> uuid.UUID:
    """The charge a shown id names. Raises NotFound for anything else."""
    charge_id = parse_id("ch", text)
    if charge_id is None:
        raise no_such_charge()
    return charge_id


def _charge_id(outcome: Outcome) -> str:
    return public_id("ch", uuid.UUID(outcome["id"]))


def _estimate(outcome: Outcome) -> int:
    """What the work should cost. Answers kept for replays from before holds could be larger have the hold alone."""
    estimate: int = outcome["estimate"] if "estimate" in outcome else outcome["amount"]
    return estimate


def _standing(outcome: Outcome) -> Body:
    return {
        "balance": micros_to_text(outcome["balance"]),
        "available": micros_to_text(outcome["available"]),
    }


def _instant(text: str) -> str:
    """The database's timestamp as RFC 3339 with Z."""
    return text.replace("+00:00", "Z")
