"""Malformed requests: what is in them, and how they are made."""

import json
import random
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, quote_from_bytes

import stripe

from billing.api.document import document
from soak import simulator

TOKEN: Final = "a" * 32  # a CSRF token, as a browser would send it twice
NUMBERS: Final = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e-400",
    "9" * 5000,
    "1_000",
    "0x10",
    "١٢٣",
    "-0",
    "1.0000001",
    "",
)
TEXTS: Final = (
    "", "\0", "a\0b", "\ud800", "\uffff", "🜚" * 5000, "'; DROP TABLE ledger_balance; --", "../../etc/passwd", "%00",
    "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "{{7*7}}", "acct_", "ch_" + "0" * 32, "ch_" + "g" * 32, "null",
    "true", "\r\nX: y", "٣",
)  # fmt: skip
VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**63, -(2**63), 10**40, 1.5, -0.0, [], {}, [[]], [None], {"": ""}, {"\0": 1},
    *TEXTS, *NUMBERS,
)  # fmt: skip
BODIES: Final = (
    b"", b"1", b"null", b"\0", b'"', b"{", b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b"\xef\xbb\xbf{}",
    b'{"a":1,"a":2}', b'{"model":NaN}', b'{"amount":1e400}', b'{"amount":' + b"9" * 5000 + b"}", b'{"a":"\\ud800"}',
    b'{"a":"\\u0000"}', b"{'a':1}", b'{"object":"event"}', b"a=1&b=%00", b"\r\n\r\n", b"{}" * 1000,
    b'{"customer":{"api_key":"bpk_' + b"A" * 38 + b'"}}',
)  # fmt: skip
BENT_HEADERS: Final = (
    "authorization", "idempotency-key", "x-forwarded-for", "cookie", "accept", "content-type", "x-request-id", "hx-request",
    "hx-target", "if-none-match", "accept-language",
)  # fmt: skip
FIELDS: Final = (
    "page", "cursor", "limit", "type", "from", "to", "q", "amount", "threshold", "payment", "next", "name", "email", "role",
    "currency", "monthly_cap", "enabled", "limit_amount", "model", "month", "theme", "account", "session_id", "confirm",
)  # fmt: skip
KINDS: Final = (
    "application/json",
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "x",
    "",
)


@dataclass(frozen=True)
class Shot:
    """One request."""

    method: str
    path: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path[:200]} {self.body[:200]!r} {dict(self.headers)}"[:700]


class Known:
    """What a process knows to ask for: routes, ids, and whom it pretends to be."""

    service = customer = cookies = ""
    pages: list[str] = []
    operations: list[tuple[str, str, Any]] = []
    ids: list[str] = []


def shot(chance: random.Random) -> Shot:
    """One malformed request."""
    make = chance.choice((_bent, _bent, _bent, _raw, _raw, _page, _webhook))
    return make(chance)


def _headers(
    chance: random.Random, body: bytes, *, key: str | None = None, kind: str | None = None
) -> tuple[tuple[bytes, bytes], ...]:
    """Those of an honest client, some of them bent."""
    headers = {
        "host": "testserver",
        "content-type": kind if kind is not None else chance.choice(KINDS),
        "content-length": str(len(body)),
        "cookie": Known.cookies,
        "x-csrftoken": TOKEN,
    }
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    if chance.random() < 0.3:
        name = chance.choice(BENT_HEADERS)
        headers[name] = str(
            chance.choice((*TEXTS, *NUMBERS, "Bearer ", "Bearer bpk_" + "A" * 38, "abc", "-1", "k" * 300))
        )
    return tuple((name.encode(), value.encode("utf-8", "replace")[:5000]) for name, value in headers.items())


