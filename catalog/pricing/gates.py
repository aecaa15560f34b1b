"""Whether a quote is available to an account, and the sentence that says what would open it."""

from collections.abc import Mapping
from typing import Protocol

from catalog.pricing.types import Quote
from catalog.pricing.units import CREDIT, micros_to_text


class Plan(Protocol):
    """What gates need of a plan; ``catalog.terms.Plan`` has it."""

    @property
    def name(self) -> str: ...
    @property
    def rank(self) -> int: ...
    @property
    def monthly_limits(self) -> Mapping[str, int]: ...


def refusal(quote: Quote, plan: Plan | None) -> str | None:
    """Why this plan does not open the quote, naming the plan that does; None when it is open."""
    gate = quote.gate
    if gate.plan_tier is None or (plan is not None and plan.rank >= gate.plan_rank):
        return None
    yours = f"this account is on {plan.name}" if plan is not None else "this account has no plan"
    return f"{_what(quote)} needs the {gate.plan_name} plan or above; {yours}."


def balance_refusal(quote: Quote, available: int) -> str | None:
    """Why this much available (micros) does not open the quote; None when it is open."""
    needs = quote.gate.needs_available
    if available >= needs:
        return None
    unit = "credits" if quote.unit == CREDIT else quote.unit
    return (
        f"{_what(quote)} needs at least {micros_to_text(needs)} {unit} available; "
        f"this account has {micros_to_text(available)}. Add funds to open it."
    )


def monthly_allowance(quote: Quote, plan: Plan | None) -> int | None:
    """How many of these the plan includes a month; None when it does not count them."""
    limit = quote.gate.monthly_limit
    if limit is None or plan is None:
        return None
    return plan.monthly_limits.get(limit)


def _what(quote: Quote) -> str:
    return quote.lines[0].what if len(quote.lines) == 1 else "This request"
