"""Kept-alive HTTP connections to one server, shared by the threads of one client."""

import http.client
import ssl
import threading
from dataclasses import dataclass
from urllib.parse import urlsplit

# An answer larger than this is not the portal's: a page of 200 rows is far below it.
MAX_ANSWER_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, read whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Connections:
    """A small pool: a call takes an idle connection or opens one, and puts it back when it is still good."""

    def __init__(self, base_url: str, timeout: float) -> None:
        """``timeout`` in seconds, for connecting and for each wait for data. ValueError for a bad URL."""
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"The portal's address must start with http:// or https://: {base_url!r}")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("The portal's address may not carry a query, fragment or user name.")
        self._host = parts.hostname
        self._port = parts.port
        self._prefix = parts.path.rstrip("/")
        self._timeout = timeout
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """One exchange. Raises OSError or http.client.HTTPException when there is no answer.

        A kept connection that the server has closed meanwhile is replaced without counting as a failure.
        """
        while (kept := self._take()) is not None:
            try:
                return self._exchange(kept, method, path, headers, body)
            except (ConnectionError, http.client.CannotSendRequest):
                continue
        return self._exchange(self._open(), method, path, headers, body)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> http.client.HTTPConnection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _open(self) -> http.client.HTTPConnection:
        if self._context is not None:
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes | None,
    ) -> Answer:
        try:
            connection.request(method, self._prefix + path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read(MAX_ANSWER_BYTES + 1)
            if len(content) > MAX_ANSWER_BYTES:
                raise http.client.HTTPException("the answer is too large")
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        else:
            with self._lock:
                self._idle.append(connection)
        return Answer(response.status, response.headers, content)
