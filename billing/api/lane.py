"""The lane: a small ASGI function in front of Django for the requests that come thousands a second.

It answers ``POST /v1/charges``, ``…/batch``, ``…/settle``, ``…/void`` and ``GET /v1/balance`` by the same functions as
Django's views (parse, validate, price, ask the ledger, answer); only the database's call is shared by all requests that are
waiting for it (``groups``). Everything else goes on to Django untouched. Measured against Django's own views in benchmarks/;
CONTRIBUTING tells why it exists.
"""

import asyncio
import contextlib
import gc
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any, Final, TypeVar, cast

import psycopg
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections
from django.utils.timezone import now

from accounts.keys import USE_NOTED_EVERY, digest, record_use
from billing.api import batch, body, calls, idempotency, problems, wire, work
from billing.api.auth import bearer
from billing.api.groups import Group, LedgerCall, Link
from billing.api.schemas import AuthorizeBody, BatchBody, SettleBody, VoidBody, validated
from billing.api.security import of_kind
from billing.api.wire import App, Headers, Receive, Scope, Send
from billing.errors import NotFound, Refusal, ServiceUnavailable, Unauthorized
from billing.ledger import exact_json, holds
from billing.ledger.holds import FinishRequest, PlaceRequest
from billing.selectors import api as reads
from billing.selectors import hold_margins, identities, offers
from billing.selectors.identities import Handle, Identity
from billing.services import auto_recharge, batches, charges, limit_notices
from billing.services.charges import Body, Caller
from billing.services.deliveries import Facts, no_such_charge, offers_of
from billing.services.refusals import unknown_key
from billing.throttle import check
from catalog import snapshot

logger = logging.getLogger(__name__)

Answer = tuple[int, dict[str, Any], Headers]
Request = TypeVar("Request")
Found = TypeVar("Found")

KEPT_FACTS: Final = 5_000
POLL_SECONDS: Final = 5
_FACTS_SQL: Final = (
    "SELECT id, model, operation, parameters::text, price_book_id, amount, unit, estimate, reports::text,"
    " estimate_lines -> 0 -> 'offers' FROM ledger_charge WHERE id = ANY (%s)"
)


