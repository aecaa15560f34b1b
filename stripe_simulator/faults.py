"""Scripted faults: what goes wrong with the nth request to a path, by order of a test."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from stripe_simulator.store import Store
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError, lock_timeout, rate_limited, server_error

BEFORE: Final = {"error": server_error, "rate_limit": rate_limited, "lock_timeout": lock_timeout}
KINDS: Final = {
    "error": "500 before anything happened",
    "rate_limit": "429 rate_limit before anything happened",
    "lock_timeout": "429 lock_timeout before anything happened",
    "refuse": "connection closed before anything happened",
    "delay": "waits `seconds`, then works; its idempotency key is in use meanwhile",
    "error_after": "500 although the request took effect",
    "drop": "connection closed although the request took effect",
    "timeout": "the request takes effect, then nothing is answered for `seconds`, then the connection is "
    "closed",
    "slow": "the request takes effect, and is answered after `seconds`",
}


@dataclass(frozen=True)
class Fault:
    kind: str
    seconds: float

    def refusal(self) -> StripeError | None:
        """The error to answer instead of doing the work."""
        make = BEFORE.get(self.kind)
        return make() if make else None


def script(store: Store, order: Json) -> int:
    """Add a fault; its id. Raises ValueError with a sentence for an order that makes no sense."""
    kind = order.get("kind")
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    known = {"kind", "method", "path", "nth", "times", "seconds"}
    if unknown := set(order) - known:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; a fault has {', '.join(sorted(known))}")
    cursor = store.db.execute(
        "INSERT INTO faults (method, path, kind, skip, times, seconds) VALUES (?, ?, ?, ?, ?, ?)",
        (
            str(order.get("method", "*")).upper(),
            str(order.get("path", "*")),
            kind,
            int(order.get("nth", 1)) - 1,
            int(order.get("times", 1)),
            float(order.get("seconds", 90)),
        ),
    )
    return int(cursor.lastrowid or 0)


def strike(store: Store, method: str, path: str) -> Fault | None:
    """The fault that hits this request, if any. Every matching order counts the request."""
    struck: Fault | None = None
    for row in store.db.execute("SELECT * FROM faults WHERE times > 0 ORDER BY id").fetchall():
        if not (fnmatchcase(method, row["method"]) and fnmatchcase(path, row["path"])):
            continue
        if row["skip"] > 0:
            store.db.execute("UPDATE faults SET skip = skip - 1 WHERE id = ?", (row["id"],))
        elif struck is None:
            store.db.execute("UPDATE faults SET times = times - 1 WHERE id = ?", (row["id"],))
            struck = Fault(row["kind"], row["seconds"])
    return struck
