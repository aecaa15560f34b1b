"""Refunds post the opposite and put credits back where they came from."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from billing.ledger.models import Charge, Grant, Transaction
from billing.ledger.refunds import NotRefundable, refund_charge
from tests.billing.ledger.conftest import CREDIT, OpenAccount, give, hold, settle, standing


def test_a_refund_returns_the_credits_to_their_grant(open_account: OpenAccount) -> None:
    account = open_account(10)
    charge = hold(account, 4, settle_now=True)
    posted = refund_charge(charge_id=charge, micros=None, reason="Delivery failed")
    assert (posted.kind, posted.amount, posted.balance_after) == ("refund", 4 * CREDIT, 10 * CREDIT)
    assert Charge.objects.get(pk=charge).status == "refunded"
    assert list(Grant.objects.values_list("remaining", "is_spent")) == [(10 * CREDIT, False)]
    assert standing(account) == (10, 0, 10)


def test_partial_refunds_add_up_to_the_cost_and_no_further(open_account: OpenAccount) -> None:
    charge = hold(open_account(10), 6, settle_now=True)
    refund_charge(charge_id=charge, micros=2 * CREDIT, reason="")
    with pytest.raises(NotRefundable) as refused:
        refund_charge(charge_id=charge, micros=5 * CREDIT, reason="")
    assert refused.value.refundable == 4 * CREDIT
    refund_charge(charge_id=charge, micros=4 * CREDIT, reason="")
    with pytest.raises(NotRefundable):
        refund_charge(charge_id=charge, micros=None, reason="")
    assert Transaction.objects.filter(charge_id=charge, kind="refund").count() == 2


def test_an_open_hold_cannot_be_refunded(open_account: OpenAccount) -> None:
    with pytest.raises(NotRefundable):
        refund_charge(charge_id=hold(open_account(10), 4), micros=None, reason="")


def test_credits_whose_grant_expired_come_back_for_thirty_days(open_account: OpenAccount) -> None:
    account, expiry = open_account(), datetime.now(UTC) + timedelta(days=1)
    give(account, 7, expires_at=expiry)
    charge = hold(account, 7, settle_now=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('ledger.now', %s, true)", [(expiry + timedelta(days=1)).isoformat()]
        )
    refund_charge(charge_id=charge, micros=None, reason="")
    back = Grant.objects.get(source="refund")
    assert (back.remaining, back.expires_at) == (7 * CREDIT, expiry + timedelta(days=31))
    assert standing(account) == (7, 0, 7)


def test_a_debt_is_covered_before_credits_come_back_as_a_grant(open_account: OpenAccount) -> None:
    account = open_account(3, credit_limit=10)
    charge = hold(account, 8, settle_now=True)
    refund_charge(charge_id=charge, micros=6 * CREDIT, reason="")
    assert standing(account) == (1, 0, 11)
    assert sum(Grant.objects.values_list("remaining", flat=True)) == 1 * CREDIT


def test_a_settled_hold_is_refunded_by_its_cost_not_its_hold(open_account: OpenAccount) -> None:
    account = open_account(10)
    charge = hold(account, 8)
    settle(charge, 3)
    assert refund_charge(charge_id=charge, micros=None, reason="").amount == 3 * CREDIT
    assert standing(account) == (10, 0, 10)


def test_credits_that_had_paid_a_debt_come_back_without_an_end(open_account: OpenAccount) -> None:
    account = open_account(credit_limit=10)
    charge = hold(account, 8, settle_now=True)
    give(account, 20)
    assert standing(account) == (12, 0, 22)
    refund_charge(charge_id=charge, micros=None, reason="")
    assert standing(account) == (20, 0, 30)
    back = Grant.objects.get(source="refund")
    assert (back.remaining, back.expires_at) == (8 * CREDIT, None)
