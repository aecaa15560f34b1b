"""The Stripe simulator as a process, for any test: `pytest_plugins = ["tests.stripe_simulator.fixtures"]`.

`stripe_simulator` is one process for the whole run; `clean_stripe` gives it with empty state.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

API_KEY = "sk_test_" + "simulator0" * 3
_STARTS_WITHIN = 20.0
_ROOT = Path(__file__).resolve().parents[2]


class Simulator:
    """A running simulator, and what a test may ask of it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.Client(base_url=self.base_url, timeout=30)
        self._process: subprocess.Popen[bytes] | None = None

    # the process

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "stripe_simulator",
            "--port",
            str(self.port),
            "--state",
            str(self.state),
        ]
        environment = os.environ | {"DJANGO_SETTINGS_MODULE": ""}
        self._process = subprocess.Popen(command, cwd=_ROOT, env=environment)
        end = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < end:
            try:
                if self.http.get("/_sim/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise RuntimeError("the Stripe simulator did not start")

    def kill(self) -> None:
        """SIGKILL: what was answered must be there after `start()`."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self.kill()

    # clients

    def client(self, **options: Any) -> stripe.StripeClient:
        """The real client, without retries of its own unless `max_network_retries` says so."""
        return stripe.StripeClient(
            API_KEY,
            base_addresses={"api": self.base_url},
            stripe_version="2026-08-26.dahlia",
            **({"max_network_retries": 0} | options),
        )

    # control

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        answer = self.http.request(method, f"/_sim/{path}", json=body, params=query)
        if answer.status_code != 200:
            raise ValueError(answer.text)
        return answer.json()

    def reset(self) -> None:
        """Everything gone, the endpoint of `send_events_to` too; the clock is real again."""
        self._ask("POST", "reset")

    def send_events_to(self, url: str, secret: str) -> None:
        self._ask("POST", "endpoint", {"url": url, "secret": secret})

    def faults(self, kind: str, path: str = "*", *, method: str = "*", **order: Any) -> None:
        """Script a fault: `faults("drop", "/v1/payment_intents", nth=2)`. Kinds: see the README."""
        self._ask("POST", "faults", {"kind": kind, "path": path, "method": method} | order)

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    def webhooks(self, **policy: Any) -> dict[str, Any]:
        """Set how events go: copies, shuffle, delay, hold, drop, concurrency, retry_seconds, timeout."""
        answer: dict[str, Any] = self._ask("POST", "webhooks", policy)
        return answer

    def release(self) -> int:
        return int(self._ask("POST", "webhooks/release")["released"])

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        """Filter by state, type, event, endpoint."""
        rows: list[dict[str, Any]] = self._ask("GET", "deliveries", None, **filters)
        return rows

    def replay(self, event: str, times: int = 1) -> int:
        return int(self._ask("POST", f"events/{event}/replay", {"times": times})["queued"])

    def wait_idle(self, seconds: float = 15) -> None:
        """Until every event is delivered and nothing more is due."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._ask("GET", "idle")["idle"]:
                return
            time.sleep(0.02)
        waiting = self.deliveries(state="pending")
        raise AssertionError(f"webhooks still undelivered after {seconds} s: {waiting[:5]}")

    def set_now(self, now: int, *, freeze: bool = False) -> None:
        self._ask("POST", "clock", {"now": now, "freeze": freeze})

    def advance(self, seconds: int) -> None:
        self._ask("POST", "clock", {"advance": seconds})

    def now(self) -> int:
        return int(self._ask("GET", "clock")["now"])

    def log(self, after: int = 0) -> list[dict[str, Any]]:
        """Every request and its response since entry `after`."""
        rows: list[dict[str, Any]] = self._ask("GET", "log", after=after)
        return rows

    def marks(self) -> dict[str, int]:
        """Where `log` and `events` end now."""
        answer: dict[str, int] = self._ask("GET", "marks")
        return answer

    def events(self, after: int = 0) -> list[dict[str, Any]]:
        """`{"seq": …, "event": …}` since `after`, oldest first."""
        rows: list[dict[str, Any]] = self._ask("GET", "events", after=after)
        return rows

    # a customer at the hosted pages

    def pay(self, url: str, number: str = "4242424242424242", **fields: str) -> httpx.Response:
        """Fill in the Checkout page; the answer is a redirect, or the page again with the decline."""
        form = {"card_number": number, "expiry": "12/34", "cvc": "123", "email": "payer@example.com"}
        return self.http.post(url, data=form | fields)

    def authenticate(self, url: str, *, passed: bool = True) -> httpx.Response:
        """Press a button of the 3-D Secure page."""
        return self.http.post(url, data={"result": "complete" if passed else "fail"})


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def stripe_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    simulator = Simulator(tmp_path_factory.mktemp("stripe") / "state.sqlite")
    simulator.start()
    yield simulator
    simulator.stop()


@pytest.fixture
def clean_stripe(stripe_simulator: Simulator) -> Simulator:
    stripe_simulator.reset()
    return stripe_simulator
