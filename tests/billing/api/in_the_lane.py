"""The application as the web server runs it, asked by tests: one request, or a session of many."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import httpx
import pytest

from billing.api.lane import Lane
from billing.api.wire import App
from billing.selectors import identities
from catalog import snapshot
from config.asgi import _dsn
from config.asgi import django as django_application
from tests.billing.api.conftest import Api, Payer
from tests.billing.api.working import work

Session = Callable[[httpx.AsyncClient], Awaitable[Any]]


@pytest.fixture(autouse=True)
def fresh_caches() -> Iterator[None]:
    identities.cache.clear()
    yield
    identities.cache.enabled = False
    identities.cache.clear()


def lane_to(dsn: str) -> Lane:
    """The application as the web server runs it, on this database."""
    return Lane(cast(App, django_application), dsn)


def client_of(lane: Lane, studio: Api) -> httpx.AsyncClient:
    """A client with the studio's key."""
    headers = {"Authorization": f"Bearer {studio.key}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=lane), base_url="http://portal", headers=headers
    )


def in_lane(studio: Api, session: Session) -> Any:
    """Run a session against the application."""

    async def run() -> Any:
        lane = lane_to(_dsn())
        async with client_of(lane, studio) as client:
            try:
                return await session(client)
            finally:
                await lane.close()

    snapshot.refresh()
    return asyncio.run(run())


def post(studio: Api, path: str, raw: bytes, idem: str | None = None) -> httpx.Response:
    """One request through the lane."""

    async def session(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(path, content=raw, headers={"Idempotency-Key": idem} if idem else {})

    answer: httpx.Response = in_lane(studio, session)
    return answer


def body_of(payer: Payer, **fields: Any) -> bytes:
    return json.dumps(work(payer, **fields)).encode()
