"""How many requests a key or address may send: a token bucket each, in this process's memory.

Every web process counts for itself: with N processes a caller may reach N times the figure. That is meant as
protection of a process against a runaway client, not as a quota of a contract.
"""

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from django.conf import settings

from billing.errors import RateLimited

_SECOND: Final = 1_000_000_000
_FORGET_AT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size (``burst`` requests) and what flows back into it (``refill`` requests a second)."""

    burst: int
    refill: int

    @property
    def window(self) -> int:
        """Whole seconds from empty to full."""
        return -(-self.burst // self.refill)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the request may go on, and what is left."""

    rate: Rate
    remaining: int
    retry_after: int
    """Seconds until the refused request would be taken; 0 when it was."""

    @property
    def allowed(self) -> bool:
        return self.retry_after == 0

    def headers(self) -> dict[str, str]:
        """The usual headers, in the form of the IETF's drafts before and since they were merged into two."""
        reset = -(-(self.rate.burst - self.remaining) // self.rate.refill)
        return {
            "RateLimit-Limit": str(self.rate.burst),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(reset),
            "RateLimit-Policy": f'"default";q={self.rate.burst};w={self.rate.window}',
            "RateLimit": f'"default";r={self.remaining};t={reset}',
        }


class Throttle:
    """Buckets by caller: each is the moment at which it would be full, in whole nanoseconds."""

    def __init__(self) -> None:
        self._full_at: dict[Hashable, int] = {}
        self._lock = threading.Lock()

    def take(self, caller: Hashable, rate: Rate, cost: int = 1) -> Decision:
        """Take ``cost`` requests from the caller's bucket, all or none."""
        moment = time.monotonic_ns()
        each = _SECOND // rate.refill
        size = rate.burst * each
        with self._lock:
            owed = max(0, self._full_at.get(caller, 0) - moment)
            after = owed + cost * each
            if after > size:
                return Decision(rate, (size - owed) // each, -(-(after - size) // _SECOND))
            if len(self._full_at) >= _FORGET_AT:
                self._full_at = {who: full for who, full in self._full_at.items() if full > moment}
            self._full_at[caller] = moment + after
        return Decision(rate, (size - after) // each, 0)

    def clear(self) -> None:
        """Everyone starts again with a full bucket."""
        with self._lock:
            self._full_at.clear()


throttle: Final = Throttle()


def rate_of(kind: str) -> Rate:
    """The rate of a ``customer`` key, a ``service`` key or an ``anonymous`` address."""
    return Rate(*settings.API_RATES[kind])


class Throttled(RateLimited):
    """The bucket is empty; ``decision`` says when it is not."""

    def __init__(self, decision: Decision) -> None:
        wait = decision.retry_after
        super().__init__(
            f"Too many requests. Try again in {wait} second{'' if wait == 1 else 's'}.", retry_after=wait
        )
        self.decision = decision


def check(kind: str, caller: Hashable, cost: int = 1) -> Decision:
    """Take ``cost`` requests from the bucket of a key's id or an address. Raises Throttled."""
    decision = throttle.take((kind, caller), rate_of(kind), cost)
    if not decision.allowed:
        raise Throttled(decision)
    return decision
