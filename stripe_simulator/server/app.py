"""The ASGI application."""

import asyncio
import contextlib
import json
import traceback
from pathlib import Path

from stripe_simulator import jobs, resources
from stripe_simulator.delivery.courier import Courier
from stripe_simulator.hosted.pages import Pages
from stripe_simulator.resources.webhook_endpoints import register_default
from stripe_simulator.server.api import Api
from stripe_simulator.server.control import Control
from stripe_simulator.server.messages import Receive, Reply, Request, Scope, Send, read, write
from stripe_simulator.store import Store
from stripe_simulator.wire.errors import server_error
from stripe_simulator.world import World

_JOBS_EVERY = 0.2


class Application:
    def __init__(self, state: Path, base_url: str, default_endpoint: tuple[str, str] | None = None) -> None:
        resources.load()
        self.store = Store(state)
        self.world = World(self.store, base_url)
        self.api = Api(self.world)
        self.pages = Pages(self.world)
        self.control = Control(self.world, default_endpoint)
        if default_endpoint:
            with self.store.transaction():
                register_default(self.world, *default_endpoint)
        self.courier: Courier | None = None
        self._background: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            request = await read(scope, receive)
            reply = await self._reply(request)
            if self.courier:
                self.courier.wake()
            if reply is not None:
                await write(reply, send)

    async def _reply(self, request: Request) -> Reply | None:
        try:
            if request.path.startswith("/_sim/"):
                return self.control.handle(request)
            if request.path.startswith(("/v1/", "/v2/")):
                return await self.api.handle(request)
            return self.pages.handle(request)
        except Exception:  # a fault of the simulator itself: say so in its log, answer as Stripe would
            traceback.print_exc()
            error = server_error()
            body = json.dumps(error.body("req_simulator_bug", self.world.now())).encode()
            return Reply(error.status, body, {"content-type": "application/json"})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _start(self) -> None:
        self.courier = Courier(self.store)
        courier = self.courier
        self.control.busy = lambda: courier.busy
        self._background = [asyncio.create_task(courier.run()), asyncio.create_task(self._run_jobs())]

    async def _stop(self) -> None:
        for task in self._background:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.store.close()

    async def _run_jobs(self) -> None:
        """Jobs also run before every request; this is for those that nobody asks about."""
        while True:
            await asyncio.sleep(_JOBS_EVERY)
            if jobs.any_due(self.world):
                with self.store.transaction():
                    jobs.run_due(self.world)
                if self.courier:
                    self.courier.wake()
