"""Group commit without a timer: requests that arrive while a call is in the database share the next call.

One request alone waits for nobody. Answers are given only after the database has committed. A group that fails is
asked again one request at a time, so that one bad request never fails its neighbours.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from psycopg import AsyncConnection, OperationalError

from billing.ledger.holds import LOST, TRIES, Outcome, decode

logger = logging.getLogger(__name__)

LARGEST: Final = 256
Request = TypeVar("Request")


class Link:
    """One persistent database connection, opened when first needed and again after it broke."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: AsyncConnection | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> AsyncConnection:
        async with self._opening:
            if self._connection is None or self._connection.closed:
                self._connection = await AsyncConnection.connect(
                    self._dsn, autocommit=True, prepare_threshold=0
                )
            return self._connection

    async def read(self, sql: str, parameters: Sequence[object]) -> tuple[Any, ...] | None:
        """The first row of a query that only reads; asked again on a new connection where the old one had broken."""
        try:
            cursor = await (await self.get()).execute(sql, parameters)
        except OperationalError:
            cursor = await (await self.get()).execute(sql, parameters)
        return await cursor.fetchone()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class Group(Generic[Request]):
    """A queue of requests and the one set-based call that answers them."""

    def __init__(self, link: Link, sql: str, encode: Callable[[Sequence[Request]], str]) -> None:
        self._link, self._sql, self._encode = link, sql, encode
        self._waiting: deque[tuple[Request, asyncio.Future[Outcome]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, request: Request) -> Outcome:
        """The outcome of one request, after commit. Raises what its own call raised (psycopg.Error)."""
        while True:
            answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._waiting.append((request, answer))
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._drain())
            outcome = await answer
            if outcome["code"] != "again":
                return outcome

    async def _drain(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
            try:
                outcomes = await self._call([request for request, _ in group])
            except Exception:
                logger.warning(
                    "a group of %d requests failed and is asked one by one", len(group), exc_info=True
                )
                for request, answer in group:
                    await self._alone(request, answer)
                continue
            for (_, answer), outcome in zip(group, outcomes, strict=True):
                if not answer.cancelled():
                    answer.set_result(outcome)

    async def _alone(self, request: Request, answer: "asyncio.Future[Outcome]") -> None:
        for left in reversed(range(TRIES)):
            try:
                outcome = (await self._call([request]))[0]
            except Exception as error:
                if left > 0 and isinstance(error, LOST):
                    continue
                if not answer.cancelled():
                    answer.set_exception(error)
                return
            if not answer.cancelled():
                answer.set_result(outcome)
            return

    async def _call(self, requests: Sequence[Request]) -> list[Outcome]:
        connection = await self._link.get()
        cursor = await connection.execute(self._sql, [self._encode(requests)])
        row = await cursor.fetchone()
        assert row is not None
        return decode(row[0], len(requests))
