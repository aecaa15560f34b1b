"""What a piece of work costs a customer by what was agreed with them, and whether it is open to them.

Pure but for the snapshots in memory: no database on the way of a request. What the plan and its monthly count
open is decided here and in the ledger's call; ``gate`` says the same to who only asks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from billing.errors import InvalidRequest, ModelUnavailable, NotOffered
from billing.selectors import hold_margins, offers
from billing.selectors.api import instant
from billing.selectors.identities import Identity
from billing.selectors.offers import Terms
from billing.services import periods
from catalog import snapshot
from catalog.pricing import engine, gates
from catalog.pricing import errors as pricing
from catalog.pricing.book import CompiledItem
from catalog.pricing.types import Discount, Quote
from catalog.pricing.units import micros_to_text
from catalog.terms import Plan

Line = dict[str, Any]
OFFERS: Final = "offers"
"""Under this name the first estimate line of a charge keeps the discounts it was authorized with."""


LARGEST: Final = 10**18
"""Micros that one piece of work may cost: what an amount of twelve digits comes to."""

CALENDAR: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Periods counted from here are calendar months (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One piece of work a customer asks for; ``reference`` is the caller's own id."""

    model: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""
    confirm: bool = False


@dataclass(frozen=True, slots=True)
class Priced:
    """A quote, what it was priced by, and the customer's plan."""

    quote: Quote
    terms: Terms
    discounts: tuple[Discount, ...]
    plan: Plan | None
    label: str
    hold: int
    """The micros to set aside until the work is settled: the estimate, or more where the profile says so."""

    def lines(self) -> list[Line]:
        """The lines as everybody reads them."""
        return lines_of(self.quote, self.discounts)

    def kept_lines(self) -> list[Line]:
        """The lines as the charge keeps them: with what settling needs of the offers."""
        found = self.lines()
        if self.discounts:
            found[0][OFFERS] = offers.kept(self.discounts)
        return found


@dataclass(frozen=True, slots=True)
class Count:
    """A monthly count of the plan: at most ``limit`` (None: any number) of ``scope`` from ``since`` until ``resets_at``.

    Periods are counted from ``anchor``; in which one a request is accepted is decided by the ledger's clock.
    """

    scope: str
    limit: int | None
    anchor: datetime
    since: datetime
    resets_at: datetime


def price(customer: Identity, wanted: Wanted, at: datetime | None = None) -> Priced:
    """The estimate for this customer at a moment (now). Raises NotOffered, InvalidRequest."""
    asked = datetime.now(UTC)
    moment = at or asked
    terms = offers.terms_of(customer.account_id, customer.profile, customer.mode, moment)
    discounts = terms.covering(wanted.model, wanted.operation)
    try:
        quote = engine.estimate(
            terms.book, wanted.model, wanted.operation, wanted.parameters, discounts=discounts
        )
    except pricing.NotOffered as error:
        raise NotOffered(str(error)) from error
    except pricing.InvalidParameter as error:
        raise invalid_parameter("parameters", error) from error
    state = snapshot.current()
    item = terms.book.item(wanted.model, wanted.operation)
    if moment >= asked:
        _refuse_switched_off(state.switched_off(customer.profile, item), item)
    plan = state.terms(customer.profile).plan(customer.plan)
    hold = quote.micros
    if quote.charge_on == "settlement":
        hold = hold_margins.hold(customer.profile, wanted.model, wanted.operation, hold)
    refuse_beyond_reach("parameters", hold)
    return Priced(quote, terms, discounts, plan, item.spec.label, hold)


def refuse_beyond_reach(where: str, micros: int) -> None:
    """Raises InvalidRequest for a cost that no amount can be written for."""
    if micros > LARGEST:
        raise InvalidRequest(
            f"The {where} come to more than can be charged at once.",
            [{"field": where, "message": "come to more than can be charged at once"}],
        )


def _refuse_switched_off(off: CompiledItem | None, item: CompiledItem) -> None:
    if off is item:
        raise NotOffered(f"{item.spec.label} is not offered at present.")
    if off is not None:
        raise NotOffered(
            f"{item.spec.label} is not offered at present: {off.spec.label}, which is part of it, is switched off."
        )


def lines_of(quote: Quote, discounts: tuple[Discount, ...]) -> list[Line]:
    """A quote's lines; the one whose unit price an offer agreed on names the offer."""
    found: list[Line] = [*quote.lines_json()]
    agreed = [offer for offer in discounts if offer.price is not None]
    if agreed:
        best = min(agreed, key=lambda offer: offer.price or 0)
        found[0]["what"] = f"{found[0]['what']} ({best.label})"
    return found


