"""Deliveries as rows: one per event, endpoint and copy. The courier sends what is `pending` and due."""

import time
from dataclasses import dataclass
from fnmatch import fnmatchcase

from stripe_simulator.store import Store
from stripe_simulator.values import Json

DEFAULTS: Json = {
    "copies": 1,
    "shuffle": False,
    "delay": 0,
    "hold": False,
    "drop": [],
    "concurrency": 1,
    "retry_seconds": 1,
    "timeout": 20,
}
_LONGEST_RETRY = 60.0


def policy(store: Store) -> Json:
    """How webhooks are delivered now; see DEFAULTS for the names."""
    changed: Json = store.setting("webhooks", {})
    return DEFAULTS | changed


def subscribes(endpoint: Json, event_type: str) -> bool:
    return endpoint["status"] == "enabled" and any(
        wanted in ("*", event_type) for wanted in endpoint["enabled_events"]
    )


def enqueue(store: Store, event: Json) -> int:
    """Queue an event for every endpoint that asked for its type; how many endpoints that are."""
    rule = policy(store)
    endpoints = [entry for entry in store.find("webhook_endpoint") if subscribes(entry, event["type"])]
    dropped = any(fnmatchcase(event["type"], pattern) for pattern in rule["drop"])
    state = "dropped" if dropped else "held" if rule["hold"] else "pending"
    for endpoint in reversed(endpoints):
        for _ in range(rule["copies"]):
            insert(store, event, endpoint["id"], state=state, delay=rule["delay"])
    return len(endpoints)


def insert(store: Store, event: Json, endpoint: str, *, state: str = "pending", delay: float = 0) -> None:
    store.db.execute(
        "INSERT INTO deliveries (event, type, endpoint, state, due) VALUES (?, ?, ?, ?, ?)",
        (event["id"], event["type"], endpoint, state, time.time() + delay),
    )


@dataclass(frozen=True)
class Delivery:
    id: int
    event: str
    endpoint: str
    attempts: int


def take(store: Store, limit: int, *, shuffle: bool) -> list[Delivery]:
    """Due deliveries, marked as being sent."""
    order = "random()" if shuffle else "id"
    rows = store.db.execute(
        f"SELECT id, event, endpoint, attempts FROM deliveries WHERE state = 'pending' AND due <= ? "  # noqa: S608
        f"ORDER BY {order} LIMIT ?",
        (time.time(), limit),
    ).fetchall()
    found = [Delivery(row["id"], row["event"], row["endpoint"], row["attempts"]) for row in rows]
    marks = [(delivery.id,) for delivery in found]
    store.db.executemany("UPDATE deliveries SET state = 'sending' WHERE id = ?", marks)
    return found


def next_due(store: Store) -> float | None:
    """When the next pending delivery is due, in Unix seconds of the real clock."""
    row = store.db.execute("SELECT min(due) AS due FROM deliveries WHERE state = 'pending'").fetchone()
    return None if row["due"] is None else float(row["due"])


def finish(store: Store, delivery: Delivery, status: int | None, answer: str) -> None:
    """Delivered on any 2xx, else due again after a growing pause."""
    accepted = status is not None and 200 <= status < 300
    attempts = delivery.attempts + 1
    pause = min(policy(store)["retry_seconds"] * 2 ** min(delivery.attempts, 16), _LONGEST_RETRY)
    store.db.execute(
        "UPDATE deliveries SET state = ?, attempts = ?, status = ?, answer = ?, due = ? WHERE id = ? AND "
        "state = 'sending'",
        (
            "delivered" if accepted else "pending",
            attempts,
            status,
            answer[:500],
            time.time() + pause,
            delivery.id,
        ),
    )


def recover(store: Store) -> None:
    """After a crash: what was being sent is sent again."""
    store.db.execute("UPDATE deliveries SET state = 'pending' WHERE state = 'sending'")


def release(store: Store) -> int:
    """Let held deliveries go; how many."""
    return store.db.execute(
        "UPDATE deliveries SET state = 'pending', due = ? WHERE state = 'held'", (time.time(),)
    ).rowcount


def unaccepted(store: Store, event: str) -> int:
    row = store.db.execute(
        "SELECT count(DISTINCT endpoint) AS n FROM deliveries WHERE event = ? AND state != 'delivered'",
        (event,),
    ).fetchone()
    return int(row["n"])
