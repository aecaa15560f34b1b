"""Nudges: after the commit, by name; a broker that is down costs nothing but time."""

import time

import pytest
from django.db import transaction

from accounts.models import BillingAccount
from billing import outbox, tasks
from billing.services import auto_recharge
from config.celery import app


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, *args, **options: names.append(name))
    return names


def test_every_nudge_names_a_task_that_exists() -> None:
    assert {tasks.recharge.name, tasks.relay_outbox.name} == {"billing.recharge", "billing.relay_outbox"}


@pytest.mark.django_db(transaction=True)
def test_a_message_nudges_after_the_commit_only(sent: list[str]) -> None:
    with transaction.atomic():
        outbox.put(kind="email.receipt", key="k", payload={})
        assert sent == []
    assert sent == ["billing.relay_outbox"]


def test_a_broker_that_is_down_does_not_hold_up_the_request(account: BillingAccount) -> None:
    """Nothing listens there, and the sender does not try for minutes."""
    with app.connection_for_write("redis://127.0.0.1:1/0") as down, pytest.MonkeyPatch.context() as patch:
        pool = down.Pool(limit=1)
        patch.setattr(type(app), "pool", pool)
        patch.setattr(app.amqp, "_producer_pool", None)
        began = time.monotonic()
        auto_recharge.nudge(account.pk)
        assert time.monotonic() - began < 5
