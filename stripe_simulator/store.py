"""The state: one SQLite file. Every request is one transaction on one connection, so requests are serialised.

`objects.body` is what the API shows, unexpanded; `objects.hidden` is what only the simulator knows (a card's
number, the secret of a webhook endpoint). A killed process loses nothing that was answered.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stripe_simulator.values import Json

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
  created INTEGER NOT NULL, body TEXT NOT NULL, hidden TEXT NOT NULL DEFAULT '{}',
  deleted INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_type ON objects (kind, json_extract(body, '$.type'), seq);
CREATE INDEX IF NOT EXISTS objects_customer ON objects (kind, json_extract(body, '$.customer'), seq);
CREATE INDEX IF NOT EXISTS objects_intent ON objects (kind, json_extract(body, '$.payment_intent'), seq);
CREATE INDEX IF NOT EXISTS objects_charge ON objects (kind, json_extract(body, '$.charge'), seq);
CREATE TABLE IF NOT EXISTS idempotency (
  key TEXT PRIMARY KEY, method TEXT NOT NULL, path TEXT NOT NULL, form TEXT NOT NULL,
  created INTEGER NOT NULL, request_id TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS idempotency_created ON idempotency (created);
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, type TEXT NOT NULL, endpoint TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, status INTEGER, answer TEXT
);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event);
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, due INTEGER NOT NULL, name TEXT NOT NULL, object TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (due, id);
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL,
  skip INTEGER NOT NULL, times INTEGER NOT NULL, seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, request_id TEXT NOT NULL,
  method TEXT NOT NULL, path TEXT NOT NULL, form TEXT NOT NULL, idempotency_key TEXT,
  status INTEGER NOT NULL, fault TEXT, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

_TABLES = ("objects", "idempotency", "deliveries", "jobs", "faults", "requests", "settings")


class Store:
    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(file, isolation_level=None)
        self.db.row_factory = sqlite3.Row
        # A killed process loses nothing in WAL mode; only a power cut could, and this is a development tool.
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute("PRAGMA busy_timeout=5000")
        self.db.executescript(_SCHEMA)

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Not re-entrant: one per request."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def clear(self) -> None:
        for table in _TABLES:
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 (names of our own tables)

    # objects

    def put(self, body: Json, *, hidden: Json | None = None) -> Json:
        """Write an object, new or changed; `hidden` is left alone when not given."""
        self.db.execute(
            "INSERT INTO objects (id, kind, created, body, hidden) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body, "
            "hidden = CASE WHEN ? THEN excluded.hidden ELSE objects.hidden END",
            (
                body["id"],
                body["object"],
                body.get("created", 0),
                json.dumps(body),
                json.dumps(hidden or {}),
                hidden is not None,
            ),
        )
        return body

    def get(self, object_id: str, kind: str | None = None) -> Json | None:
        """The object, or its `deleted` stub, or None."""
        row = self.db.execute("SELECT kind, body FROM objects WHERE id = ?", (object_id,)).fetchone()
        if row is None or (kind is not None and row["kind"] != kind):
            return None
        body: Json = json.loads(row["body"])
        return body

    def hidden(self, object_id: str) -> Json:
        row = self.db.execute("SELECT hidden FROM objects WHERE id = ?", (object_id,)).fetchone()
        known: Json = json.loads(row["hidden"]) if row else {}
        return known

    def hide(self, object_id: str, **values: Any) -> None:
        known = self.hidden(object_id) | values
        self.db.execute("UPDATE objects SET hidden = ? WHERE id = ?", (json.dumps(known), object_id))

    def delete(self, stub: Json) -> Json:
        """Keep the id with its `deleted` stub: Stripe still answers for a deleted customer."""
        self.db.execute(
            "UPDATE objects SET deleted = 1, body = ? WHERE id = ?", (json.dumps(stub), stub["id"])
        )
        return stub

    def rows(self, where: str, values: Sequence[Any], *, order: str, limit: int) -> list[tuple[int, Json]]:
        """Existing objects with their sequence numbers. `where` and `order` come from our own code."""
        found = self.db.execute(
            f"SELECT seq, body FROM objects WHERE deleted = 0 AND {where} ORDER BY seq {order} LIMIT ?",  # noqa: S608
            (*values, limit),
        )
        return [(row["seq"], json.loads(row["body"])) for row in found]

    def find(self, kind: str, **equals: Any) -> list[Json]:
        """Every object of a kind whose top-level fields are these, newest first."""
        clauses = ["kind = ?", *(f"json_extract(body, '$.{name}') = ?" for name in equals)]
        rows = self.rows(" AND ".join(clauses), (kind, *equals.values()), order="DESC", limit=100_000)
        return [body for _, body in rows]

    def seq(self, object_id: str) -> int | None:
        row = self.db.execute("SELECT seq FROM objects WHERE id = ?", (object_id,)).fetchone()
        return None if row is None else int(row["seq"])

    # settings

    def setting(self, name: str, default: Any) -> Any:
        row = self.db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return default if row is None else json.loads(row["value"])

    def set_setting(self, name: str, value: Any) -> None:
        self.db.execute("REPLACE INTO settings (name, value) VALUES (?, ?)", (name, json.dumps(value)))
