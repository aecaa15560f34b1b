"""The Stripe simulator as a process for a soak, and how a process of ours is pointed at it."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import stripe
from django.conf import settings

from config.embedded import ports
from config.embedded.bootstrap import BASE_DIR
from config.embedded.procs import dies_with_parent

PATIENCE: Final = 30.0
SECRET: Final = "whsec_" + "a" * 32
ENDPOINT: Final = "0199b7c0-0000-7000-8000-000000000001"
CARD: Final = {
    "card_number": "4242424242424242",
    "expiry": "12/34",
    "cvc": "123",
    "email": "payer@example.com",
}


@contextmanager
def simulator() -> Iterator[str]:
    """Its address, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="portal-stripe-") as folder:
        port = ports.free(0)
        command = [
            sys.executable,
            "-m",
            "stripe_simulator",
            "--port",
            str(port),
            "--state",
            f"{folder}/state.sqlite",
        ]
        process = subprocess.Popen(  # noqa: S603 - our own program
            command, cwd=BASE_DIR, preexec_fn=dies_with_parent(9), stdout=subprocess.DEVNULL
        )
        try:
            url = f"http://{ports.LOOPBACK}:{port}"
            _wait(url)
            yield url
        finally:
            process.kill()
            process.wait()


def _wait(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            control(url, "GET", "health")
            return
        except (URLError, ConnectionError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def control(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Ask the simulator's own interface."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{url}/_sim/{path}", data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    with urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
        return json.load(answer)


def pay(page: str) -> None:
    """Fill in the payment page as a customer does."""
    with urlopen(Request(page, urlencode(CARD).encode()), timeout=PATIENCE):  # noqa: S310
        pass


def point_at(url: str) -> None:
    """Have this process take the simulator for Stripe."""
    from billing.gateways import gateway

    settings.STRIPE_API_HOST = url
    settings.STRIPE_ANSWER_SECONDS = 20
    settings.STRIPE_WEBHOOK_ENDPOINT = ENDPOINT
    settings.STRIPE_WEBHOOK_SECRET = SECRET
    stripe.api_base = url
    gateway.cache_clear()
