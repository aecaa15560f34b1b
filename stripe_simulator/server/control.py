"""The control interface `/_sim/…`, for tests and developers. JSON in and out."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from stripe_simulator import faults
from stripe_simulator.delivery import queue
from stripe_simulator.resources.webhook_endpoints import register_default
from stripe_simulator.server.messages import Reply, Request
from stripe_simulator.values import Json
from stripe_simulator.world import World

Answering = Callable[["Control", Json, str], Any]


class Control:
    """Every method answers one path; the table below says which. Call inside a transaction."""

    def __init__(self, world: World, default_endpoint: tuple[str, str] | None) -> None:
        self.world = world
        self.default_endpoint = default_endpoint
        self.busy: Callable[[], bool] = lambda: False

    def handle(self, request: Request) -> Reply:
        name, _, rest = request.path.removeprefix("/_sim/").partition("/")
        answering = _TABLE.get((request.method, name))
        if answering is None:
            return _json(404, {"error": f"no {request.method} /_sim/{name}; see stripe_simulator/README.md"})
        try:
            arguments = dict(parse_qsl(request.query)) | _body(request)
            with self.world.store.transaction():
                return _json(200, answering(self, arguments, rest))
        except (ValueError, KeyError, TypeError) as error:
            return _json(400, {"error": str(error)})

    def health(self, arguments: Json, rest: str) -> Json:
        return {"simulator": True, "now": self.world.now()}

    def reset(self, arguments: Json, rest: str) -> Json:
        self.world.store.clear()
        if self.default_endpoint:
            register_default(self.world, *self.default_endpoint)
        return {"reset": True}

    def endpoint(self, arguments: Json, rest: str) -> Json:
        """Until the next reset, send all events to `url`, signed with `secret`, in place of --webhook-url."""
        register_default(self.world, str(arguments["url"]), str(arguments["secret"]))
        return {"url": arguments["url"]}

    # clock

    def clock(self, arguments: Json, rest: str) -> Json:
        return {"now": self.world.now(), **self.world.store.setting("clock", {"shift": 0, "frozen": None})}

    def set_clock(self, arguments: Json, rest: str) -> Json:
        """`now`: set it, ticking on; `advance`: seconds forward; `freeze`: stand still; none: real time."""
        now = self.world.now()
        wanted = int(arguments.get("now", now)) + int(arguments.get("advance", 0))
        frozen = bool(arguments.get("freeze", False))
        self.world.store.set_setting("clock", {"shift": 0, "frozen": None})
        shift = wanted - self.world.now() if arguments else 0
        self.world.store.set_setting("clock", {"shift": shift, "frozen": wanted if frozen else None})
        return self.clock({}, "")

    # faults

    def faults(self, arguments: Json, rest: str) -> list[Json]:
        rows = self.world.store.db.execute("SELECT * FROM faults WHERE times > 0 ORDER BY id")
        return [dict(row) for row in rows]

    def add_fault(self, arguments: Json, rest: str) -> Json:
        return {"id": faults.script(self.world.store, arguments)}

    def clear_faults(self, arguments: Json, rest: str) -> Json:
        return {"cleared": self.world.store.db.execute("DELETE FROM faults").rowcount}

    # webhooks

    def webhooks(self, arguments: Json, rest: str) -> Json:
        return queue.policy(self.world.store)

    def set_webhooks(self, arguments: Json, rest: str) -> Json:
        """Changes the named settings, keeps the others; `release` after `hold` lets everything held go."""
        if rest == "release":
            policy = self.world.store.setting("webhooks", {}) | {"hold": False}
            self.world.store.set_setting("webhooks", policy)
            return {"released": queue.release(self.world.store)}
        if unknown := set(arguments) - set(queue.DEFAULTS):
            raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(queue.DEFAULTS)}")
        self.world.store.set_setting("webhooks", self.world.store.setting("webhooks", {}) | arguments)
        return queue.policy(self.world.store)

    def deliveries(self, arguments: Json, rest: str) -> list[Json]:
        clauses, values = ["1 = 1"], []
        for name in ("state", "type", "event", "endpoint"):
            if name in arguments:
                clauses.append(f"{name} = ?")
                values.append(arguments[name])
        rows = self.world.store.db.execute(
            f"SELECT * FROM deliveries WHERE {' AND '.join(clauses)} ORDER BY id",  # noqa: S608 (names of our columns)
            values,
        )
        return [dict(row) for row in rows]

    def replay(self, arguments: Json, rest: str) -> Json:
        """POST /_sim/events/{id}/replay: deliver an event `times` more wherever its type is wanted."""
        event_id = rest.removesuffix("/replay")
        event = self.world.store.get(event_id, "event")
        if event is None:
            raise ValueError(f"no event {event_id}")
        endpoints = [
            entry
            for entry in self.world.store.find("webhook_endpoint")
            if queue.subscribes(entry, event["type"])
        ]
        times = int(arguments.get("times", 1))
        for endpoint in endpoints:
            for _ in range(times):
                queue.insert(self.world.store, event, endpoint["id"])
        return {"queued": times * len(endpoints)}

    def idle(self, arguments: Json, rest: str) -> Json:
        """Whether nothing waits to be delivered or retried, and no job is due."""
        row = self.world.store.db.execute(
            "SELECT count(*) AS n FROM deliveries WHERE state IN ('pending', 'sending')"
        ).fetchone()
        jobs_due = self.world.store.db.execute(
            "SELECT count(*) AS n FROM jobs WHERE due <= ?", (self.world.now(),)
        ).fetchone()
        return {"idle": row["n"] == 0 and jobs_due["n"] == 0 and not self.busy(), "waiting": row["n"]}

    # what happened

    def log(self, arguments: Json, rest: str) -> list[Json]:
        """Requests and responses after entry `after`, oldest first."""
        rows = self.world.store.db.execute(
            "SELECT * FROM requests WHERE id > ? ORDER BY id LIMIT ?",
            (int(arguments.get("after", 0)), int(arguments.get("limit", 10_000))),
        )
        return [dict(row) | {"body": json.loads(row["body"])} for row in rows]

    def marks(self, arguments: Json, rest: str) -> Json:
        """Where the log and the events end now: what to pass as `after` later."""
        db = self.world.store.db
        log = db.execute("SELECT coalesce(max(id), 0) AS n FROM requests").fetchone()
        events = db.execute("SELECT coalesce(max(seq), 0) AS n FROM objects WHERE kind = 'event'").fetchone()
        return {"log": log["n"], "events": events["n"]}

    def events(self, arguments: Json, rest: str) -> list[Json]:
        """Events after the one with sequence number `after`, oldest first, each with its `seq`."""
        rows = self.world.store.rows(
            "kind = 'event' AND seq > ?", (int(arguments.get("after", 0)),), order="ASC", limit=10_000
        )
        return [{"seq": seq, "event": body} for seq, body in rows]


_TABLE: dict[tuple[str, str], Answering] = {
    ("GET", "health"): Control.health,
    ("POST", "reset"): Control.reset,
    ("POST", "endpoint"): Control.endpoint,
    ("GET", "clock"): Control.clock,
    ("POST", "clock"): Control.set_clock,
    ("GET", "faults"): Control.faults,
    ("POST", "faults"): Control.add_fault,
    ("DELETE", "faults"): Control.clear_faults,
    ("GET", "webhooks"): Control.webhooks,
    ("POST", "webhooks"): Control.set_webhooks,
    ("GET", "deliveries"): Control.deliveries,
    ("POST", "events"): Control.replay,
    ("GET", "events"): Control.events,
    ("GET", "idle"): Control.idle,
    ("GET", "log"): Control.log,
    ("GET", "marks"): Control.marks,
}


def _body(request: Request) -> Json:
    if not request.body:
        return {}
    body = json.loads(request.body)
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def _json(status: int, body: Any) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"content-type": "application/json"})
