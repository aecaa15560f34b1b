"""/metrics: what it says, and to whom."""

import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.models import OutboxMessage, Payment, ReconciliationRun, WebhookInbox
from billing.selectors import operations
from billing.services.reconciliation import CHECKS, runs
from tests.billing.views.conftest import work
from tests.production import PRODUCTION


def gauges(client: Client, **headers: str) -> dict[str, float]:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_gauges_tell_what_waits(account: BillingAccount) -> None:
    work(account, 5, settle_now=False)
    OutboxMessage.objects.create(kind="mail", key="a", payload={})
    OutboxMessage.objects.create(kind="mail", key="b", payload={}, parked_at=now())
    WebhookInbox.objects.create(event_id="evt_1", type="x", payload={}, parked_at=now())
    paying: dict[str, Any] = {
        "account": account,
        "cash_minor": 500,
        "currency": "USD",
        "credits": 50,
        "unit": "credit",
    }
    Payment.objects.create(**paying, purpose="topup", route="checkout", status="submitted")
    Payment.objects.create(**paying, purpose="topup", route="saved_card", status="submitted")
    told = gauges(Client())
    assert told["portal_holds_open"] == 1
    assert told["portal_outbox_unsent"] >= 1
    assert told["portal_outbox_parked"] == 1
    assert told["portal_inbox_parked"] == 1
    assert told["portal_balances_negative"] == 0
    assert told["portal_payments_unknown"] == 1, (
        "who is still at Stripe's page has not paid, and nothing is unknown"
    )
    assert told["process_resident_memory_bytes"] > 1_000_000


def test_breaches_are_those_of_the_newest_look_at_each_promise(account: BillingAccount) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_balance SET held = 1")
    everything = runs.record("schedule", everything=True)
    ReconciliationRun.objects.filter(pk=everything.pk).update(finished_at=now() - timedelta(hours=2))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ledger_balance SET held = 0")
    runs.record("schedule", everything=False)
    told = gauges(Client())
    assert told['portal_reconciliation_breaches{check="held_matches_holds"}'] == 0
    assert told['portal_reconciliation_breaches{check="history_counted"}'] == 0
    assert 7190 < told['portal_reconciliation_age_seconds{scope="everything"}'] < 7300
    assert told['portal_reconciliation_age_seconds{scope="new"}'] < 60


def test_a_history_that_was_edited_is_told_until_everything_was_looked_at_again(
    account: BillingAccount,
) -> None:
    work(account, 5)
    runs.record("schedule", everything=False)
    edit = "UPDATE ledger_transaction SET description = %s WHERE account_id = %s AND kind = 'usage'"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(edit, ["Edited", account.pk])
        runs.record("schedule", everything=True)
        runs.record("schedule", everything=False)
        assert gauges(Client())['portal_reconciliation_breaches{check="chain_intact"}'] == 1
        cursor.execute(edit, ["Static, generate", account.pk])
        cursor.execute("SET LOCAL session_replication_role = origin")
    runs.record("schedule", everything=True)
    assert gauges(Client())['portal_reconciliation_breaches{check="chain_intact"}'] == 0


def test_the_checks_that_read_only_what_is_new_are_named() -> None:
    assert {check.name for check in CHECKS if " start " in check.sql} == operations.ONLY_WHAT_IS_NEW


def test_strangers_and_what_comes_through_a_proxy_find_nothing(db: None) -> None:
    assert Client(REMOTE_ADDR="203.0.113.9").get("/metrics").status_code == 404
    for header in ("X-Forwarded-For", "Forwarded", "X-Real-Ip"):
        assert Client().get("/metrics", headers={header: "127.0.0.1"}).status_code == 404


def test_with_a_token_only_the_token_counts(db: None, settings: Any) -> None:
    settings.METRICS_TOKEN = "a-long-token"
    assert Client().get("/metrics").status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer ä"}).status_code == 404
    far = Client(REMOTE_ADDR="203.0.113.9")
    assert gauges(far, Authorization="Bearer a-long-token")["portal_holds_open"] == 0


def test_where_a_token_is_required_this_machine_needs_it_too(db: None, settings: Any) -> None:
    settings.METRICS_TOKEN_REQUIRED = True
    assert Client().get("/metrics").status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    settings.METRICS_TOKEN = "a-long-token"
    assert gauges(Client(), Authorization="Bearer a-long-token")["portal_holds_open"] == 0


@pytest.mark.parametrize(("module", "required"), [("production", True), ("local", False), ("test", False)])
def test_production_requires_a_token(module: str, required: bool) -> None:
    program = "from django.conf import settings; print(settings.METRICS_TOKEN_REQUIRED)"
    environment = {**os.environ, **PRODUCTION, "DJANGO_SETTINGS_MODULE": f"config.settings.{module}"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(required)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_only_read(db: None, method: str) -> None:
    assert getattr(Client(), method)("/metrics").status_code == 405
