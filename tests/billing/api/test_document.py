"""The OpenAPI document says what API.md promises, and the page shows it without help from elsewhere."""

import json
import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from billing.api.document import document, operations
from billing.errors import PROBLEMS

PROMISED = {
    ("get", "/v1/balance"): {
        "account", "mode", "unit", "balance", "available", "held", "credit_price", "grants", "pricing",
        "auto_recharge", "spending_limit",
    },
    ("get", "/v1/usage"): {"data", "next_cursor"},
    ("get", "/v1/usage/summary"): {"unit", "group", "since", "until", "as_of", "net", "data"},
    ("get", "/v1/pricing"): {"unit", "as_of", "approximate", "models"},
    ("post", "/v1/estimate"): {"cost_estimate", "range", "unit", "lines", "sufficient", "available_after"},
    ("get", "/v1/auto-recharge"): {"enabled", "threshold", "amount", "monthly_cap"},
    ("put", "/v1/auto-recharge"): {"enabled", "threshold", "amount", "monthly_cap"},
    ("get", "/v1/spending-limit"): {"limit", "mode", "currency", "spent", "resets_at"},
    ("put", "/v1/spending-limit"): {"limit", "mode", "currency", "spent", "resets_at"},
    ("post", "/v1/topups"): {"checkout_url"},
    ("get", "/v1/balance/changes"): {"unit", "opening", "closing", "change", "sums", "largest"},
    ("get", "/v1/statements"): {"data", "next_cursor"},
    ("get", "/v1/invoices"): {"data", "next_cursor"},
    ("get", "/v1/invoices/{invoice_id}"): {"id", "number", "status", "total", "amount_due", "due_at", "lines"},
    ("get", "/v1/charges"): {"data", "next_cursor"},
    ("get", "/v1/charges/{charge_id}"): {"id", "status", "unit", "metadata", "hold"},
    ("post", "/v1/charges"): {
        "id", "status", "unit", "metadata", "hold", "balance", "available", "expires_at",
    },
    ("post", "/v1/charges/batch"): {"data"},
    ("post", "/v1/charges/{charge_id}/settle"): {"status", "metadata", "returned", "balance", "available"},
    ("post", "/v1/charges/{charge_id}/void"): {"status"},
    ("post", "/v1/charges/{charge_id}/refund"): {
        "status", "unit", "metadata", "amount", "refunded", "transaction", "balance",
    },
    ("get", "/v1/keys"): {"data", "next_cursor"},
    ("put", "/v1/keys/{key_id}/limit"): {
        "id", "monthly_limit", "total_budget", "spent_this_month", "spent_in_all", "resets_at",
    },
    ("post", "/v1/keys/verify"): {"valid", "account", "plan", "mode"},
    ("get", "/api/credits/balance"): {"balance"},
    ("get", "/api/subscription"): {"plan", "status", "creditsRemaining", "currentPeriodEnd"},
    ("get", "/api/spending-limit"): {"limitCents"},
    ("post", "/api/spending-limit"): {"limitCents", "updated"},
}  # fmt: skip
"""The contract's endpoints and the fields of their answers."""

FILES = {
    ("get", "/v1/statements/{month}.csv"): "text/csv",
    ("get", "/v1/statements/{month}.pdf"): "application/pdf",
}
EXACT = {path for _, path in PROMISED if path.startswith("/api/")}
BODIES = {
    "/v1/estimate": {"model", "operation", "parameters"},
    "/v1/topups": {"amount", "currency"},
    "/v1/charges": {"customer", "model", "operation", "parameters", "reference", "confirm"},
    "/v1/charges/{charge_id}/settle": {
        "outputs", "cost", "partial", "provider", "provider_name", "executed_model", "upstream_id",
    },
    "/v1/charges/{charge_id}/void": {"reason"},
    "/v1/charges/{charge_id}/refund": {"amount", "reason"},
    "/v1/keys/verify": {"api_key"},
    "/api/spending-limit": {"limitCents"},
}  # fmt: skip


