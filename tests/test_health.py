"""/healthz and /readyz."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client

from config.celery import heartbeat
from config.health import HEARTBEAT_AGE
from config.models import Heartbeat

pytestmark = pytest.mark.django_db


def test_a_process_that_answers_is_alive(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


def test_ready_names_a_worker_that_has_never_given_a_sign(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "database": "ok",
        "migrations": "ok",
        "worker": "no sign of life for a minute",
    }


def test_ready_when_the_worker_has_just_beaten(client: Client) -> None:
    heartbeat()

    answer = client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["ready"] is True


def test_an_old_sign_of_life_is_none(client: Client) -> None:
    Heartbeat.objects.create(name="worker", beat_at=Now() - HEARTBEAT_AGE - timedelta(seconds=1))

    assert client.get("/readyz").status_code == 503


def test_an_answer_carries_the_proxys_request_id_but_no_nonsense(client: Client) -> None:
    assert (
        client.get("/healthz", headers={"X-Request-Id": "abcdef0123456789"})["X-Request-Id"]
        == "abcdef0123456789"
    )
    made_up = client.get("/healthz", headers={"X-Request-Id": "a b\n<script>"})["X-Request-Id"]
    assert made_up.isalnum()
