"""Lapsed credits: nobody spends them, takes them back or waits for them."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.ledger import grants
from billing.ledger.errors import NotEnough
from billing.ledger.holds import FinishRequest, finish, place
from billing.ledger.models import Balance, Grant
from billing.services import reconciliation
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, settle, standing, void, wanted


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


def test_a_hold_keeps_no_credits_that_had_lapsed_before_it(open_account: OpenAccount) -> None:
    """50 lapse on the first day, 10 on the second; a hold placed in between stands on the 10 and on 40 without an end."""
    account, begin = open_account(40), datetime.now(UTC)
    give(account, 50, expires_at=begin + timedelta(days=1))
    give(account, 10, expires_at=begin + timedelta(days=2))
    first = hold(account, 50)
    at(begin + timedelta(days=1, hours=1))
    between = hold(account, 50)
    at(begin + timedelta(days=2, hours=1))
    assert standing(account) == (100, 100, 0)
    void(first)
    assert standing(account) == (50, 50, 0)
    assert place([wanted(account, 1)])[0]["code"] == "insufficient_credits"
    assert settle(between, 50)["uncollected"] == 0
    assert standing(account) == (0, 0, 0)


def test_what_a_hold_kept_lapses_before_the_next_request_of_a_call_is_decided(
    open_account: OpenAccount,
) -> None:
    account, expiry = open_account(100), datetime.now(UTC) + timedelta(days=1)
    give(account, 50, expires_at=expiry)
    keeper = hold(account, 50)
    at(expiry + timedelta(hours=1))
    work, other = hold(account, 50), hold(account, 50)
    requests = [
        FinishRequest(id=keeper, action="void"),
        FinishRequest(id=work, action="settle", cost=100 * CREDIT),
    ]
    voided, settled = finish(requests)
    assert (voided["code"], voided["balance"]) == ("voided", 100 * CREDIT)
    assert (settled["cost"], settled["uncollected"]) == (50 * CREDIT, 50 * CREDIT)
    assert settle(other, 50)["uncollected"] == 0


def test_a_hold_uses_what_it_kept_before_anything_else(open_account: OpenAccount) -> None:
    """Also where other credits come first by their priority: another hold stands on those."""
    account, expiry = open_account(), datetime.now(UTC) + timedelta(days=1)
    give(account, 50, expires_at=expiry)
    give(account, 50, priority=40)
    keeper = hold(account, 50)
    at(expiry + timedelta(hours=1))
    other = hold(account, 50)
    settle(keeper, 50)
    assert standing(account) == (50, 50, 0)
    assert settle(other, 50)["uncollected"] == 0
    assert standing(account) == (0, 0, 0)


def test_work_on_credit_leaves_to_a_hold_what_it_kept(open_account: OpenAccount) -> None:
    """What the hold gives back lapses whole, though the account has used credit since; a top-up covers the credit alone."""
    account, expiry = open_account(credit_limit=40), datetime.now(UTC) + timedelta(days=1)
    give(account, 10, expires_at=expiry)
    keeper = hold(account, 10)
    at(expiry + timedelta(hours=1))
    settle(hold(account, 5), 5)
    assert standing(account) == (5, 10, 35)
    give(account, 100)
    assert standing(account) == (105, 10, 135)
    assert books() == set()
    void(keeper)
    assert standing(account) == (95, 0, 135)
    assert books() == set()


def test_work_on_credit_and_then_the_kept_credits_add_up(open_account: OpenAccount) -> None:
    account, expiry = open_account(credit_limit=40), datetime.now(UTC) + timedelta(days=1)
    give(account, 10, expires_at=expiry)
    keeper = hold(account, 10)
    at(expiry + timedelta(hours=1))
    settle(hold(account, 5), 5)
    settle(keeper, 10)
    assert standing(account) == (-5, 0, 35)
    assert books() == set()


def test_a_dispute_leaves_to_a_hold_what_it_kept(open_account: OpenAccount) -> None:
    """Credits that lapsed pay no debt, though a hold keeps them: when it is void they are gone, and the debt is whole."""
    account, expiry = open_account(10), datetime.now(UTC) + timedelta(days=1)
    give(account, 10, expires_at=expiry)
    keeper = hold(account, 10)
    at(expiry + timedelta(hours=1))
    between = hold(account, 10)
    grants.withdraw(
        account_id=account, micros=10 * CREDIT, kind="dispute", description="", key="d:1", allow_debt=True
    )
    settle(between, 10)
    assert standing(account) == (0, 10, -10)
    assert books() == set()
    void(keeper)
    assert standing(account) == (-10, 0, -10)
    assert books() == set()


def books() -> set[str]:
    """The promises about credits that are broken now."""
    wanted = {"grants_match_balance", "grants_used_as_noted", "nothing_spent_lapsed", "balances_cover_holds"}
    return {finding.name for finding in reconciliation.run() if finding.breaches} & wanted
