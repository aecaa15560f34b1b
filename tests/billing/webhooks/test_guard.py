"""The guard: what Stripe did not sign for this endpoint, just now, is answered 400 and leaves no trace."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from djstripe.models import Event, WebhookEndpoint, WebhookEventTrigger
from pytest_django import Settings

from billing.models import WebhookInbox
from tests.billing.webhooks.conftest import NAME, SECRET, Post

pytestmark = pytest.mark.django_db


def event(**changes: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": "2026-08-26.dahlia",
        "created": 1_790_000_000,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": "refund.created",
        "data": {"object": {"id": "re_unknown", "object": "refund"}},
    } | changes


def assert_no_trace() -> None:
    assert not WebhookEventTrigger.objects.exists()
    assert not Event.objects.exists()
    assert not WebhookInbox.objects.exists()


def test_a_signed_event_is_kept_and_done(post: Post) -> None:
    assert post(event()) == 200
    row = WebhookInbox.objects.get()
    assert row.done_at is not None
    assert WebhookEventTrigger.objects.get().processed


def test_an_event_without_an_effect_here_is_mirrored_and_not_kept(post: Post) -> None:
    assert post(event(type="balance.available", data={"object": {"object": "balance"}})) == 200
    assert not WebhookInbox.objects.exists()


def test_twice_is_once(post: Post) -> None:
    for _ in range(5):
        assert post(event()) == 200
    assert WebhookInbox.objects.get().attempts == 1


@pytest.mark.parametrize(
    "change",
    [
        {"livemode": True},
        {"livemode": None},
        {"livemode": "false"},
        {"account": "acct_other"},
        {"object": "charge"},
        {"id": None},
        {"id": "x" * 300},
        {"type": 7},
        {"data": None},
        {"data": {"object": None}},
        {"data": {"object": {"object": "refund", "metadata": {"note": "a\x00b"}}}},
        {"data": {"object": {"object": "refund", "metadata": {"note": "\ud800"}}}},
    ],
)
def test_refuses_what_is_not_our_event(post: Post, change: dict[str, Any]) -> None:
    assert post(event(**change)) == 400
    assert_no_trace()


@pytest.mark.parametrize(
    "body",
    [
        b"1",
        b"null",
        b"",
        b"\x00",
        b"[]",
        b'"event"',
        b"{",
        b"\xff\xfe",
        b'{"id": NaN}',
        b'{"id": 1e400}',
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    ],
)
def test_refuses_what_is_not_json_or_no_object(post: Post, body: bytes) -> None:
    assert post(body) == 400
    assert_no_trace()


def test_refuses_a_body_beyond_the_limit(post: Post) -> None:
    assert post(event(padding="x" * 1_100_000)) == 400
    assert_no_trace()


def test_refuses_a_foreign_signature(post: Post) -> None:
    assert post(event(), secret="whsec_" + "b" * 32) == 400
    assert_no_trace()


@pytest.mark.parametrize("header", ["", "t=,v1=", "v1=abc", "t=1e9,v1=a", "t=١,v1=a", "nonsense", "t=1,t=2"])
def test_refuses_a_broken_signature(endpoint: WebhookEndpoint, header: str) -> None:
    client = Client(raise_request_exception=False)
    answer = client.post(
        f"/stripe/webhook/{NAME}/",
        json.dumps(event()),
        content_type="application/json",
        headers={"stripe-signature": header},
    )
    assert answer.status_code == 400
    assert_no_trace()


@pytest.mark.parametrize(
    ("seconds", "status"), [(-301, 400), (301, 400), (-86_400, 400), (86_400, 400), (-300, 200), (300, 200)]
)
def test_only_what_was_signed_within_five_minutes_either_way(post: Post, seconds: int, status: int) -> None:
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False):
        assert post(event(), at=int(time.time()) + seconds) == status


def test_a_rotated_secret_works_beside_the_old_one(post: Post, settings: Settings) -> None:
    fresh = "whsec_" + "c" * 32
    settings.STRIPE_WEBHOOK_SECRET = f"{SECRET},{fresh}"
    assert post(event(), secret=fresh) == 200
    assert post(event(id="evt_2"), secret=SECRET) == 200


def test_the_secret_cannot_be_brought_along(post: Post, settings: Settings) -> None:
    """dj-stripe reads it from a header under DEBUG."""
    settings.DEBUG = True
    forged = "whsec_forged"
    assert post(event(), secret=forged, **{"x-djstripe-webhook-secret": forged}) == 400
    assert_no_trace()


def test_a_forged_address_does_not_hurt(post: Post) -> None:
    assert post(event(), **{"x-forwarded-for": "abc"}) == 200
    assert WebhookEventTrigger.objects.get().remote_ip == "127.0.0.1"


@pytest.mark.parametrize("charset", ["utf-16", "latin-1", "nonsense"])
def test_another_charset_does_not_hurt(endpoint: WebhookEndpoint, post: Post, charset: str) -> None:
    assert (
        post(
            event(data={"object": {"id": "re_ü", "object": "refund"}}),
            **{"content-type": f"application/json; charset={charset}"},
        )
        == 200
    )


def test_an_unknown_endpoint_is_not_found(endpoint: WebhookEndpoint) -> None:
    client = Client(raise_request_exception=False)
    assert client.post("/stripe/webhook/0199b7c0-0000-7000-8000-00000000ffff/").status_code == 404
    assert client.get(f"/stripe/webhook/{NAME}/").status_code == 405


def test_when_the_mirror_fails_the_money_does_not_wait(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise KeyError("discount")

    monkeypatch.setattr(Event, "process", broken)
    assert post(event()) == 503
    row = WebhookInbox.objects.get()
    assert row.done_at is not None
    assert "discount" in row.mirror_error
