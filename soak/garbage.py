"""Malformed requests to every route, through the same application that serves the real ones: none of them is a 5xx.

Half start from a valid request by the API's own document and are bent in one place; the others never were one.
"""

import asyncio
import json
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast
from urllib.parse import unquote_to_bytes

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.keys import create_key, create_service_key
from accounts.models import BillingAccount, User
from billing.api import body
from billing.api.document import document
from billing.api.lane import Lane
from billing.api.wire import App
from billing.services.accounts import ensure_account
from config.ids import new_id
from soak import books, making, nonsense, simulator
from soak.crew import Crew, Me
from soak.nonsense import Shot
from soak.races.race import Guard
from soak.told import Progress, Told, go_on
from soak.world import Database, World

PROCESSES: Final = 4
SHARE: Final = 1000
LEFT_ALONE: Final = ("admin/", "accounts/", "stripe/", "readyz")
"""Others' pages, and the one that says 503 when there is no worker. The webhook is tried by its own address."""


def run(
    world: World,
    inputs: int,
    seed: int,
    progress: Progress = go_on,
    without: Guard | None = None,
) -> Told:
    """So many inputs; every 5xx is a breach, and the books after."""
    begun, done = time.monotonic(), 0
    breaches: list[str] = []
    with (
        simulator.simulator() as url,
        world.scratch("garbage") as database,
        Crew(database, PROCESSES, before=without.patch if without else None) as crew,
    ):
        crew.each(arm, database, url)
        while done < inputs and len(breaches) < 50:
            shares = crew.each(shoot, f"{seed}:{done}", SHARE // PROCESSES)
            done += SHARE
            breaches += [words for share in shares for words in share]
            if not progress(done):
                break
        breaches += crew.ask(0, books.broken)
    return Told(done, breaches, time.monotonic() - begun)


class Range:
    """The application that a process of the shooting keeps."""

    app: Any = None
    loop: asyncio.AbstractEventLoop


def arm(database: Database, stripe: str) -> None:
    """Set the application up in this process, with keys and a signed-in owner."""
    simulator.point_at(stripe)
    settings.API_RATES = dict.fromkeys(("customer", "service", "anonymous"), (10**9, 10**6))
    user = User.objects.create_user(f"{new_id().hex}@northwind.example", name="Ann")
    account = ensure_account(user)
    nonsense.Known.service = create_service_key("Studio")[1]
    nonsense.Known.customer = create_key(account=BillingAccount.objects.get(pk=account.pk), name="Ann's")[1]
    client = Client()
    client.force_login(user)
    nonsense.Known.cookies = "; ".join(
        [f"{name}={morsel.value}" for name, morsel in client.cookies.items()]
        + [f"csrftoken={nonsense.TOKEN}"]
    )
    charges = [making.held(account.pk, 1) for _ in range(3)]
    nonsense.Known.ids = [account.public_id, *(f"ch_{charge.hex}" for charge in charges)]
    nonsense.Known.pages = sorted(set(_routes(get_resolver().url_patterns, "")))
    nonsense.Known.operations = [
        (method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if method in ("get", "post", "put", "delete")
    ]
    keep_connections()
    Range.loop = asyncio.new_event_loop()
    Range.app = Lane(cast(App, get_asgi_application()), database.dsn)


def keep_connections() -> None:
    """Few connections for all requests: making one anew costs more than the request. One not given back is missed soon."""
    connections.close_all()
    options = connections.settings["default"].setdefault("OPTIONS", {})
    options["pool"] = {"min_size": 1, "max_size": 3, "timeout": 20}
    del connections["default"]


def _routes(patterns: Sequence[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).lstrip("^")
        if path.startswith(LEFT_ALONE) or "(" in path:
            continue
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path)
        else:
            yield path


def shoot(seed: str, count: int) -> list[str]:
    """So many requests; those that were answered by a 5xx or an exception."""
    chance = random.Random(f"{seed}:{Me.number}")  # noqa: S311
    found = []
    for _ in range(count):
        shot = nonsense.shot(chance)
        try:
            status, _ = Range.loop.run_until_complete(asyncio.wait_for(ask(shot), 30))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error} for {shot}")
            continue
        if status >= 500:
            found.append(f"{status} for {shot}")
    return found


async def ask(shot: Shot) -> tuple[int, bytes]:
    """The request through the application; status and body of the answer."""
    path, _, query = shot.path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": shot.method, "scheme": "http",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"), "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "", "headers": list(shot.headers), "client": ("127.0.0.1", 1), "server": ("testserver", 80),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []
    asked = [False]

    async def receive() -> dict[str, Any]:
        if asked[0]:
            await asyncio.sleep(3600)
        asked[0] = True
        return {"type": "http.request", "body": shot.body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await Range.app(scope, receive, send)
    return int(sent[0]["status"]), b"".join(message.get("body", b"") for message in sent[1:])


def _trusting() -> None:
    """For the control: bodies are read as the standard library reads them."""
    body.parse = lambda raw, limit=0: json.loads(raw)


TRUSTING: Final = Guard("the strict reader of bodies", patch=_trusting)
