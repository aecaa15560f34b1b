"""What the lane reads from and writes to its server: the few words of ASGI it needs."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from billing.api import body, problems

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = dict[str, str]


class Gone(Exception):
    """The client went away before its body was there; nothing is done, and nobody hears an answer."""


def header(scope: Scope, wanted: bytes) -> str:
    """What a header says; empty where it is missing."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


async def read(receive: Receive) -> bytes:
    """The request's body; a little more than the largest that is taken where there is more. Raises Gone."""
    raw, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        raw += message.get("body", b"")
        more = message.get("more_body", False)
        if len(raw) > body.LARGEST_BATCH:
            break
    return raw


async def send(to: Send, status: int, answer: dict[str, Any], headers: Headers) -> None:
    """Answer with a JSON body, for the one who asked and nobody else."""
    content = orjson.dumps(answer)
    kind = "application/json" if status < 400 else problems.CONTENT_TYPE
    await to(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", kind.encode()),
                (b"content-length", b"%d" % len(content)),
                (b"cache-control", b"no-store"),
                *((name.lower().encode(), value.encode()) for name, value in headers.items()),
            ],
        }
    )
    await to({"type": "http.response.body", "body": content})
