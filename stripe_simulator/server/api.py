"""One API request from bytes to bytes: authenticate, decode, look up the key, work in a transaction, log."""

import asyncio
import json
import re
import time
from dataclasses import dataclass

from stripe_simulator import API_VERSION, jobs, router
from stripe_simulator.faults import Fault, strike
from stripe_simulator.server.connections import cut
from stripe_simulator.server.messages import Reply, Request
from stripe_simulator.values import Json, new_id
from stripe_simulator.wire import forms
from stripe_simulator.wire.authentication import authenticate
from stripe_simulator.wire.errors import StripeError, invalid, server_error, unknown_url
from stripe_simulator.wire.expansion import expand
from stripe_simulator.wire.idempotency import Keys, Stored
from stripe_simulator.wire.validate import typed
from stripe_simulator.world import Call, World

_LOG_KEEPS = 50_000
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z_]+)?(;.*)?", re.ASCII)


@dataclass
class Answer:
    status: int
    body: str
    headers: dict[str, str]
    storable: bool


class Api:
    def __init__(self, world: World) -> None:
        self.world = world
        self.keys = Keys(world.store)

    async def handle(self, request: Request) -> Reply | None:
        """The reply, or None when the connection was cut by a scripted fault."""
        fault = strike(self.world.store, request.method, request.path)
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if fault and fault.kind == "refuse":
            cut(request.client)
            return None
        if fault and fault.kind == "delay":
            await self._delay(fault, key)
        request_id = new_id("req")
        with self.world.store.transaction():
            answer = self._answer(request, request_id, key, fault)
            self._log(request, request_id, key, answer, fault)
        return await self._deliver(request, request_id, answer, fault)

    async def _delay(self, fault: Fault, key: str | None) -> None:
        if key is None or key in self.keys.in_use:
            await asyncio.sleep(0 if key else fault.seconds)
            return
        self.keys.in_use.add(key)
        try:
            await asyncio.sleep(fault.seconds)
        finally:
            self.keys.in_use.discard(key)

    def _answer(self, request: Request, request_id: str, key: str | None, fault: Fault | None) -> Answer:
        now = self.world.now()
        headers = {"stripe-version": request.headers.get("stripe-version", API_VERSION)}
        if key:
            headers |= {"idempotency-key": key, "original-request": request_id}
        try:
            authenticate(request.headers.get("authorization"))
            _check_version(headers["stripe-version"])
            if fault and (refusal := fault.refusal()):
                raise refusal
            form_text = _form_text(request)
            form = forms.decode(form_text)
            if key and (stored := self.keys.stored(key, request.method, request.path, form_text, now)):
                headers |= {"idempotent-replayed": "true", "original-request": stored.request_id}
                return Answer(stored.status, stored.body, headers, storable=False)
            answer = self._work(request, form, request_id, key, headers)
        except StripeError as error:
            return _failed(error, request_id, now, headers)
        if key and answer.storable:
            stored = Stored(answer.status, answer.body, request_id)
            self.keys.remember(key, request.method, request.path, form_text, now, stored)
        return answer

    def _work(
        self, request: Request, form: Json, request_id: str, key: str | None, headers: dict[str, str]
    ) -> Answer:
        """Raises StripeError for refusals before the work; a refusal by the work itself is an answer."""
        found = router.find(request.method, request.path)
        if found is None:
            raise unknown_url(request.method, request.path)
        route, path = found
        jobs.run_due(self.world)
        params = typed(form, route.params) if route.params else form
        self.world.request_id, self.world.idempotency_key = request_id, key
        self.world.store.db.execute("SAVEPOINT work")
        try:
            body = expand(self.world, route.handler(Call(self.world, path, params)), params.get("expand"))
            answer = Answer(200, _dump(body), headers, storable=True)
        except StripeError as error:
            if not error.keeps_effects:
                self.world.store.db.execute("ROLLBACK TO work")
            answer = _failed(error, request_id, self.world.now(), headers)
        except Exception:
            self.world.store.db.execute("ROLLBACK TO work")
            raise
        finally:
            self.world.request_id = self.world.idempotency_key = None
        self.world.store.db.execute("RELEASE work")
        return answer

    async def _deliver(
        self, request: Request, request_id: str, answer: Answer, fault: Fault | None
    ) -> Reply | None:
        kind = fault.kind if fault else None
        if kind in ("timeout", "slow") and fault:
            await asyncio.sleep(fault.seconds)
        if kind in ("timeout", "drop"):
            cut(request.client)
            return None
        if kind == "error_after":
            answer = _failed(server_error(), request_id, self.world.now(), answer.headers)
        headers = {
            "content-type": "application/json",
            "request-id": request_id,
            "cache-control": "no-cache, no-store",
            **answer.headers,
        }
        return Reply(answer.status, answer.body.encode(), headers)

    def _log(
        self, request: Request, request_id: str, key: str | None, answer: Answer, fault: Fault | None
    ) -> None:
        row = (
            time.time(),
            request_id,
            request.method,
            request.path,
            _form_text(request, strict=False),
            key,
            answer.status,
            fault.kind if fault else None,
            answer.body,
        )
        cursor = self.world.store.db.execute(
            "INSERT INTO requests (at, request_id, method, path, form, idempotency_key, status, fault, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )
        if (cursor.lastrowid or 0) % 1000 == 0:
            self.world.store.db.execute(
                "DELETE FROM requests WHERE id < ?", ((cursor.lastrowid or 0) - _LOG_KEEPS,)
            )


def _check_version(version: str) -> None:
    """Any well-formed version is taken; the objects have the shape of the simulator's own."""
    if not _VERSION.fullmatch(version):
        raise invalid(f"Invalid Stripe API version: {version}")


def _form_text(request: Request, *, strict: bool = True) -> str:
    """The form as sent: the body of a POST, the query of anything else."""
    if request.method != "POST":
        return request.query
    if strict and "application/json" in request.headers.get("content-type", ""):
        raise invalid(
            "Invalid request: this endpoint takes application/x-www-form-urlencoded bodies, not JSON. See "
            "https://stripe.com/docs/api for details."
        )
    try:
        text = request.body.decode()
    except UnicodeDecodeError:
        if strict:
            raise invalid("Invalid request body: it could not be decoded as a form in UTF-8.") from None
        text = request.body.decode("utf-8", "replace")
    return "&".join(part for part in (request.query, text) if part)


def _failed(error: StripeError, request_id: str, now: int, headers: dict[str, str]) -> Answer:
    return Answer(error.status, _dump(error.body(request_id, now)), headers | error.headers, error.storable)


def _dump(body: Json) -> str:
    return json.dumps(body)
