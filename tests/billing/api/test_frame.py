"""What all answers share: methods, unknown addresses, headers, errors nobody expected, and the rate."""

import json
import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client, override_settings

from billing.api.document import document, operations
from billing.throttle import Rate, Throttle, throttle
from tests.billing.api.conftest import Api, Payer

ROUTES = sorted({path.replace("{charge_id}", "ch_" + "0" * 32) for path, _, _ in operations(document())})
CALLS = [(method.upper(), re.sub(r"{\w+}", "x", path)) for path, method, _ in operations(document())]
PUBLIC = {"/v1/pricing"}


@pytest.mark.parametrize("path", [*ROUTES, "/v1/openapi.json", "/v1/docs"])
@pytest.mark.parametrize("method", ["DELETE", "PATCH", "OPTIONS", "TRACE", "PURGE"])
def test_a_wrong_method_is_a_problem(db: None, path: str, method: str) -> None:
    response = Client().generic(method, path)
    assert response.status_code == 405
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["code"] == "method_not_allowed"
    assert response["Allow"]
    assert not response.cookies


def test_head_is_get_without_the_body(ann: Payer) -> None:
    headers = {"Authorization": f"Bearer {ann.key}"}
    response = Client().head("/v1/balance", headers=headers)
    assert (response.status_code, response.content) == (200, b"")
    assert int(response["Content-Length"]) > 100
    assert Client().head("/v1/balance").status_code == 401
    assert Client().head("/v1/charges/batch", headers=headers).status_code == 405


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/nothing", "/v1/balance/", "/api", "/api/x", "/v1/charges/"]
)
def test_an_unknown_address_is_a_problem(anyone: Api, path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert json.loads(response.content)["code"] == "not_found"


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_query_nobody_knows_is_refused_at_every_address(
    ann: Payer, studio: Api, method: str, path: str
) -> None:
    for api in (ann.api, studio):
        reply = api.call(method, f"{path}?moth=1")
        assert (reply.status, reply.code, reply.fields) == (422, "invalid_request", {"moth"})
    assert Client().generic(method, f"{path}?moth=1").status_code == (422 if path in PUBLIC else 401)


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs"])
def test_the_document_takes_no_query(anyone: Api, path: str) -> None:
    assert anyone.get(f"{path}?moth=1").status == 422


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/nothing", 404), ("POST", "/v1/usage", 405)]
)
def test_what_is_not_there_is_told_before_its_query(ann: Payer, method: str, path: str, status: int) -> None:
    assert ann.api.call(method, f"{path}?moth=1").status == status


def test_a_problem_has_its_fields(ann: Payer) -> None:
    body = ann.api.get("/v1/usage?limit=0").body
    assert body["type"].endswith("/v1/docs#invalid_request")
    assert (body["title"], body["status"]) == ("The request is not valid", 422)
    assert body["errors"] == [{"field": "limit", "message": "should be greater than or equal to 1"}]


def test_what_nobody_expected_is_a_500_without_its_reason(ann: Payer, monkeypatch: Any) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr("billing.selectors.api.standing", broken)
    reply = ann.api.get("/v1/balance")
    assert (reply.status, reply.code) == (500, "internal_error")
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "hunter2" not in json.dumps(reply.body)
    assert reply.body["request_id"] in reply.body["detail"]


def test_a_database_out_of_reach_is_a_503(ann: Payer, monkeypatch: Any) -> None:
    def away(*_: object) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr("billing.selectors.api.standing", away)
    reply = ann.api.get("/v1/balance")
    assert (reply.status, reply.code) == (503, "service_unavailable")
    assert reply.headers["Retry-After"] == "1"


@override_settings(API_RATES={"customer": (3, 1), "service": (2, 1), "anonymous": (2, 1)})
def test_too_many_requests_of_one_key(ann: Payer, bob: Payer) -> None:
    throttle.clear()
    left = [int(ann.api.get("/v1/balance").headers["RateLimit-Remaining"]) for _ in range(3)]
    assert left == [2, 1, 0]
    reply = ann.api.get("/v1/balance")
    assert (reply.status, reply.code) == (429, "rate_limited")
    assert reply.headers["Retry-After"] == "1"
    assert reply.headers["RateLimit-Limit"] == "3"
    assert reply.headers["RateLimit"].startswith('"default";r=0;t=')
    assert bob.api.get("/v1/balance").status == 200


@override_settings(API_RATES={"customer": (3, 1), "service": (2, 1), "anonymous": (2, 1)})
def test_guessing_keys_is_bounded_by_address(ann: Payer) -> None:
    throttle.clear()
    guesser = Api("bpk_" + "0" * 38)
    assert [guesser.get("/v1/balance").status for _ in range(4)] == [401, 401, 429, 429]
    forged = Client().get("/v1/balance", headers={"X-Forwarded-For": "203.0.113.9"})
    assert forged.status_code == 429
    assert ann.api.get("/v1/balance").status == 200


@override_settings(API_RATES={"customer": (3, 1), "service": (4, 1), "anonymous": (2, 1)})
def test_a_batch_counts_as_many(studio: Api) -> None:
    throttle.clear()
    assert studio.post("/v1/charges/batch", {"charges": [{}] * 4}).status == 200
    assert studio.post("/v1/charges/batch", {"charges": [{}]}).status == 429


def test_a_bucket_fills_again(monkeypatch: Any) -> None:
    clock = [10**12]
    monkeypatch.setattr("billing.throttle.time.monotonic_ns", lambda: clock[0])
    bucket, rate = Throttle(), Rate(burst=10, refill=2)
    assert [bucket.take("a", rate).remaining for _ in range(10)] == list(range(9, -1, -1))
    refused = bucket.take("a", rate)
    assert (refused.allowed, refused.retry_after) == (False, 1)
    clock[0] += 499_999_999
    assert not bucket.take("a", rate).allowed
    clock[0] += 1
    assert bucket.take("a", rate).allowed
    clock[0] += 60 * 10**9
    assert bucket.take("a", rate).remaining == 9
    assert not bucket.take("a", rate, cost=11).allowed
    assert bucket.take("a", rate, cost=9).remaining == 0
