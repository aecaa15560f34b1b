"""The little of HTTP that the studio needs: requests read whole under a size limit, answers, routes."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from examples.studio.problems import PROBLEM_JSON, Refused

Scope = Mapping[str, Any]
Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_BEARER = re.compile(r"Bearer +([\x21-\x7e]{8,200})", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """One request, read whole. Header names are lower case; ``found``: the route's parts of the path."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    found: Mapping[str, str] = field(default_factory=dict)

    @property
    def bearer(self) -> str | None:
        """The API key, when the header looks like one."""
        matched = _BEARER.fullmatch(self.headers.get("authorization", ""))
        return matched.group(1) if matched else None

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun", "").lower() in ("true", "1")


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """``pattern`` matches the whole path; its named groups become ``Request.found``."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler


def json_response(status: int, data: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, json.dumps(data, ensure_ascii=False).encode(), headers=headers or {})


def problem_response(refused: Refused) -> Response:
    headers = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
    return Response(refused.status, refused.body, PROBLEM_JSON, headers)


async def read_request(scope: Scope, receive: Receive, *, largest: int) -> Request:
    """Raises ``Refused`` (413) once the body is larger than ``largest`` bytes."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    declared = headers.get("content-length", "0")
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError("The client left before the request was complete.")
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > largest or (declared.isdecimal() and int(declared[:12]) > largest):
            raise Refused(
                413,
                "invalid_request",
                "The request is too large",
                f"At most {largest // 1024} KiB are taken.",
            )
        chunks.append(chunk)
        more = message.get("more_body", False)
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    return Request(scope["method"], scope["path"], query, headers, b"".join(chunks))


async def send_response(send: Send, response: Response, *, head: bool) -> None:
    headers = {
        "content-type": response.content_type,
        "content-length": str(len(response.body)),
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        **{name.lower(): value for name, value in response.headers.items()},
    }
    await send(
        {
            "type": "http.response.start",
            "status": response.status,
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": b"" if head else response.body})
