"""Lapsed credits: nobody spends them, takes them back or waits for them."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.ledger import grants
from billing.ledger.errors import NotEnough
from billing.ledger.models import Balance, Grant
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, settle, standing


def test_a_withdrawal_does_not_count_lapsed_credits(open_account: OpenAccount) -> None:
    account, expiry = open_account(10), datetime.now(UTC) + timedelta(days=1)
    give(account, 10, expires_at=expiry)
    at(expiry)
    work = hold(account, 10)
    with pytest.raises(NotEnough) as refused:
        grants.withdraw(account_id=account, micros=CREDIT, kind="adjustment", description="", key="w:1")
    assert refused.value.available == 0
    settle(work, 10)
    assert standing(account) == (0, 0, 0)


def test_a_debt_is_not_paid_with_lapsed_credits(open_account: OpenAccount) -> None:
    account, expiry = open_account(3), datetime.now(UTC) + timedelta(days=1)
    give(account, 10, expires_at=expiry)
    at(expiry)
    grants.withdraw(
        account_id=account, micros=5 * CREDIT, kind="dispute", description="", key="d:1", allow_debt=True
    )
    assert standing(account) == (-2, 0, -2)
    assert not Grant.objects.filter(is_spent=False).exists()


def test_credits_that_were_spent_before_they_lapsed_are_not_waited_for(open_account: OpenAccount) -> None:
    account, expiry = open_account(5), datetime.now(UTC) + timedelta(days=1)
    give(account, 7, expires_at=expiry)
    hold(account, 7, settle_now=True)
    at(expiry)
    assert grants.expire(account) == 0
    assert Balance.objects.get(pk=account).next_expiry is None
