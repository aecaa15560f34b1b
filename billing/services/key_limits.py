"""Limits of single API keys: how much one key may spend a month (UTC) and in all, within the account's own means."""

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from accounts.models import ApiKey
from billing.errors import Forbidden, InvalidState
from billing.ledger import key_limits
from billing.ledger.holds import Outcome
from billing.ledger.models import KeyLimit

Period = Literal["month", "total"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Which limit of a key a request would pass, and what is spent of it, micros."""

    period: Period
    limit: int
    spent: int

    @property
    def left(self) -> int:
        return max(0, self.limit - self.spent)


def set_limits(
    key: ApiKey, *, monthly: int | None, budget: int | None, asked_by: uuid.UUID | None = None
) -> None:
    """Limit a key to ``monthly`` micros per calendar month and ``budget`` in all; None for no limit.

    What it has spent before counts; a key and those that replaced it spend the same limits.
    ``asked_by`` is the key that asks. Raises Forbidden (see ``refuse_limited``), InvalidState.
    """
    assert key.account_id is not None
    if key.revoked_at is not None:
        raise InvalidState(f"“{key.name}” is revoked and spends nothing any more.")
    if asked_by is not None:
        refuse_limited(key.account_id, asked_by)
    key_limits.set_limit(api_key_id=key.pk, account_id=key.account_id, monthly=monthly, budget=budget)


def refuse_limited(account_id: uuid.UUID, asked_by: uuid.UUID | None) -> None:
    """A key under a limit lifts neither its own nor the account's, and has no card charged. Raises Forbidden."""
    if asked_by in key_limits.of(account_id):
        raise Forbidden(
            "A key with a limit of its own cannot change limits or auto-recharge. Use another key or the dashboard."
        )


def first_stop(row: KeyLimit, required: int, month: date) -> Stop | None:
    """The limit that a request of so many micros would pass, the one with less left if both; None: neither."""
    in_month = row.month_accepted if row.month == month else 0
    return _narrowest(row.monthly, in_month, row.budget, row.accepted, required)


def stop_of(outcome: Outcome) -> Stop:
    """The limit that refused this request."""
    known: dict[str, Any] = outcome
    found = _narrowest(
        known["key_monthly"], known["key_month"], known["key_budget"], known["key_total"], known["amount"]
    )
    assert found is not None
    return found


def _narrowest(
    monthly: int | None, in_month: int, budget: int | None, in_all: int, required: int
) -> Stop | None:
    limits: tuple[tuple[Period, int | None, int], ...] = (
        ("month", monthly, in_month),
        ("total", budget, in_all),
    )
    stops = [
        Stop(period, limit, spent)
        for period, limit, spent in limits
        if limit is not None and spent + required > limit
    ]
    return min(stops, key=lambda stop: stop.left, default=None)
