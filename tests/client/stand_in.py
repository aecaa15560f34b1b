"""A portal in a few lines, with the API's shapes over real HTTP: for answers a working portal rarely gives.

Faults are scripted: a reply dropped before or after the effect, a 503, a 429. What the portal itself does is
tested on the portal.
"""

import json
import threading
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, dict[str, Any], dict[str, str]]
CUSTOMER_KEY = "bpk_customer0000000000000000000000000000000"
OTHER_KEY = "bpk_other00000000000000000000000000000000000"
SERVICE_KEY = "bps_service0000000000000000000000000000000000"
ACCOUNTS = {CUSTOMER_KEY: "acct_one", OTHER_KEY: "acct_two"}


@dataclass
class StandIn:
    """One account's money and what was asked. ``faults`` maps a verb to what happens to its next calls."""

    unit: str = "EUR"
    price: Decimal = Decimal("0.04")
    on_acceptance: bool = False
    finish_at_authorization: str = ""  # "void": every hold runs out the moment it was answered
    balance: Decimal = Decimal(10)
    held: Decimal = Decimal(0)
    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    remembered: dict[str, Answer] = field(default_factory=dict)
    faults: dict[str, deque[str]] = field(default_factory=dict)
    scripted: deque[tuple[int, bytes, dict[str, str]]] = field(default_factory=deque)
    calls: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def fault(self, verb: str, *kinds: str) -> None:
        self.faults.setdefault(verb, deque()).extend(kinds)

    def reset(self) -> None:
        """As new, at the same address."""
        with self.lock:
            self.__dict__ |= {**StandIn().__dict__, "url": self.url, "lock": self.lock}

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Answer:
        self.calls[verb_of(method, path)] += 1
        if path == "/v1/keys/verify":
            account = ACCOUNTS.get(body["api_key"])
            return 200, {"valid": account is not None, "account": account, "plan": "", "mode": "prepaid"}, {}
        if path == "/v1/charges" and method == "POST":
            return self.dry_run(body) if query.get("dryRun") == "true" else self.authorize(body)
        if path == "/v1/charges":
            found = [c for c in self.charges.values() if c["reference"] == query.get("reference")]
            return 200, {"data": [self.shown(c) for c in found], "next_cursor": None}, {}
        if path.startswith("/v1/charges/"):
            charge_id, _, verb = path.removeprefix("/v1/charges/").partition("/")
            return self.finish(charge_id, verb, body)
        return problem(404, "not_found", "Not found", "There is no such address.")

    def cost(self, body: dict[str, Any]) -> Decimal:
        return self.price * int(body["parameters"].get("count", 1))

    def dry_run(self, body: dict[str, Any]) -> Answer:
        cost = self.cost(body)
        estimate = {
            "cost_estimate": str(cost),
            "range": None,
            "unit": self.unit,
            "lines": [{"what": body["model"], "quantity": "1", "unit_price": str(cost), "amount": str(cost)}],
            "sufficient": cost <= self.balance - self.held,
            "available_after": str(self.balance - self.held - cost),
        }
        return 200, estimate, {}

    def authorize(self, body: dict[str, Any]) -> Answer:
        cost = self.cost(body)
        if body["model"] == "unknown":
            return problem(422, "not_offered", "Not offered", "There is no price for unknown.")
        if cost > self.balance - self.held:
            return problem(
                402,
                "insufficient_credits",
                "Not enough credits",
                "Add funds to go on.",
                required=str(cost),
                available=str(self.balance - self.held),
                unit=self.unit,
                remedies=[{"code": "add_funds", "url": f"{self.url}/credits/add"}],
            )
        charge: dict[str, Any] = {
            "id": f"ch_{uuid.uuid4().hex}",
            "status": "settled" if self.on_acceptance else "authorized",
            "reference": body.get("reference"),
            "estimate": cost,
            "cost": cost if self.on_acceptance else None,
        }
        self.charges[charge["id"]] = charge
        if self.on_acceptance:
            self.balance -= cost
        else:
            self.held += cost
        answer = self.shown(charge)
        if self.finish_at_authorization:
            self.finish(charge["id"], self.finish_at_authorization, {})
        return 202, answer, {}

    def finish(self, charge_id: str, verb: str, body: dict[str, Any]) -> Answer:
        charge = self.charges.get(charge_id)
        if charge is None:
            return problem(404, "not_found", "Not found", "There is no such charge.")
        allowed = {"settle": "authorized", "void": "authorized", "refund": "settled", "": charge["status"]}
        if charge["status"] != allowed[verb]:
            return problem(409, "invalid_state", "Not possible in this state", f"It is {charge['status']}.")
        if verb == "settle":
            cost = Decimal(body["cost"]) if "cost" in body else self.price * body["outputs"].get("count", 1)
            self.held -= charge["estimate"]
            self.balance -= cost
            charge |= {"status": "settled", "cost": cost, **body}
        elif verb == "void":
            self.held -= charge["estimate"]
            charge["status"] = "voided"
        elif verb == "refund":
            self.balance += charge["cost"]
            charge["status"] = "refunded"
        return 200, self.shown(charge), {}

    def shown(self, charge: dict[str, Any]) -> dict[str, Any]:
        cost = None if charge["cost"] is None else str(charge["cost"])
        return {
            "id": charge["id"],
            "status": charge["status"],
            "unit": self.unit,
            "reference": charge["reference"],
            "metadata": {"cost": cost, "cost_estimate": str(charge["estimate"])},
            "balance": str(self.balance),
            "available": str(self.balance - self.held),
            "expires_at": "2026-11-20T14:00:00Z",
        }


def problem(status: int, code: str, title: str, detail: str, **extra: Any) -> Answer:
    document = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **extra,
    }
    return status, document, {}


def verb_of(method: str, path: str) -> str:
    """``authorize``, ``settle``, ``void``, ``refund``, ``verify``; other calls by their path."""
    if path == "/v1/charges":
        return "authorize" if method == "POST" else "find"
    return path.rsplit("/", 1)[-1]


class Handler(BaseHTTPRequestHandler):
    """One connection; ``portal`` is set on a subclass per server."""

    protocol_version = "HTTP/1.1"
    portal: ClassVar[StandIn]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        with self.portal.lock:
            self.portal.seen.append((self.command, self.path, dict(self.headers), raw))
            if self.portal.scripted:
                self._send(*self.portal.scripted.popleft())
                return
            fault = self._fault(verb_of(self.command, parts.path))
            answer = None if fault in ("drop before", "503") else self._once(parts.path, query, raw)
        if fault.startswith("drop"):
            self.close_connection = True
            return
        status, body, headers = answer or problem(503, "service_unavailable", "Try again shortly", "Busy.")
        kind = "application/problem+json" if status >= 400 else "application/json"
        self._send(status, json.dumps(body).encode(), {"Content-Type": kind, **headers})

    def _fault(self, verb: str) -> str:
        waiting = self.portal.faults.get(verb)
        return waiting.popleft() if waiting else ""

    def _once(self, path: str, query: dict[str, str], raw: bytes) -> Answer:
        key = self.headers.get("Idempotency-Key")
        if key is not None and key in self.portal.remembered:
            return self.portal.remembered[key]
        answer = self.portal.answer(self.command, path, query, json.loads(raw) if raw else {})
        if key is not None:
            self.portal.remembered[key] = answer
        return answer

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815


class Running:
    """The stand-in as a server on a free port; ``close`` ends it."""

    def __init__(self, portal: StandIn) -> None:
        self.portal = portal
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"portal": portal}))
        self._server.daemon_threads = True
        portal.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