class Lane:
    """The ASGI application: hot requests here, the rest to ``django``. ``dsn`` is a libpq connection string."""

    def __init__(self, django: App, dsn: str) -> None:
        self._django = django
        self._dsn = dsn
        self._links = [Link(dsn) for _ in range(6)]
        self._reading, self._recording, placing, finishing, *batching = self._links
        self._place: LedgerCall[PlaceRequest] = LedgerCall(placing, holds.PLACE_SQL)
        self._finish: LedgerCall[FinishRequest] = LedgerCall(finishing, holds.FINISH_SQL)
        # Two in turn: while one batch is being written to the disk the next is decided.
        self._batches: Iterator[LedgerCall[PlaceRequest]] = cycle(
            [LedgerCall(link, holds.PLACE_SQL) for link in batching]
        )
        self._standing = self._rows_of(reads.STANDING_SQL)
        self._stored_facts = self._rows_of(_FACTS_SQL)
        self._found_by = {
            sql: self._rows_of(sql) for sql in (identities.BY_KEYS_SQL, identities.BY_ACCOUNTS_SQL)
        }
        self._facts: dict[uuid.UUID, Facts] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._used: set[uuid.UUID] = set()
        self._noted: set[uuid.UUID] = set()
        self._noted_until = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        handler = self._handler(scope) if scope["type"] == "http" else None
        if handler is None:
            await self._django(scope, receive, send)
            return
        identifier = calls.request_id(wire.header(scope, b"x-request-id"))
        began = calls.begin(identifier, scope["path"])
        try:
            status, answer, headers = await self._answer(scope, receive, handler, identifier)
        except wire.Gone:
            return
        await wire.send(send, status, answer, {"X-Request-Id": identifier, **headers})
        if scope["method"] == "POST":
            calls.end(began, "POST", status, answer)

    def _handler(self, scope: Scope) -> "Handler | None":
        """Who answers here; None for Django, which also takes dry runs and everything else with a query."""
        path, method = scope["path"], scope["method"]
        if scope["query_string"] or not path.startswith("/v1/"):
            return None
        if method == "GET":
            return self._balance if path == "/v1/balance" else None
        if method != "POST":
            return None
        if path == "/v1/charges":
            return self._authorize
        if path == "/v1/charges/batch":
            return self._authorize_batch
        _, _, collection, *rest = path.split("/")
        if collection == "charges" and len(rest) == 2:
            return {"settle": self._settle, "void": self._void}.get(rest[1])
        return None

    async def _answer(self, scope: Scope, receive: Receive, handler: "Handler", request_id: str) -> Answer:
        try:
            call = await self._call(scope, receive)
            status, answer, headers = await handler(call)
            return status, answer, {**call.limits, **headers}
        except Refusal as refusal:
            return *problems.problem(refusal), problems.headers(refusal)
        except wire.Gone:
            raise
        except (psycopg.Error, OSError):
            logger.exception("the database did not answer %s", scope["path"])
            away = ServiceUnavailable("The database is out of reach. Send the same request again shortly.")
            return *problems.problem(away), problems.headers(away)
        except Exception:
            logger.exception("unexpected error %s in %s %s", request_id, scope["method"], scope["path"])
            return 500, problems.unexpected_body(request_id), {}

    async def _call(self, scope: Scope, receive: Receive) -> "_Call":
        told = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _WANTED}
        try:
            handle = digest(bearer(told.get(b"authorization")))
            bearing = (await self._identities([handle])).get(handle)
            if bearing is None:
                raise unknown_key()
        except Unauthorized:
            check("anonymous", scope["client"][0] if scope.get("client") else "")
            raise
        limits = check(bearing.kind, bearing.key_id).headers()
        of_kind(bearing, ("customer",) if scope["method"] == "GET" else ("service",))
        raw = await wire.read(receive)
        key = idempotency.key_of(told.get(b"idempotency-key")) if scope["method"] == "POST" else None
        hashed = idempotency.request_hash("POST", scope["path"], raw) if key is not None else ""
        return _Call(scope["path"], raw, bearing, work.caller_of(bearing, key, hashed), limits)

    async def _identities(self, handles: Iterable[Handle]) -> dict[Handle, Identity]:
        found, missing = identities.remembered(handles)
        for sql, unknown in missing:
            rows = await self._found_by[sql].ask_all(unknown)
            found.update(identities.remember(row for row in rows if row is not None))
        # Which keys were used is written down every few seconds, never on a request's way.
        self._used.update(identity.key_id for identity in found.values() if identity.key_id is not None)
        return found

    def _rows_of(self, sql: str) -> "Group[Handle, tuple[Any, ...] | None]":
        """Reads the rows whose first column is what is asked for, for all who wait at once."""

        async def read(handles: Sequence[Handle]) -> list[tuple[Any, ...] | None]:
            found = {row[0]: row for row in await self._reading.rows(sql, [list(handles)])}
            return [found.get(handle) for handle in handles]

        return Group(read)

    async def _balance(self, call: "_Call") -> Answer:
        assert call.bearer.account_id is not None
        row = await self._standing.ask(call.bearer.account_id)
        if row is None:
            raise NotFound("There is no such account.")
        return 200, reads.balance_body(row, call.bearer, snapshot.current().terms(call.bearer.profile)), {}

    async def _authorize(self, call: "_Call") -> Answer:
        asked = validated(AuthorizeBody, body.parse(call.raw))
        handle = work.handle_of(asked)
        found = {} if handle is None else await self._identities([handle])
        customer = work.customer_among(asked, handle, found)
        calls.about(customer.account_id)
        request = await _priced(charges.prepare, customer, work.wanted_of(asked), call.caller)
        outcome = await self._place.ask(request)
        if outcome["code"] == "recharge":
            outcome = await asyncio.to_thread(_in_thread, charges.recharge_and_place, request)
        elif outcome.get("low"):
            self._run(asyncio.to_thread(_in_thread, auto_recharge.nudge, request.account))
        if limit_notices.concerns(outcome):
            told = (outcome, request.account, request.api_key)
            self._run(asyncio.to_thread(_in_thread, limit_notices.nudge, *told))
        answer = charges.authorized(outcome, customer)
        self._keep(request, outcome["unit"])
        return 202, answer, _replay(outcome)

    async def _authorize_batch(self, call: "_Call") -> Answer:
        bodies = validated(BatchBody, body.parse(call.raw, body.LARGEST_BATCH)).charges
        call.limits = check(call.bearer.kind, call.bearer.key_id, len(bodies) - 1).headers()
        return await self._once(call, lambda: self._decide_batch(call, bodies))

    async def _once(self, call: "_Call", operation: Callable[[], Awaitable[Body]]) -> Answer:
        """As ``idempotency.run_once``, for what keeps its answer outside the ledger's call."""
        owner, key = call.bearer.key_id, call.caller.idem
        if owner is None or key is None:
            return 200, await operation(), {}
        claim = idempotency.Claim(owner, key, call.caller.hash or "", now())
        if (first := await self._steps(claim.taking())) is not None:
            return first.status, first.body, _replay({"replayed": True})
        try:
            found = await operation()
            await self._steps(claim.keeping(idempotency.Answer(200, found)))
        except BaseException:
            await self._steps(claim.letting_go())
            raise
        return 200, found, {}

    async def _steps(self, steps: idempotency.Steps[Found]) -> Found:
        """Run the statements of an Idempotency-Key's record without making anybody wait."""
        try:
            statement = next(steps)
            while True:
                statement = steps.send(await self._recording.rows(*statement))
        except StopIteration as done:
            found: Found = done.value
            return found

    async def _decide_batch(self, call: "_Call", bodies: Sequence[object]) -> Body:
        entries = batch.entries_of(bodies)
        found = await self._identities(batch.handles_of(entries))
        key = call.caller.idem
        items = batch.items_of(entries, found, call.bearer, key, call.caller.hash or "")
        prepared = await _priced(batches.prepare, items)
        requests = batches.requests_of(prepared)
        outcomes = await next(self._batches).ask_all(requests)
        for request, outcome in zip(requests, outcomes, strict=True):
            if outcome["code"] == "authorized":
                self._keep(request, outcome["unit"])
        if any(outcome["code"] == "recharge" for outcome in outcomes):
            results = await asyncio.to_thread(_in_thread, batches.answer, items, prepared, outcomes)
        else:
            results = batches.answer(items, prepared, outcomes)
        if any(outcome.get("low") or limit_notices.concerns(outcome) for outcome in outcomes):
            self._run(asyncio.to_thread(_in_thread, batches.nudge, requests, outcomes))
        return batch.answer_of(results)

    async def _settle(self, call: "_Call") -> Answer:
        result = work.result_of(validated(SettleBody, body.parse(call.raw)))
        charge_id = charges.charge_id_of(call.charge_id)
        facts = self._facts.pop(charge_id, None) or await self._read_facts(charge_id)
        for _ in range(charges.PRICED_ANEW):
            request = await _priced(charges.prepare_finish, facts, result, call.caller)
            outcome = await self._finish.ask(request)
            if outcome["code"] != "stale":
                break
            # What was remembered here, or just read, is from before a report of phases, maybe taken by another process.
            facts = await self._read_facts(charge_id)
        calls.about(outcome.get("account"))
        if outcome.get("low"):
            self._run(asyncio.to_thread(_in_thread, auto_recharge.nudge, uuid.UUID(outcome["account"])))
        return 200, charges.finished(outcome, request), _replay(outcome)

    async def _void(self, call: "_Call") -> Answer:
        asked = validated(VoidBody, body.parse(call.raw) if call.raw else {})
        request = charges.void_request(charges.charge_id_of(call.charge_id), asked.reason, call.caller)
        outcome = await self._finish.ask(request)
        calls.about(outcome.get("account"))
        return 200, charges.finished(outcome, request), _replay(outcome)

    def _keep(self, request: PlaceRequest, unit: str) -> None:
        if len(self._facts) >= KEPT_FACTS:
            del self._facts[next(iter(self._facts))]
        self._facts[request.id] = Facts(
            request.id, request.model, request.operation, request.parameters, request.price_book,
            request.amount, unit, request.estimate, offers=offers_of(request.lines),
        )  # fmt: skip

    async def _read_facts(self, charge_id: uuid.UUID) -> Facts:
        row = await self._stored_facts.ask(charge_id)
        if row is None:
            raise no_such_charge()
        charge_id, model, operation, parameters, book, amount, unit, estimate, reports, agreed = row
        reported = None if reports is None else exact_json.loads(reports)
        asked = exact_json.loads(parameters)
        return Facts(charge_id, model, operation, asked, book, amount, unit, estimate, reported, agreed)

    def _run(self, work_to_do: "Awaitable[Any]") -> None:
        task = asyncio.ensure_future(work_to_do)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server: read the price books, then listen for changes of keys and prices."""
        await receive()
        await asyncio.to_thread(_in_thread, _refresh)
        _keep_for_good()
        self._run(self._listen())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def close(self) -> None:
        """End what runs beside the requests and give the database connections back."""
        for task in self._background:
            task.cancel()
        for link in self._links:
            await link.close()

    async def _listen(self) -> None:
        """Drop cached keys at once when the database says so; without its word nothing is cached."""
        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute("LISTEN portal_keys; LISTEN portal_catalog")
                    identities.cache.clear()
                    identities.cache.enabled = True
                    while True:
                        async for notice in connection.notifies(timeout=POLL_SECONDS):
                            if notice.channel == "portal_keys":
                                identities.cache.forget(notice.payload)
                            else:
                                break
                        await asyncio.to_thread(_in_thread, self.look_round)
            identities.cache.enabled = False
            await asyncio.sleep(1)

    def look_round(self) -> None:
        """What is due every few seconds: new prices, and which keys were used since."""
        _refresh()
        if time.monotonic() >= self._noted_until:
            self._noted, self._noted_until = set(), time.monotonic() + USE_NOTED_EVERY.total_seconds()
        used, self._used = self._used - self._noted, set()
        if used:
            self._noted |= used
            record_use(used)


class _Call:
    """One hot request, read and recognised."""

    __slots__ = ("bearer", "caller", "limits", "path", "raw")

    def __init__(self, path: str, raw: bytes, bearer: Identity, caller: Caller, limits: Headers) -> None:
        self.path, self.raw, self.bearer, self.caller, self.limits = path, raw, bearer, caller, limits

    @property
    def charge_id(self) -> str:
        return self.path.split("/")[3]


Handler = Callable[[_Call], Awaitable[Answer]]
_WANTED: Final = frozenset({b"authorization", b"idempotency-key"})


def _keep_for_good() -> None:
    """What is loaded by now stays: collecting garbage does not look through it again, which took a tenth of a second
    every few thousand requests.
    """
    gc.collect()
    gc.freeze()


def _replay(outcome: holds.Outcome) -> Headers:
    return {"Idempotent-Replayed": "true"} if "replayed" in outcome else {}


def _refresh() -> None:
    """Read new prices, and what was agreed with single accounts."""
    snapshot.refresh()
    offers.refresh()
    hold_margins.refresh()


async def _priced(prepare: Callable[..., Request], *arguments: Any) -> Request:
    """Price from memory; a price book that is not there (an old one, one an account keeps) is read once, in a thread."""
    try:
        return prepare(*arguments)
    except SynchronousOnlyOperation:
        return cast(Request, await asyncio.to_thread(_in_thread, prepare, *arguments))


def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run blocking work of Django's in a thread, and give its database connection back."""
    try:
        return function(*arguments)
    finally:
        connections.close_all()
