"""Whatever is sent, the answer is a clear problem, never a 500, and nothing is charged."""

import json
from typing import Any

import pytest

from tests.client.stand_in import CUSTOMER_KEY, StandIn
from tests.studio.running import StudioProcess

AD: dict[str, Any] = {"product": "static", "headline": "Hello"}
IMAGE: dict[str, Any] = {"model": "m", "prompt": "p"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/ads/generate", {}, "product"),
        ("/v1/ads/generate", {"product": "static"}, "headline"),
        ("/v1/ads/generate", {**AD, "product": "poster"}, "product"),
        ("/v1/ads/generate", {**AD, "product": ["static"]}, "product"),
        ("/v1/ads/generate", {**AD, "headline": 7}, "headline"),
        ("/v1/ads/generate", {**AD, "headline": "x" * 121}, "headline"),
        ("/v1/ads/generate", {**AD, "headline": "a\x00b"}, "headline"),
        ("/v1/ads/generate", {**AD, "headline": "a\ud800b"}, "headline"),
        ("/v1/ads/generate", {**AD, "colors": "red"}, "colors"),
        ("/v1/ads/generate", {**AD, "colors": ["#12345"]}, "colors"),
        ("/v1/ads/generate", {**AD, "colors": ["#１２３４５６"]}, "colors"),
        ("/v1/ads/generate", {**AD, "colors": []}, "colors"),
        ("/v1/ads/generate", {**AD, "headlin": "typo"}, "headlin"),
        ("/v1/ads/generate", {**AD, "simulate": "fire"}, "simulate"),
        ("/v1/images/generate", {**IMAGE, "count": 0}, "count"),
        ("/v1/images/generate", {**IMAGE, "count": 1.5}, "count"),
        ("/v1/images/generate", {**IMAGE, "count": True}, "count"),
        ("/v1/images/generate", {**IMAGE, "count": "2"}, "count"),
        ("/v1/images/generate", {**IMAGE, "resolution": "8K"}, "resolution"),
        ("/v1/images/generate", {**IMAGE, "prompt": "  "}, "prompt"),
        ("/v1/images/generate", {**IMAGE, "wait": "yes"}, "wait"),
        ("/v1/videos/generate", {**IMAGE, "seconds": 21}, "seconds"),
    ],
)
def test_a_wrong_field_is_named(
    studio: StudioProcess, portal: StandIn, path: str, body: dict[str, Any], field: str
) -> None:
    answer = studio.call("POST", path, body)
    assert (answer.status, answer.json["code"]) == (422, "invalid_request")
    assert field in [error["field"] for error in answer.json["errors"]]
    assert portal.charges == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"product": NaN}',
        b'{"product": "static", "product": "full", "headline": "H"}',
        b'{"headline": ' + b"9" * 5000 + b"}",
        b'{"a":' * 9000 + b"1" + b"}" * 9000,
        json.dumps({**AD, "\u0000": 1}).encode(),
    ],
)
def test_a_body_that_is_not_a_clean_object_is_refused(
    studio: StudioProcess, portal: StandIn, body: bytes
) -> None:
    answer = studio.call("POST", "/v1/ads/generate", body)
    assert (answer.status, answer.headers["content-type"]) == (422, "application/problem+json")
    assert portal.charges == {}


def test_every_wrong_field_is_named_at_once(studio: StudioProcess) -> None:
    answer = studio.call("POST", "/v1/images/generate", {"count": 9, "resolution": "8K"})
    assert {error["field"] for error in answer.json["errors"]} == {"model", "prompt", "count", "resolution"}


def test_too_large_a_body_is_refused(studio: StudioProcess) -> None:
    body = json.dumps({**AD, "text": "x" * 70_000}).encode()
    assert studio.call("POST", "/v1/ads/generate", body).status == 413


@pytest.mark.parametrize("key", [None, "bpk_nobody_has_this_one", "x", "bpk_ä"])
def test_without_a_valid_key_nothing_is_done(studio: StudioProcess, portal: StandIn, key: str | None) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    answer = studio.call("POST", "/v1/ads/generate", AD, key=None, **headers)
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert portal.charges == {}


def test_unknown_addresses_and_methods(studio: StudioProcess) -> None:
    assert studio.call("GET", "/v2/ads").status == 404
    answer = studio.call("GET", "/v1/ads/generate")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert studio.call("GET", "/v1/jobs/job_of_nobody").status == 404


@pytest.mark.slow
def test_words_in_any_script_are_drawn(studio: StudioProcess) -> None:
    for headline in (
        "Ünïcödé žluťoučký",
        "日本語の見出しはとても長いので折り返されます" * 4,
        "🎉 " * 30,
        "x" * 120,
        "שלום",
    ):
        accepted = studio.call("POST", "/v1/ads/generate", {**AD, "headline": headline[:120]})
        assert studio.finished(accepted.json["id"])["status"] == "completed", headline


@pytest.mark.parametrize("key", ["", "has space", "x" * 256])
def test_an_impossible_idempotency_key_is_refused(studio: StudioProcess, key: str) -> None:
    answer = studio.call("POST", "/v1/ads/generate", AD, Idempotency_Key=key)
    assert answer.status in (202, 422) if key == "" else answer.status == 422


def test_the_index_page_names_the_endpoints(studio: StudioProcess) -> None:
    answer = studio.call("GET", "/", key=None)
    assert b"/v1/ads/generate" in answer.body
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_the_service_key_is_in_no_log(studio: StudioProcess, portal: StandIn) -> None:
    studio.call("POST", "/v1/ads/generate", AD)
    log = (studio.data.parent / "studio.log").read_text()
    assert CUSTOMER_KEY not in log
    assert "bps_" not in log
