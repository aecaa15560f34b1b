"""What was delivered, and what it costs by the prices of the moment of authorization. Nothing here touches the ledger.

Phases of a pipeline may be reported while the work goes on. What was reported earlier is part of every price, so a price
goes with the number of reports it was made with: the ledger has it made anew where another report came meanwhile.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from billing.errors import InvalidRequest, NotFound, NotOffered
from billing.ledger.models import Charge
from billing.ledger.reports import Reports, Told, first_hold, told
from billing.selectors import offers
from billing.services import quotes
from catalog import snapshot
from catalog.pricing import engine
from catalog.pricing import errors as pricing
from catalog.pricing.book import PriceBook
from catalog.pricing.rounding import share_up
from catalog.pricing.types import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the work turned out to be: its outputs, or a cost in micros that overrides them, and where it ran.

    ``partial``: what became of some of its phases, while the rest goes on.
    """

    outputs: dict[str, Any] | None = None
    cost: int | None = None
    routing: dict[str, str] = field(default_factory=dict)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What settling needs of a charge: how it was priced when it was authorized, and what was reported of it since."""

    id: uuid.UUID
    model: str
    operation: str
    parameters: Mapping[str, Any]
    price_book: uuid.UUID | None
    amount: int
    unit: str
    estimate: int | None = None
    reports: Reports = None
    offers: list[dict[str, str]] | None = None
    """The discounts it was authorized with, as ``offers.kept`` writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The price of a delivery in micros, its outputs and lines, and what they say of which phases.

    ``hold`` is what a report of phases leaves held: for what is reported, and for what is still to come.
    """

    cost: int
    outputs: dict[str, Any] | None
    lines: list[quotes.Line] | None = None
    phases: Told | None = None
    hold: int | None = None


def facts(charge_id: uuid.UUID) -> Facts:
    """How a charge was priced, and what was reported of it. Raises NotFound."""
    row = (
        Charge.objects.filter(pk=charge_id)
        .values_list(
            "id",
            "model",
            "operation",
            "parameters",
            "price_book_id",
            "amount",
            "unit",
            "estimate",
            "reports",
            "estimate_lines",
        )
        .first()
    )
    if row is None:
        raise no_such_charge()
    return Facts(*row[:9], offers_of(row[9]))


def offers_of(lines: list[dict[str, Any]]) -> list[dict[str, str]] | None:
    """The discounts a charge's estimate lines keep."""
    return lines[0].get(quotes.OFFERS) if lines else None


def no_such_charge() -> NotFound:
    return NotFound("There is no such charge.")


def price(charge: Facts, result: Result) -> Delivered:
    """Price what was delivered, or what was reported of it; a given cost overrides.

    With neither outputs nor cost, and nothing reported before, the work is taken as delivered as asked. Raises
    InvalidRequest, NotOffered.
    """
    if result.partial:
        return _reported(charge, result)
    outputs, phases = result.outputs, None
    if charge.reports:
        new = _told(charge, outputs) if outputs and outputs.get("phases") is not None else {}
        phases = new or None
        outputs = {**(outputs or {}), "phases": new | told(charge.reports)}
    if result.cost is not None:
        _refuse_cost_of_what_is_free(charge, result.cost)
        return Delivered(cost=result.cost, outputs=outputs, phases=phases)
    if charge.price_book is None:
        return Delivered(cost=charge.amount, outputs=outputs, phases=phases)
    cost, lines = _effective(charge, outputs or {})
    return Delivered(cost=cost, outputs=outputs, lines=lines, phases=phases)


def _refuse_cost_of_what_is_free(charge: Facts, cost: int) -> None:
    """What was shown as free (profile ``sites``) costs nothing, whatever it took. Raises InvalidRequest."""
    if cost and charge.price_book and _book(charge).item(charge.model, charge.operation).spec.is_free:
        raise InvalidRequest(
            "This work is free: it is settled at 0.",
            [{"field": "cost", "message": "must be 0: this is free"}],
        )


def _reported(charge: Facts, result: Result) -> Delivered:
    """What the reports come to with this one, and what stays held: that, and what should come for the rest.

    The rest is held as the whole was: above its estimate where the profile's holds follow what work turned out to cost.
    """
    given = result.outputs or {}
    if wrong := _not_of_a_report(result):
        raise InvalidRequest(
            "A partial settle says in outputs.phases what became of some phases, and nothing else.",
            [{"field": name, "message": message} for name, message in wrong.items()],
        )
    phases = _told(charge, given)
    outputs = {"phases": phases | told(charge.reports)}
    cost, lines = _effective(charge, outputs)
    rest = max(0, _quote(charge, outputs, unfinished=True).micros - cost)
    held = first_hold(charge.amount, charge.reports)
    hold = cost + share_up(rest, held, charge.estimate or held or 1)
    return Delivered(cost=cost, outputs=outputs, lines=lines, phases=phases, hold=hold)


def _not_of_a_report(result: Result) -> dict[str, str]:
    """What a partial settle has and must not have, or lacks, by field."""
    given = result.outputs or {}
    wrong = {
        f"outputs.{name}": "is not part of a partial settle; say it in its phase"
        for name in given
        if name != "phases"
    }
    if not given.get("phases"):
        wrong["outputs.phases"] = "is required with partial"
    if result.cost is not None:
        wrong["cost"] = "is what the whole costs; in a partial settle each phase may have its own"
    return wrong


def _told(charge: Facts, outputs: Mapping[str, Any]) -> Told:
    try:
        return engine.told(_book(charge), charge.model, charge.operation, outputs)
    except pricing.InvalidParameter as error:
        raise quotes.invalid_parameter("outputs", error) from error


def _effective(charge: Facts, outputs: Mapping[str, Any]) -> tuple[int, list[quotes.Line]]:
    """The effective cost, with its lines."""
    quote = _quote(charge, outputs)
    return quote.micros, quotes.lines_of(quote, offers.of_kept(charge.offers or []))


def _quote(charge: Facts, outputs: Mapping[str, Any], *, unfinished: bool = False) -> Quote:
    """By the version and the offers of its authorization."""
    try:
        quote = engine.effective(
            _book(charge),
            charge.model,
            charge.operation,
            charge.parameters,
            outputs,
            discounts=offers.of_kept(charge.offers or []),
            unfinished=unfinished,
        )
    except pricing.NotOffered as error:
        raise NotOffered(str(error)) from error
    except pricing.InvalidParameter as error:
        raise quotes.invalid_parameter("outputs", error) from error
    quotes.refuse_beyond_reach("outputs", quote.micros)
    return quote


def _book(charge: Facts) -> PriceBook:
    if charge.price_book is None:
        message = "has no phases; it is settled as a whole"
        raise InvalidRequest(f"This work {message}.", [{"field": "outputs.phases", "message": message}])
    return snapshot.current().book_by_id(charge.price_book)
