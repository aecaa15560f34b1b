"""A generation service that works through the lane: authorizes, settles, and asks again where the answer was 503."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Final

from config.ids import parse_id
from soak import garbage, making, nonsense
from soak.nonsense import Shot
from soak.world import Database

NOBODY: Final = "http://127.0.0.1:1"
"""In Stripe's place: nobody answers there."""
ANSWERED: Final = 60.0
"""Seconds within which every request has to be answered."""


@dataclass
class Worked:
    """What a client was told: the charges acknowledged as settled, and how often it was asked to come back."""

    settled: list[Any] = field(default_factory=list)
    unavailable: int = 0


def open_shop(database: Database) -> str:
    """The lane in this process, and an account that holds and settles in EUR; its id as shown."""
    garbage.arm(database, NOBODY)
    account = making.account(100_000, profile="images", unit="EUR")
    return f"acct_{account.hex}"


def work(account: str, first: int, count: int) -> Worked:
    """So many pieces of work, numbered from ``first``, each at the cost of 1. Raises on any answer but a success and 503."""
    done = Worked()
    for number in range(first, first + count):
        asked = {"customer": {"account": account}, "model": "imagen-4-ultra", "operation": "generate"}
        charge = _persistently(done, "/v1/charges", asked, f"{account}:{number}:place", 202)["id"]
        ended = _persistently(
            done, f"/v1/charges/{charge}/settle", {"cost": "1"}, f"{account}:{number}:settle", 200
        )
        assert (ended["status"], ended["metadata"]["cost"]) == ("settled", "1"), ended
        done.settled.append(parse_id("ch", charge))
    return done


def _persistently(done: Worked, path: str, body: dict[str, Any], key: str, wanted: int) -> dict[str, Any]:
    """The same request until it is answered with what is ``wanted``; only 503 is asked again."""
    while True:
        status, answer = ask(path, body, key)
        if status == wanted:
            return answer
        if status != 503:
            raise AssertionError(f"{status} for {path}: {answer}")
        done.unavailable += 1


def ask(path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
    """One POST under an Idempotency-Key with the service's own key; status and answer."""
    headers = {
        "host": "testserver",
        "authorization": f"Bearer {nonsense.Known.service}",
        "idempotency-key": key,
    }
    told = tuple((name.encode(), value.encode()) for name, value in headers.items())
    shot = Shot("POST", path, json.dumps(body).encode(), told)
    status, raw = garbage.Range.loop.run_until_complete(asyncio.wait_for(garbage.ask(shot), ANSWERED))
    answer: dict[str, Any] = json.loads(raw)
    return status, answer
