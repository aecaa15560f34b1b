"""The least a web server can do with a database: one SELECT by primary key, its columns as JSON."""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import psycopg

SQL = (
    "SELECT account_id, unit, balance, held FROM ledger_balance"
    " WHERE account_id = '00000000-0000-7000-8000-000000000001'"
)
_connection: psycopg.AsyncConnection | None = None


async def application(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """An ASGI application that answers every request with one row."""
    global _connection
    if scope["type"] != "http":
        return
    if _connection is None:
        _connection = await psycopg.AsyncConnection.connect(
            os.environ["DATABASE_URL"], autocommit=True, prepare_threshold=0
        )
    row = await (await _connection.execute(SQL)).fetchone()
    content = orjson.dumps(row)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
