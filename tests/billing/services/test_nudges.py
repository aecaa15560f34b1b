"""Nudges: after the commit, by name; a broker that is down costs nothing but time."""

import pytest
from celery import current_app
from django.db import transaction

from accounts.models import BillingAccount
from billing import outbox
from billing.services import auto_recharge
from config.celery import app


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, *args, **options: names.append(name))
    return names


@pytest.mark.django_db
def test_every_nudge_names_a_task_that_exists(sent: list[str]) -> None:
    app.loader.import_default_modules()
    assert {"billing.recharge", "billing.relay_outbox"} <= set(current_app.tasks)


@pytest.mark.django_db(transaction=True)
def test_a_message_nudges_after_the_commit_only(sent: list[str]) -> None:
    with transaction.atomic():
        outbox.put(kind="email.receipt", key="k", payload={})
        assert sent == []
    assert sent == ["billing.relay_outbox"]


def test_a_broker_that_is_down_does_not_fail_the_request(
    account: BillingAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.conf, "broker_url", "redis://127.0.0.1:1/0")
    monkeypatch.setattr(app, "_pool", None)
    auto_recharge.nudge(account.pk)
