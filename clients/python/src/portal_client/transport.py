"""Send one logical call: JSON in and out, one Idempotency-Key over all its tries, bounded retries."""

import http.client
import json
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

from portal_client import reading
from portal_client.connections import Answer, Connections
from portal_client.errors import BadAnswer, IdempotencyInProgress, PortalError, Unreachable, from_problem

VERSION = "0.3.0"
_RETRIED_STATUSES = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to wait. Times in seconds."""

    retries: int = 3
    first_wait: float = 0.2
    longest_wait: float = 10.0

    def wait(self, attempt: int, asked: float | None) -> float | None:
        """Before try ``attempt`` + 1 (from 0), or None to give up. ``asked`` is the server's Retry-After.

        A longer wait than ``longest_wait`` is not sat out: the caller gets the error and its ``retry_after``.
        """
        if attempt >= self.retries:
            return None
        if asked is not None:
            return asked if asked <= self.longest_wait else None
        spread = random.uniform(0.5, 1.0)  # noqa: S311  (not a secret: it only keeps clients out of step)
        return min(self.first_wait * 2.0**attempt, self.longest_wait) * spread


class Transport:
    """The one place that talks HTTP. Thread-safe."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        timeout: float,
        policy: RetryPolicy,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if api_key is not None and (not api_key.isascii() or not api_key.isprintable() or " " in api_key):
            raise ValueError("The API key contains characters that no key has.")
        self._connections = Connections(base_url, timeout)
        self._base_url = base_url
        self._api_key = api_key
        self._policy = policy
        self._sleep = sleep

    def get(self, path: str, query: Mapping[str, str | None] | None = None) -> reading.Json:
        return self._call("GET", _with_query(path, query), None, None)

    def put(self, path: str, body: Mapping[str, object]) -> reading.Json:
        return self._call("PUT", path, body, None)

    def post(self, path: str, body: Mapping[str, object], idempotency_key: str | None = None) -> reading.Json:
        """A POST is safe to repeat: every try carries the same key (a fresh one unless given)."""
        return self._call("POST", path, body, idempotency_key or str(uuid.uuid4()))

    def ask(self, path: str, body: Mapping[str, object]) -> reading.Json:
        """A POST that changes nothing (an estimate, a key check): sent without a key, so nothing is recorded."""
        return self._call("POST", path, body, None)

    def close(self) -> None:
        self._connections.close()

    def _call(
        self, method: str, path: str, body: Mapping[str, object] | None, idempotency_key: str | None
    ) -> reading.Json:
        content = None if body is None else json.dumps(body, default=_encode, allow_nan=False).encode()
        headers = self._headers(content, idempotency_key)
        attempt = 0
        while True:
            error: PortalError
            try:
                return _read(self._connections.send(method, path, headers, content))
            except (OSError, http.client.HTTPException) as cause:
                error = Unreachable(
                    f"No answer from the portal at {self._base_url}: {cause or type(cause).__name__}"
                )
            except PortalError as refused:
                if refused.status not in _RETRIED_STATUSES and not isinstance(refused, IdempotencyInProgress):
                    raise
                error = refused
            wait = self._policy.wait(attempt, error.retry_after)
            if wait is None:
                raise error
            self._sleep(wait)
            attempt += 1

    def _headers(self, content: bytes | None, idempotency_key: str | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"billing-portal-client/{VERSION}"}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if content is not None:
            headers["Content-Type"] = "application/json"
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return headers


def _read(answer: Answer) -> reading.Json:
    if 200 <= answer.status < 300:
        return reading.decode_object(answer.body)
    retry_after = _retry_after(answer.headers.get("Retry-After"))
    if answer.headers.get_content_type() in ("application/problem+json", "application/json"):
        problem = reading.decode_object(answer.body)
        raise from_problem(answer.status, problem, answer.body, retry_after)
    raise BadAnswer(
        f"The answer ({answer.status}) does not come from the portal's API. Is the address right?",
        status=answer.status,
        body=answer.body,
        retry_after=retry_after,
    )


def _retry_after(value: str | None) -> float | None:
    """Seconds; the header is either a number of seconds or an HTTP date."""
    if value is None:
        return None
    if value.strip().isdecimal() and len(value) < 10:
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _with_query(path: str, query: Mapping[str, str | None] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _encode(value: object) -> str:
    """Amounts go out as plain decimal strings."""
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not an amount")
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON")
