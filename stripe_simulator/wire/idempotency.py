"""Idempotency keys: the first answer is kept for 24 hours; another request under the key is refused."""

from dataclasses import dataclass, field

from stripe_simulator.store import Store
from stripe_simulator.wire.errors import StripeError, idempotency_error, invalid

_KEPT_SECONDS = 24 * 3600
_LONGEST_KEY = 255


@dataclass(frozen=True)
class Stored:
    status: int
    body: str
    request_id: str


@dataclass
class Keys:
    store: Store
    in_use: set[str] = field(default_factory=set)

    def stored(self, key: str, method: str, path: str, form: str, now: int) -> Stored | None:
        """The first answer, None for a new key. Raises when the key is in use or was used differently."""
        if len(key) > _LONGEST_KEY:
            raise invalid(f"Idempotency keys can be at most {_LONGEST_KEY} characters long.")
        if key in self.in_use:
            raise _under_way(key)
        self.store.db.execute("DELETE FROM idempotency WHERE created <= ?", (now - _KEPT_SECONDS,))
        row = self.store.db.execute("SELECT * FROM idempotency WHERE key = ?", (key,)).fetchone()
        if row is None:
            return None
        if (row["method"], row["path"]) != (method, path):
            raise idempotency_error(
                "Keys for idempotent requests can only be used for the same endpoint they were first used "
                f"for ('{path}' vs '{row['path']}'). Try using a key other than '{key}' if you meant to "
                "execute a different request."
            )
        if row["form"] != form:
            raise idempotency_error(
                "Keys for idempotent requests can only be used with the same parameters they were first "
                f"used with. Try using a key other than '{key}' if you meant to execute a different request."
            )
        return Stored(row["status"], row["body"], row["request_id"])

    def remember(self, key: str, method: str, path: str, form: str, now: int, answer: Stored) -> None:
        self.store.db.execute(
            "INSERT INTO idempotency (key, method, path, form, created, request_id, status, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (key, method, path, form, now, answer.request_id, answer.status, answer.body),
        )


def _under_way(key: str) -> StripeError:
    return idempotency_error(
        "There is currently another in-progress request using this Idempotent Key (that probably means you "
        f"submitted twice, and the other request is still going through): {key}. Please try again later.",
        status=409,
        code="idempotency_key_in_use",
    )
