"""Group commit without a timer: requests that arrive while a call is in the database share the next call.

One request alone waits for nobody. Answers are given only after the database has committed. A group that fails is
asked again one request at a time, so that one bad request never fails its neighbours.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Generic, TypeVar

from psycopg import AsyncConnection, OperationalError

from billing.ledger.holds import LOST, TRIES, FinishRequest, Outcome, PlaceRequest, decode, encode

logger = logging.getLogger(__name__)

LARGEST: Final = 256
Request = TypeVar("Request")
Answer = TypeVar("Answer")
LedgerRequest = TypeVar("LedgerRequest", PlaceRequest, FinishRequest)


class Link:
    """One persistent database connection, opened when first needed and again after it broke.

    Its statements are planned once, for any number of values: planning takes longer than running them.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: AsyncConnection | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> AsyncConnection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        async with self._opening:
            if self._connection is None or self._connection.closed:
                connection = await AsyncConnection.connect(self._dsn, autocommit=True, prepare_threshold=0)
                await connection.execute("SET plan_cache_mode = force_generic_plan")
                self._connection = connection
            return self._connection

    async def rows(self, sql: str, parameters: Sequence[object]) -> list[tuple[Any, ...]]:
        """What a query finds that may be asked twice; asked again on a new connection where the old one had broken."""
        try:
            cursor = await (await self.get()).execute(sql, parameters)
        except OperationalError:
            cursor = await (await self.get()).execute(sql, parameters)
        return await cursor.fetchall()

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


class Group(Generic[Request, Answer]):
    """A queue of requests and the set-based call that answers them in their order."""

    def __init__(self, call: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]]) -> None:
        self._call = call
        self._waiting: deque[tuple[Request, asyncio.Future[Answer]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, request: Request) -> Answer:
        """The answer to one request. Raises what its own call raised (psycopg.Error)."""
        return await self._queued(request)

    async def ask_all(self, requests: Iterable[Request]) -> list[Answer]:
        """The answers to requests that wait together, though one call may not answer them all."""
        return await asyncio.gather(*[self._queued(request) for request in requests])

    def _queued(self, request: Request) -> "asyncio.Future[Answer]":
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        return answer

    async def _drain(self) -> None:
        while self._waiting:
            group = [self._waiting.popleft() for _ in range(min(LARGEST, len(self._waiting)))]
            try:
                answers = await self._call([request for request, _ in group])
            except Exception:
                logger.warning(
                    "a group of %d requests failed and is asked one by one", len(group), exc_info=True
                )
                for request, answer in group:
                    await self._alone(request, answer)
                continue
            for (_, answer), found in zip(group, answers, strict=True):
                if not answer.cancelled():
                    answer.set_result(found)

    async def _alone(self, request: Request, answer: "asyncio.Future[Answer]") -> None:
        try:
            found = (await patiently(self._call, [request]))[0]
        except Exception as error:
            if not answer.cancelled():
                answer.set_exception(error)
            return
        if not answer.cancelled():
            answer.set_result(found)


async def patiently(
    call: Callable[[Sequence[Request]], Awaitable[Sequence[Answer]]], requests: Sequence[Request]
) -> Sequence[Answer]:
    """The call, made again where it lost to another transaction; nothing of a lost one was kept."""
    for left in reversed(range(TRIES)):
        try:
            return await call(requests)
        except LOST:
            if left == 0:
                raise
    raise AssertionError("the last try answers or raises")


class LedgerCall(Generic[LedgerRequest]):
    """One of the ledger's set-based calls over a connection of its own."""

    def __init__(self, link: Link, sql: str) -> None:
        self._link, self._sql = link, sql
        self._group: Group[LedgerRequest, Outcome] = Group(self._decide)

    async def ask(self, request: LedgerRequest) -> Outcome:
        """The outcome of one request, after commit, decided together with whoever else is waiting."""
        while True:
            outcome = await self._group.ask(request)
            if outcome["code"] != "again":
                return outcome

    async def ask_all(self, requests: Sequence[LedgerRequest]) -> Sequence[Outcome]:
        """The outcomes of requests that are decided and committed together, as ``holds.place`` does."""
        if not requests:
            return []
        outcomes = list(await patiently(self._decide, requests))
        for number, outcome in enumerate(outcomes):
            if outcome["code"] == "again":
                outcomes[number] = await self.ask(requests[number])
        return outcomes

    async def _decide(self, requests: Sequence[LedgerRequest]) -> Sequence[Outcome]:
        cursor = await (await self._link.get()).execute(self._sql, [encode(requests)])
        row = await cursor.fetchone()
        assert row is not None
        return decode(row[0], len(requests))