def _bent(chance: random.Random) -> Shot:
    """A valid request by the document, with something wrong in it."""
    method, path, operation = chance.choice(Known.operations)
    path = _filled(chance, path)
    body = b""
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        value = _bend(chance, _sample(chance, schema))
        body = json.dumps(value).encode("utf-8", "surrogatepass")
    query = [
        (item["name"], chance.choice((*TEXTS, *NUMBERS, "50")))
        for item in operation.get("parameters", [])
        if item["in"] == "query"
    ]
    if query and chance.random() < 0.7:
        path += "?" + "&".join(
            f"{name}={quote(value, errors='replace')}" for name, value in chance.sample(query, 1)
        )
    key = chance.choice((Known.service, Known.customer))
    return Shot(method, path, body, _headers(chance, body, key=key, kind="application/json"))


def _sample(chance: random.Random, schema: Any) -> Any:
    """Something that fits a schema, more or less."""
    if "$ref" in schema:
        return _sample(chance, document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _sample(chance, chance.choice(schema[several]))
    if "enum" in schema or "const" in schema:
        return chance.choice(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object":
        return {
            name: _sample(chance, part)
            for name, part in schema.get("properties", {}).items()
            if chance.random() < 0.8
        }
    if kind == "array":
        return [_sample(chance, schema.get("items", {})) for _ in range(chance.randint(0, 3))]
    if kind == "string":
        return chance.choice(("static", "generate", "full", "5", "0.061", Known.customer, *Known.ids))
    return {"integer": 3, "number": 1.5, "boolean": True}.get(str(kind))


def _bend(chance: random.Random, value: Any) -> Any:
    """Put something wrong in one place of it."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        name = chance.choice(list(value))
        return (
            {**value, name: _bend(chance, value[name])}
            if chance.random() < 0.9
            else {**value, chance.choice(TEXTS): 1}
        )
    if isinstance(value, list) and value and chance.random() < 0.7:
        place = chance.randrange(len(value))
        return [*value[:place], _bend(chance, value[place]), *value[place + 1 :]]
    return chance.choice(VALUES)


def _filled(chance: random.Random, path: str) -> str:
    """The path with something in its places."""
    parts = []
    for part in path.split("/"):
        if "{" in part or "<" in part:
            known = chance.random() < 0.5
            parts.append(
                chance.choice(Known.ids) if known else quote(chance.choice(TEXTS), safe="", errors="replace")
            )
        else:
            parts.append(part)
    return "/".join(parts)


def _raw(chance: random.Random) -> Shot:
    """Bytes that never were a request."""
    method, path, _ = chance.choice(Known.operations)
    body = chance.choice(BODIES) if chance.random() < 0.7 else chance.randbytes(chance.randint(1, 400))
    method = chance.choice((method, method, "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"))
    return Shot(
        method,
        _filled(chance, path),
        body,
        _headers(chance, body, key=chance.choice((Known.service, Known.customer))),
    )


def _page(chance: random.Random) -> Shot:
    """A page of ours with nonsense in its address or form."""
    path = "/" + _filled(chance, chance.choice(Known.pages))
    pairs = "&".join(
        f"{name}={quote_from_bytes(str(chance.choice(VALUES)).encode('utf-8', 'replace')[:2000])}"
        for name in chance.sample(FIELDS, 4)
    )
    if chance.random() < 0.5:
        return Shot("GET", f"{path}?{pairs}", b"", _headers(chance, b"", kind=""))
    body = pairs.encode() if chance.random() < 0.8 else chance.choice(BODIES)
    return Shot("POST", path, body, _headers(chance, body, kind="application/x-www-form-urlencoded"))


def _webhook(chance: random.Random) -> Shot:
    """Something at Stripe's way in, signed or not."""
    body = chance.choice(BODIES) if chance.random() < 0.8 else json.dumps(chance.choice(VALUES)).encode()
    headers = list(_headers(chance, body, kind="application/json"))
    if chance.random() < 0.6:
        signed = stripe.WebhookSignature.generate_signature_header(
            body.decode("utf-8", "replace"), simulator.SECRET
        )
        headers.append((b"stripe-signature", signed.encode()))
    else:
        headers.append((b"stripe-signature", str(chance.choice(VALUES)).encode("utf-8", "replace")[:2000]))
    return Shot("POST", f"/stripe/webhook/{simulator.ENDPOINT}/", body, tuple(headers))
