"""Open connections by client address, so that a scripted fault can cut one without a reply."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_OPEN: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, remembering its transport."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.client:
            _OPEN[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            _OPEN.pop(self.client, None)
        super().connection_lost(exc)


def cut(client: tuple[str, int] | None) -> None:
    """Close the connection at once, whatever was to be sent on it."""
    transport = _OPEN.get(client) if client else None
    if transport is not None:
        transport.abort()
