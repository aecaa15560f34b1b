"""Brings deliveries to their endpoints, in the background of the server's event loop."""

import asyncio
import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from stripe_simulator.delivery import queue, signature
from stripe_simulator.store import Store
from stripe_simulator.values import Json

_MOST_AT_ONCE = 32
_IDLE = 0.25


class Courier:
    def __init__(self, store: Store) -> None:
        self.store = store
        self._wake = asyncio.Event()
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="courier")
        self._under_way: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._wake.set()

    @property
    def busy(self) -> bool:
        return bool(self._under_way)

    async def run(self) -> None:
        queue.recover(self.store)
        while True:
            self._wake.clear()
            self._send_due()
            due = queue.next_due(self.store)
            pause = _IDLE if due is None else min(max(due - time.time(), 0.01), _IDLE)
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    def _send_due(self) -> None:
        rule = queue.policy(self.store)
        room = min(int(rule["concurrency"]), _MOST_AT_ONCE) - len(self._under_way)
        if room <= 0:
            return
        for delivery in queue.take(self.store, room, shuffle=rule["shuffle"]):
            task = asyncio.create_task(self._bring(delivery, float(rule["timeout"])))
            self._under_way.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self.wake()

    async def _bring(self, delivery: queue.Delivery, timeout: float) -> None:
        endpoint, event = self.store.get(delivery.endpoint), self.store.get(delivery.event)
        if endpoint is None or event is None or endpoint.get("deleted"):
            self.store.db.execute("UPDATE deliveries SET state = 'dropped' WHERE id = ?", (delivery.id,))
            return
        secret = str(self.store.hidden(delivery.endpoint).get("secret", ""))
        pending = queue.unaccepted(self.store, delivery.event)
        payload = json.dumps(event | {"pending_webhooks": pending}).encode()
        loop = asyncio.get_running_loop()
        status, answer = await loop.run_in_executor(
            self._threads, post, endpoint["url"], payload, secret, timeout
        )
        queue.finish(self.store, delivery, status, answer)
        self._count_down(event)

    def _count_down(self, event: Json) -> None:
        event["pending_webhooks"] = queue.unaccepted(self.store, event["id"])
        self.store.put(event)


def post(url: str, payload: bytes, secret: str, timeout: float) -> tuple[int | None, str]:
    """Status and start of the answer; None and the reason when there was no answer."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = connect(parts.hostname or "", parts.port, timeout=timeout)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Accept": "*/*; q=0.5, application/xml",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": signature.header(payload, secret, int(time.time())),
    }
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, payload, headers)
        response = connection.getresponse()
        return response.status, response.read(2000).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
