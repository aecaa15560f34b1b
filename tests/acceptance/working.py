"""Short ways to ask for work, to finish it, and to look at what became of it."""

from decimal import Decimal
from typing import Any

from tests.acceptance.conftest import browser_of, page
from tests.acceptance.reading import body
from tests.billing.api.conftest import Api, Payer, Reply


def ask(
    service: Api, payer: Payer, model: str, operation: str = "generate", *, query: str = "", **parameters: Any
) -> Reply:
    """Authorize work; ``confirm=True`` is said to the API, everything else is a parameter."""
    confirm = bool(parameters.pop("confirm", False))
    return service.post(
        f"/v1/charges{query}",
        {
            "customer": payer.by_key,
            "model": model,
            "operation": operation,
            "parameters": parameters,
            "confirm": confirm,
        },
    )


def placed(
    service: Api, payer: Payer, model: str, operation: str = "generate", **parameters: Any
) -> dict[str, Any]:
    """Work that must be accepted."""
    reply = ask(service, payer, model, operation, **parameters)
    assert reply.status == 202, reply.body
    return dict(reply.body)


def settled(service: Api, charge: dict[str, Any], **result: Any) -> dict[str, Any]:
    """Settle: ``outputs``, ``cost`` and routing, or nothing for "as asked"."""
    reply = service.post(f"/v1/charges/{charge['id']}/settle", result)
    assert reply.status == 200, reply.body
    return dict(reply.body)


def voided(service: Api, charge: dict[str, Any]) -> dict[str, Any]:
    reply = service.post(f"/v1/charges/{charge['id']}/void", {"reason": "Failed"})
    assert reply.status == 200, reply.body
    return dict(reply.body)


def standing(payer: Payer) -> dict[str, Any]:
    return dict(payer.api.get("/v1/balance").body)


def balance(payer: Payer) -> Decimal:
    return Decimal(standing(payer)["balance"])


def history(payer: Payer) -> list[tuple[str, str]]:
    """Type and amount of every transaction, newest first."""
    return [(line["type"], line["amount"]) for line in payer.api.get("/v1/usage").body["data"]]


def read(payer: Payer, path: str) -> str:
    """The words of one of the account's pages."""
    return body(page(browser_of(payer.account), path))
