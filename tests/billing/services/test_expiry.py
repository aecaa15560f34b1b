"""What has lapsed is posted by itself, account by account."""

from datetime import UTC, datetime, timedelta

import pytest

from billing import tasks
from billing.ledger.models import Balance, Grant, Transaction
from billing.services import reconciliation
from config.celery import app
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, open_account, standing

__all__ = ["open_account"]


def test_lapsed_credits_of_every_account_are_posted_once(open_account: OpenAccount) -> None:
    expiry = datetime.now(UTC) + timedelta(days=1)
    accounts = [open_account(5) for _ in range(3)]
    for account in accounts[:2]:
        give(account, 7, expires_at=expiry)
    at(expiry - timedelta(microseconds=1))
    tasks.expire_credits()
    assert not Transaction.objects.filter(kind="expiry").exists()
    at(expiry)
    tasks.expire_credits()
    tasks.expire_credits()
    assert sorted(Transaction.objects.filter(kind="expiry").values_list("account_id", "amount")) == sorted(
        (account, -7 * CREDIT) for account in accounts[:2]
    )
    assert [standing(account) for account in accounts] == [(5, 0, 5)] * 3
    assert not [finding for finding in reconciliation.run() if finding.breaches]


def test_an_account_that_cannot_be_done_does_not_stop_the_others(
    open_account: OpenAccount, caplog: pytest.LogCaptureFixture
) -> None:
    expiry = datetime.now(UTC) + timedelta(days=1)
    stuck, other = open_account(5), open_account()
    give(stuck, 7, expires_at=expiry - timedelta(seconds=1))
    give(other, 7, expires_at=expiry)
    hold(stuck, 12, settle_now=True)
    # Books that were damaged from outside: more left in the grant than the account has.
    Grant.objects.filter(account_id=stuck, expires_at=None).update(remaining=0, is_spent=True)
    Grant.objects.filter(account_id=stuck).exclude(expires_at=None).update(
        remaining=7 * CREDIT, is_spent=False
    )
    assert Balance.objects.get(pk=stuck).next_expiry is not None
    at(expiry)
    tasks.expire_credits()
    assert standing(other) == (0, 0, 0)
    assert "lapsed credits" in caplog.text


def test_every_sweep_of_the_schedule_exists() -> None:
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
    assert "billing.expire_credits" in {entry["task"] for entry in app.conf.beat_schedule.values()}
