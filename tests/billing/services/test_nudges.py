"""Nudges: after the commit, by name; a broker that is down costs nothing but time."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from accounts.keys import create_key
from accounts.models import BillingAccount
from billing import nudges, outbox, tasks
from billing.ledger.holds import PlaceRequest
from billing.models import Notice
from billing.services import auto_recharge, charges, key_limits, limits
from config.celery import app
from tests.billing.paying import CREDIT

Sent = list[tuple[str, tuple[str, ...]]]


@pytest.fixture
def tasks_sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    """Names and arguments of what was asked of the worker."""
    found: Sent = []
    monkeypatch.setattr(app, "send_task", lambda name, args, **options: found.append((name, tuple(args))))
    nudges.forget()
    yield found
    nudges.forget()


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


def test_what_meets_a_limit_is_told_at_once_and_a_busy_caller_once_a_minute(
    account: BillingAccount, tasks_sent: Sent, django_capture_on_commit_callbacks: Any
) -> None:
    key, _ = create_key(account=account, name="Production")
    key_limits.set_limits(key, monthly=4 * CREDIT, budget=None)
    limits.set_spending_limit(account.pk, 20 * CREDIT)

    def ask(credits: int, of: uuid.UUID | None = None) -> None:
        request = PlaceRequest(
            account=account.pk,
            amount=credits * CREDIT,
            model="static",
            operation="generate",
            description="Work",
            ttl=600,
            settle_now=True,
            api_key=of,
        )
        with django_capture_on_commit_callbacks(execute=True):
            charges.place(request)

    who = str(account.pk)
    ask(9)
    assert tasks_sent == []
    ask(1)
    assert tasks_sent == [("billing.watch_limit", (who,))]
    tasks_sent.clear()
    ask(5, key.pk)
    ask(5, key.pk)
    ask(11)
    ask(12)
    assert tasks_sent == [
        ("billing.key_limit_stopped", (who, str(key.pk), str(5 * CREDIT))),
        ("billing.limit_stopped", (who, str(11 * CREDIT))),
    ]


def test_the_worker_tells_of_a_key_s_limit_once_for_each_limit(account: BillingAccount) -> None:
    key, _ = create_key(account=account, name="Production")
    key_limits.set_limits(key, monthly=4 * CREDIT, budget=None)
    for _ in range(2):
        tasks.key_limit_stopped(str(account.pk), str(key.pk), str(5 * CREDIT))
    outbox.relay()
    assert [message.subject for message in mail.outbox] == [
        "The limit of API key “Production” stops requests"
    ]
    assert "0\xa0credits of its monthly limit of 4\xa0credits are spent" in mail.outbox[0].body
    key_limits.set_limits(key, monthly=6 * CREDIT, budget=None)
    tasks.key_limit_stopped(str(account.pk), str(key.pk), str(5 * CREDIT))
    outbox.relay()
    assert len(mail.outbox) == 1, "it fits by now"
    tasks.key_limit_stopped(str(account.pk), str(key.pk), str(7 * CREDIT))
    outbox.relay()
    assert len(mail.outbox) == 2


def test_tasks_tell_what_they_are_told(account: BillingAccount) -> None:
    limits.set_spending_limit(account.pk, 4 * CREDIT)
    tasks.limit_stopped(str(account.pk), str(5 * CREDIT))
    tasks.watch_limit(str(account.pk))
    assert [notice.kind for notice in Notice.objects.all()] == ["limit_stopped"]
