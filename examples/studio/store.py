"""The studio's memory: jobs and results in one SQLite file, result files beside it. Survives kill -9."""

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from examples.studio.jobs import DUE, Delivered, Job, Order, Result, State

_SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    caller TEXT NOT NULL,
    idempotency_key TEXT,
    body_digest TEXT NOT NULL,
    state TEXT NOT NULL,
    model TEXT NOT NULL,
    operation TEXT NOT NULL,
    request TEXT NOT NULL,
    upload BLOB,
    charge TEXT,
    charge_settled INTEGER NOT NULL DEFAULT 0,
    unit TEXT NOT NULL DEFAULT '',
    cost_estimate TEXT,
    cost TEXT,
    balance TEXT,
    outputs TEXT NOT NULL DEFAULT '{}',
    actual_share TEXT,
    failure TEXT,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    UNIQUE (caller, idempotency_key)
) STRICT;
CREATE INDEX IF NOT EXISTS job_due ON job (due_at)
    WHERE state IN ('orphaned', 'accepted', 'delivered', 'failing');
CREATE TABLE IF NOT EXISTS result (
    id TEXT PRIMARY KEY,
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    size INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS result_job ON result (job, position);
CREATE INDEX IF NOT EXISTS result_expiry ON result (expires_at) WHERE removed = 0;
"""


class Store:
    """Thread-safe. Times are milliseconds since 1970 and come from the caller."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = folder / "results"
        self._files.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(folder / "studio.sqlite3", check_same_thread=False, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # -- jobs --

    def open_job(
        self, order: Order, *, account: str, caller: str, key: str | None, body_digest: str, now: int
    ) -> str | None:
        """Write the job down before the portal is asked. None when the idempotency key was used before."""
        job_id = f"job_{uuid.uuid4().hex}"
        with self._transaction() as db:
            done = db.execute(
                "INSERT INTO job (id, kind, account, caller, idempotency_key, body_digest, state, model,"
                " operation, request, upload, created_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
                " ON CONFLICT (caller, idempotency_key) DO NOTHING",
                (
                    job_id,
                    order.kind,
                    account,
                    caller,
                    key,
                    body_digest,
                    State.ACCEPTING,
                    order.model,
                    order.operation,
                    json.dumps(order.request),
                    order.upload,
                    now,
                ),
            )
        return job_id if done.rowcount == 1 else None

    def earlier(self, caller: str, key: str) -> tuple[Job, str] | None:
        """The job that this idempotency key made, and the digest of its request's body."""
        rows = self._rows("SELECT * FROM job WHERE caller = ? AND idempotency_key = ?", caller, key)
        return (_job(rows[0]), rows[0]["body_digest"]) if rows else None

    def forget(self, job_id: str) -> None:
        """The portal refused: there is no job, and the idempotency key is free again."""
        self._change("DELETE FROM job WHERE id = ?", job_id)

    def orphan(self, job_id: str, *, due_at: int) -> None:
        self._change(
            "UPDATE job SET state = 'orphaned', idempotency_key = NULL, due_at = ? WHERE id = ?",
            due_at,
            job_id,
        )

    def orphan_interrupted(self) -> None:
        """At start: whoever was waiting for these authorizations is gone."""
        self._change(
            "UPDATE job SET state = 'orphaned', idempotency_key = NULL, due_at = 0 WHERE state = 'accepting'"
        )

    def accept(
        self,
        job_id: str,
        *,
        charge: str,
        settled: bool,
        unit: str,
        cost_estimate: Decimal | None,
        cost: Decimal | None,
        balance: Decimal | None,
    ) -> None:
        self._change(
            "UPDATE job SET state = 'accepted', charge = ?, charge_settled = ?, unit = ?, cost_estimate = ?,"
            " cost = ?, balance = ? WHERE id = ?",
            charge,
            settled,
            unit,
            _text(cost_estimate),
            _text(cost),
            _text(balance),
            job_id,
        )

    def adopt(self, job_id: str, *, charge: str, settled: bool, failure: str) -> None:
        """An orphan's charge was found: nobody waits for the work, so the charge has to go back."""
        self._change(
            "UPDATE job SET state = 'failing', charge = ?, charge_settled = ?, failure = ?, due_at = 0"
            " WHERE id = ?",
            charge,
            settled,
            failure,
            job_id,
        )

    def deliver(self, job_id: str, work: Delivered, *, expires_at: int) -> None:
        """Store the files, then the rows that make them visible."""
        stored = [(f"{uuid.uuid4().hex}.{made.suffix}", made) for made in work.files]
        for name, made in stored:
            (self._files / name).write_bytes(made.content)
        with self._transaction() as db:
            db.executemany(
                "INSERT INTO result (id, job, position, content_type, width, height, size, expires_at)"
                " VALUES (?,?,?,?,?,?,?,?)",
                [
                    (
                        name,
                        job_id,
                        n,
                        made.content_type,
                        made.width,
                        made.height,
                        len(made.content),
                        expires_at,
                    )
                    for n, (name, made) in enumerate(stored)
                ],
            )
            db.execute(
                "UPDATE job SET state = 'delivered', outputs = ?, actual_share = ?, attempts = 0, due_at = 0,"
                " upload = NULL WHERE id = ?",
                (json.dumps(work.outputs), _text(work.actual_share), job_id),
            )

    def fail(self, job_id: str, reason: str) -> None:
        self._change(
            "UPDATE job SET state = 'failing', failure = ?, attempts = 0, due_at = 0 WHERE id = ?",
            reason,
            job_id,
        )

    def finish(self, job_id: str, state: State, *, cost: Decimal | None, balance: Decimal | None) -> None:
        self._change(
            "UPDATE job SET state = ?, cost = ?, balance = coalesce(?, balance), upload = NULL WHERE id = ?",
            state,
            _text(cost),
            _text(balance),
            job_id,
        )

    def postpone(self, job_id: str, *, due_at: int) -> None:
        self._change("UPDATE job SET attempts = attempts + 1, due_at = ? WHERE id = ?", due_at, job_id)

    def job(self, job_id: str) -> Job | None:
        rows = self._rows("SELECT * FROM job WHERE id = ?", job_id)
        return _job(rows[0]) if rows else None

    def due(self, now: int, limit: int) -> list[Job]:
        """Jobs with something to do, oldest first."""
        states = ", ".join(f"'{state}'" for state in DUE)
        query = f"SELECT * FROM job WHERE state IN ({states}) AND due_at <= ? ORDER BY created_at LIMIT ?"  # noqa: S608
        return [_job(row) for row in self._rows(query, now, limit)]

    # -- results --

    def results(self, job_id: str) -> list[Result]:
        return [
            _result(row) for row in self._rows("SELECT * FROM result WHERE job = ? ORDER BY position", job_id)
        ]

    def result(self, result_id: str) -> tuple[Result, str] | None:
        """A result and the account that owns it."""
        rows = self._rows(
            "SELECT result.*, job.account AS owner FROM result JOIN job ON job.id = result.job"
            " WHERE result.id = ?",
            result_id,
        )
        return (_result(rows[0]), rows[0]["owner"]) if rows else None

    def content(self, result: Result) -> bytes | None:
        """The file's bytes; None once it has been removed."""
        try:
            return (self._files / result.id).read_bytes()
        except FileNotFoundError:
            return None

    def remove_expired(self, now: int) -> None:
        """Delete the files of expired results; their rows stay, to answer 410 rather than 404."""
        for row in self._rows("SELECT id FROM result WHERE removed = 0 AND expires_at <= ?", now):
            (self._files / row["id"]).unlink(missing_ok=True)
            self._change("UPDATE result SET removed = 1 WHERE id = ?", row["id"])

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def _change(self, statement: str, *values: object) -> None:
        with self._transaction() as db:
            db.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _job(row: sqlite3.Row) -> Job:
    return Job(
        id=row["id"],
        kind=row["kind"],
        account=row["account"],
        state=State(row["state"]),
        model=row["model"],
        operation=row["operation"],
        request=json.loads(row["request"]),
        charge=row["charge"],
        charge_settled=bool(row["charge_settled"]),
        unit=row["unit"],
        cost_estimate=_amount(row["cost_estimate"]),
        cost=_amount(row["cost"]),
        balance=_amount(row["balance"]),
        outputs=json.loads(row["outputs"]),
        actual_share=_amount(row["actual_share"]),
        failure=row["failure"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        upload=row["upload"],
    )


def _result(row: sqlite3.Row) -> Result:
    return Result(
        id=row["id"],
        job=row["job"],
        content_type=row["content_type"],
        width=row["width"],
        height=row["height"],
        size=row["size"],
        expires_at=row["expires_at"],
    )