def properties(schema: dict[str, object]) -> set[str]:
    first: dict[str, object] = next(iter(schema.get("anyOf", [schema])))  # type: ignore[call-overload]
    name = str(first["$ref"]).rpartition("/")[2]
    return set(document()["components"]["schemas"][name]["properties"])


def test_it_is_openapi_3_1() -> None:
    assert document()["openapi"] == "3.1.0"


def test_every_promised_endpoint_is_there_and_no_other() -> None:
    assert {(method, path) for path, method, _ in operations(document())} == set(PROMISED) | set(FILES)


@pytest.mark.parametrize(("method", "path"), PROMISED, ids=[f"{m} {p}" for m, p in PROMISED])
def test_answers_have_the_promised_fields(method: str, path: str) -> None:
    responses = document()["paths"][path][method]["responses"]
    status = "202" if "202" in responses else "200"
    fields = properties(responses[status]["content"]["application/json"]["schema"])
    assert fields >= PROMISED[method, path]
    if path in EXACT:
        assert fields == PROMISED[method, path]


@pytest.mark.parametrize("path", BODIES)
def test_bodies_have_exactly_the_promised_fields(path: str) -> None:
    body = document()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert properties(body if "$ref" in body else body["allOf"][0]) == BODIES[path]


def test_types_of_history_are_the_promised_ones() -> None:
    transaction = document()["components"]["schemas"]["Transaction"]["properties"]
    assert " ".join(transaction["type"]["enum"]) == (
        "topup bonus trial plan_grant usage refund expiry adjustment auto_recharge reset dispute invoice"
    )


def test_every_operation_tells_its_errors_as_problems() -> None:
    for path, method, operation in operations(document()):
        statuses = set(operation["responses"])
        assert {"422", "429", "500", "503"} <= statuses, f"{method} {path}"
        if operation.get("security") != [{}, {"AnyKey": []}]:
            assert {"401", "403"} <= statuses, f"{method} {path}"
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], f"{method} {path}"


def test_every_post_takes_an_idempotency_key() -> None:
    for path, method, operation in operations(document()):
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert ("Idempotency-Key" in names) is (method == "post"), f"{method} {path}"


def test_every_status_of_the_one_table_is_documented_somewhere() -> None:
    documented = {
        int(status) for _, _, operation in operations(document()) for status in operation["responses"]
    }
    assert {problem.status for problem in PROBLEMS.values()} <= documented


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations(document())]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z_]+", name) for name in names)


def test_it_is_served_and_can_be_kept(db: None) -> None:
    response = Client().get("/v1/openapi.json")
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content) == document()
    again = Client().get("/v1/openapi.json", headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304


class _Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.inline: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.add(found.get("id", ""))
        if tag in ("script", "img", "link"):
            self.loaded.append(found.get("src") or found.get("href") or "")
        if "style" in found or (tag == "script" and "src" not in found):
            self.inline.append(tag)


def test_the_page_shows_every_operation_and_problem(db: None) -> None:
    response = Client().get("/v1/docs")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/html")
    page = _Links(response.content.decode())
    for path, method, operation in operations(document()):
        assert path in response.content.decode(), f"{method} {path}"
        assert operation["summary"] in response.content.decode()
    assert set(PROBLEMS) <= page.ids
    assert "<c-" not in response.content.decode()


def test_the_page_loads_nothing_from_elsewhere(db: None) -> None:
    response = Client().get("/v1/docs")
    page = _Links(response.content.decode())
    assert page.loaded
    assert all(address.startswith("/") and not address.startswith("//") for address in page.loaded)
    assert not page.inline
    assert "default-src 'self'" in response["Content-Security-Policy"]
    assert not response.cookies


@pytest.mark.parametrize(("method", "path"), FILES)
def test_files_have_their_own_content_type(method: str, path: str) -> None:
    responses = document()["paths"][path][method]["responses"]
    assert list(responses["200"]["content"]) == [FILES[method, path]]
