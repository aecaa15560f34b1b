"""A scriptable portal for the client's tests."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from portal_client import Portal, RetryPolicy

from tests.client.stand_in import CUSTOMER_KEY, Running, StandIn

Script = Callable[..., None]


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    running = Running(StandIn())
    yield running.portal
    running.close()


@pytest.fixture
def script(stand_in: StandIn) -> Script:
    """``script(200, {...})``: the next answer, whatever is asked; raw bytes are sent as they are."""

    def add(status: int, content: Any, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        stand_in.scripted.append((status, body, {"Content-Type": kind, **named}))

    return add


@pytest.fixture
def portal(stand_in: StandIn) -> Iterator[Portal]:
    policy = RetryPolicy(retries=2, first_wait=0.001)
    with Portal(stand_in.url, CUSTOMER_KEY, timeout=5, policy=policy) as client:
        yield client
