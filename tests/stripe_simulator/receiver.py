"""A webhook endpoint in the test's own process: remembers what came, answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import stripe


class Receiver(ThreadingHTTPServer):
    """Answers 200, or the next of `answers` while there are any."""

    secret = "whsec_receiver"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[int] = []
        self.events: list[stripe.Event] = []
        self.headers: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?from=stripe"

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        event = stripe.Webhook.construct_event(body, self.headers["Stripe-Signature"], self.server.secret)
        answer = self.server.answers.pop(0) if self.server.answers else 200
        self.server.headers.append(dict(self.headers))
        if answer == 200:
            self.server.events.append(event)
        self.send_response(answer)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield receiver
    receiver.shutdown()
    receiver.server_close()