def refuse_closed(customer: Identity, priced: Priced) -> None:
    """Raises ModelUnavailable where the customer's plan does not open the work, with what would."""
    reason = gates.refusal(priced.quote, priced.plan)
    if reason is not None:
        raise ModelUnavailable(reason, opens={"plan": priced.quote.gate.plan_tier})
    count = count_of(customer, priced)
    if count is not None and count.limit == 0:
        raise count_refusal(customer, count.scope, 0)


def count_of(customer: Identity, priced: Priced, at: datetime | None = None) -> Count | None:
    """The monthly count the work draws on; None where it draws on none or the account has no plan."""
    scope = priced.quote.gate.monthly_limit
    if scope is None or priced.plan is None:
        return None
    since, until = count_period(customer, at or datetime.now(UTC))
    allowance = gates.monthly_allowance(priced.quote, priced.plan)
    return Count(scope, allowance, customer.anchor or CALENDAR, since, until)


def count_period(customer: Identity, moment: datetime) -> tuple[datetime, datetime]:
    """Start and end of the period monthly counts are for: the subscription's, else the calendar month (UTC)."""
    anchor = customer.anchor or CALENDAR
    return periods.period(anchor, periods.number_at(anchor, moment))


def count_refusal(customer: Identity, scope: str, limit: int) -> ModelUnavailable:
    """The plan's count is used up: says when it resets and which plan has more."""
    terms = snapshot.current().terms(customer.profile)
    plan = terms.plan(customer.plan)
    mine = plan.name if plan is not None else "This account"
    what = scope.replace("-", " ")
    _, resets = count_period(customer, datetime.now(UTC))
    more = _plan_with_more(customer, scope, limit)
    used = (
        f"{mine} includes {limit} {what} a month, and they are used."
        if limit
        else f"{mine} includes no {what}."
    )
    reset = f" The count starts anew on {resets:%d %B %Y} (UTC)" if limit else ""
    joint = "; " if reset else " "
    wider = (
        f"{joint}{more.name} includes {more.monthly_limits.get(scope, 'more')}" if more is not None else ""
    )
    return ModelUnavailable(
        f"{used}{reset}{wider}{'.' if reset or wider else ''}",
        opens={
            "plan": more.slug if more is not None else None,
            "resets_at": instant(resets) if limit else None,
        },
        count=scope,
        count_limit=limit,
    )


def gate(customer: Identity, priced: Priced, *, available: int, used: int | None) -> dict[str, Any]:
    """Whether the work is open to the customer with so much available and so many counted, and what opens it."""
    quote, plan = priced.quote, priced.plan
    closed = gates.refusal(quote, plan)
    opens: dict[str, Any] = {"plan": quote.gate.plan_tier} if closed else {}
    count = count_of(customer, priced)
    if closed is None and count is not None and count.limit is not None and (used or 0) >= count.limit:
        refusal = count_refusal(customer, count.scope, count.limit)
        closed, opens = refusal.detail, refusal.extra["opens"]
    if closed is None and (closed := gates.balance_refusal(quote, available)) is not None:
        opens = {"available": micros_to_text(quote.gate.needs_available)}
    return {
        "open": closed is None,
        "reason": closed,
        "opens": opens or None,
        "plan": quote.gate.plan_tier,
        "needs_available": micros_to_text(quote.gate.needs_available) if quote.gate.needs_available else None,
        "monthly": None
        if count is None
        else {
            "count": count.scope,
            "limit": count.limit,
            "used": used or 0,
            "resets_at": instant(count.resets_at),
        },
        "confirmation": quote.requires_confirmation,
    }


def estimate_body(priced: Priced) -> dict[str, Any]:
    """What a request should cost, with its lines and, where it is approximate, its range."""
    quote = priced.quote
    return {
        "cost_estimate": micros_to_text(quote.micros),
        "range": quote.range_json(),
        "unit": quote.unit,
        "lines": priced.lines(),
        "approximate": quote.approximate,
    }


def invalid_parameter(where: str, error: pricing.InvalidParameter) -> InvalidRequest:
    """What is wrong with parameters or outputs, as the API and the pages tell it."""
    return InvalidRequest(
        f"The {where} are not what this operation takes.",
        [{"field": f"{where}.{field}", "message": message} for field, message in error.problems],
    )


def _plan_with_more(customer: Identity, scope: str, limit: int) -> Plan | None:
    """The lowest plan on offer that includes more than this of a count."""
    terms = snapshot.current().terms(customer.profile)
    wider = [
        plan for plan in terms.plans if plan.active and plan.monthly_limits.get(scope, limit + 1) > limit
    ]
    mine = terms.plan(customer.plan)
    above = [plan for plan in wider if mine is None or plan.rank > mine.rank]
    return min(above, key=lambda plan: plan.rank, default=None)
