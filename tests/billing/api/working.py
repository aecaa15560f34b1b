"""Short ways for the generation service to authorize work."""

from typing import Any

from tests.billing.api.conftest import Api, Payer

MODEL_ON_HOLD = "seedream-4-5"
"""A model of profile ``images``: 0.04 EUR, held and settled."""


def work(payer: Payer, model: str = "static", **fields: Any) -> dict[str, Any]:
    """The body of an authorize call."""
    return {"customer": payer.by_key, "model": model, "operation": "generate", "parameters": {}, **fields}


def authorize(studio: Api, payer: Payer, idem: str | None = None, **fields: Any) -> dict[str, Any]:
    """Authorize work that must be accepted."""
    reply = studio.post("/v1/charges", work(payer, **fields), idem)
    assert reply.status == 202, reply.body
    body: dict[str, Any] = reply.body
    return body


def hold(studio: Api, payer: Payer, idem: str | None = None, **fields: Any) -> dict[str, Any]:
    """Work on profile ``images`` that is on hold."""
    body = authorize(studio, payer, idem, **{"model": MODEL_ON_HOLD, **fields})
    assert body["status"] == "authorized"
    return body
