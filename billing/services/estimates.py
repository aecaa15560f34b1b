"""What a piece of work would cost this customer, and whether they could have it now. Changes nothing."""

import uuid
from datetime import datetime
from typing import Any

from django.utils.timezone import now

from billing.ledger import balances, clock, key_limits
from billing.ledger.balances import BalanceView
from billing.selectors import counts
from billing.selectors.api import instant
from billing.selectors.identities import Identity
from billing.services import quotes
from billing.services.quotes import Priced, Wanted
from catalog.pricing.units import micros_to_text


def estimate(customer: Identity, wanted: Wanted, at: datetime | None = None) -> dict[str, Any]:
    """The estimate with its lines, and what would be left. Raises NotOffered, InvalidRequest.

    ``at``: by the prices and agreements of another moment, past or scheduled; balance and gates are today's.
    ``closed`` says why a gate keeps the account from it although it has a price, ``gate`` the same in parts.
    """
    if customer.account_id is None:
        raise ValueError("an estimate is for an account")
    priced = quotes.price(customer, wanted, at)
    standing = balances.of(customer.account_id)
    state = gate_state(customer, priced, standing)
    return {
        **quotes.estimate_body(priced),
        "requires_confirmation": priced.quote.requires_confirmation,
        "sufficient": state["open"] and covers(standing, priced, customer.key_id),
        "available_after": micros_to_text(standing.available - priced.quote.micros),
        "closed": state["reason"],
        "gate": state,
        "as_of": instant(at or now()),
        "price_book": book_body(priced),
    }


def gate_state(customer: Identity, priced: Priced, standing: BalanceView) -> dict[str, Any]:
    """Whether the work is open to the customer now, and what opens it."""
    count = quotes.count_of(customer, priced)
    used = (
        None
        if count is None or customer.account_id is None
        else counts.used(customer.account_id, count.scope, count.since)
    )
    return quotes.gate(customer, priced, available=standing.available, used=used)


def book_body(priced: Priced) -> dict[str, Any]:
    """Which version of the prices it was, and until when the account keeps it where that was agreed."""
    info, lock = priced.terms.book.info, priced.terms.lock
    last = lock.last_moment() if lock is not None else None
    return {
        "version": info.version,
        "effective_at": None if info.effective_at is None else instant(info.effective_at),
        "locked_until": None if last is None else instant(last),
    }


def covers(standing: BalanceView, priced: Priced, key_id: uuid.UUID | None = None) -> bool:
    """Whether balance, spending limit and the key's own limits are enough for the hold now. Free work always is."""
    needed = priced.hold
    if not needed:
        return True
    within = standing.spend_limit is None or standing.spent + needed <= standing.spend_limit
    return within and standing.available >= needed and _within_key(key_id, needed)


def _within_key(key_id: uuid.UUID | None, needed: int) -> bool:
    limit = key_limits.of_key(key_id)
    if limit is None:
        return True
    this_month = limit.month_accepted if limit.month == clock.now().date().replace(day=1) else 0
    return (limit.monthly is None or this_month + needed <= limit.monthly) and (
        limit.budget is None or limit.accepted + needed <= limit.budget
    )
