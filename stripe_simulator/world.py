"""What a request works with: the store, the clock, events, jobs for later. One request at a time."""

import time
from dataclasses import dataclass
from typing import Any

from stripe_simulator import API_VERSION
from stripe_simulator.delivery import queue
from stripe_simulator.store import Store
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire.errors import missing_object

# The word in "No such …" where it is not the object's own name.
_SPOKEN = {
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "payment_method": "PaymentMethod",
}


@dataclass
class World:
    store: Store
    base_url: str
    request_id: str | None = None
    idempotency_key: str | None = None

    # the clock

    def now(self) -> int:
        """Unix seconds: the real clock, shifted by the test clock, or the instant it is frozen at."""
        clock = self.store.setting("clock", {"shift": 0, "frozen": None})
        return int(clock["frozen"] if clock["frozen"] is not None else time.time() + clock["shift"])

    # objects

    def put(self, body: Json, *, hidden: Json | None = None) -> Json:
        return self.store.put(body, hidden=hidden)

    def existing(self, kind: str, object_id: str, *, param: str = "id", named_by_path: bool = True) -> Json:
        """The object. Raises resource_missing, also for a deleted one."""
        found = self.store.get(object_id, kind)
        if found is None or found.get("deleted"):
            word = _SPOKEN.get(kind, kind)
            raise missing_object(word, object_id, param=param, status=404 if named_by_path else 400)
        return found

    def referenced(self, kind: str, object_id: str, param: str) -> Json:
        return self.existing(kind, object_id, param=param, named_by_path=False)

    # events

    def emit(self, event_type: str, body: Json, *, previous: Json | None = None) -> Json:
        data: Json = {"object": body}
        if previous is not None:
            data["previous_attributes"] = previous
        event: Json = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now(),
            "data": data,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": event_type,
        }
        event["pending_webhooks"] = queue.enqueue(self.store, event)
        return self.put(event)

    def changed(self, event_type: str, before: Json, after: Json) -> None:
        """Emit an update with the attributes that changed, unless none did."""
        previous = difference(before, after)
        if previous:
            self.emit(event_type, after, previous=previous)

    # later

    def later(self, name: str, object_id: str, *, seconds: int = 0) -> None:
        """Run the job `name` on an object once the test clock has passed `seconds` from now."""
        self.store.db.execute(
            "INSERT INTO jobs (due, name, object) VALUES (?, ?, ?)", (self.now() + seconds, name, object_id)
        )


def difference(before: Json, after: Json) -> Json:
    """What `previous_attributes` shows: the old values of what changed, hashes only by their changed keys."""
    changed: Json = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and old and new and name != "metadata":
            changed[name] = difference(old, new)
        elif name == "metadata" and isinstance(old, dict) and isinstance(new, dict):
            changed[name] = {
                key: old.get(key) for key in old.keys() | new.keys() if old.get(key) != new.get(key)
            }
        else:
            changed[name] = old
    return dict(sorted(changed.items()))


@dataclass
class Call:
    """One API request, authenticated and typed."""

    world: World
    path: dict[str, str]
    params: Json

    def __getitem__(self, name: str) -> Any:
        return self.params[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.params.get(name, default)
