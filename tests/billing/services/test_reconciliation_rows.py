"""Rows beside the history that were altered or removed: months, uses of grants, what staff asked for."""

import uuid
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import BillingAccount, User
from billing.ledger import grants
from billing.ledger.refunds import refund_charge
from billing.models import ReconciliationRun, Statement
from billing.services import statements
from billing.services.adjustments import adjust
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, open_account, settle, void
from tests.billing.services.test_reconciliation_money import broken, damage

__all__ = ["open_account"]

pytestmark = pytest.mark.django_db

MONTHS = tuple(datetime(2026, month, 5, tzinfo=UTC) for month in (7, 8, 9, 10))


@pytest.fixture
def sealed(open_account: OpenAccount) -> uuid.UUID:
    """Three months with work, August without any, each signed; the key has signed for long."""
    at(MONTHS[0])
    account = open_account(100)
    for moment in MONTHS:
        at(moment)
        if moment.month != 8:
            settle(hold(account, 2), 1)
        statements.seal_due()
    damage("UPDATE billing_signingkey SET created_at = '2026-08-01T00:00Z'")
    assert Statement.objects.count() == 3
    assert broken() == set()
    return account


@pytest.mark.parametrize(
    ("name", "sql"),
    [
        ("statements_kept", "DELETE FROM billing_statement WHERE month = '2026-07-01'"),
        ("statements_kept", "DELETE FROM billing_statement WHERE month = '2026-08-01'"),
        ("statements_kept", "UPDATE billing_statement SET opening = opening + 1 WHERE month = '2026-09-01'"),
        (
            "statements_kept",
            "UPDATE billing_statement SET head_before = sha256(head) WHERE month = '2026-09-01'",
        ),
        (
            "statements_kept",
            "UPDATE billing_statement SET first_seq = first_seq - 1 WHERE month = '2026-09-01'",
        ),
        ("months_sealed", "DELETE FROM billing_statement WHERE month = '2026-09-01'"),
        ("months_sealed", "DELETE FROM billing_statement"),
    ],
)
def test_a_month_that_was_altered_or_removed_is_found(sealed: uuid.UUID, name: str, sql: str) -> None:
    damage(sql)
    assert name in broken()


def test_a_month_has_two_days_to_be_sealed(sealed: uuid.UUID) -> None:
    at(datetime(2026, 11, 2, 23, tzinfo=UTC))
    assert broken() == set()
    at(datetime(2026, 11, 3, 1, tzinfo=UTC))
    assert broken() == {"months_sealed"}


def test_a_portal_that_has_just_begun_to_sign_has_its_time(sealed: uuid.UUID) -> None:
    damage("UPDATE billing_signingkey SET created_at = '2026-10-04T00:00Z'")
    damage("DELETE FROM billing_statement")
    assert broken() == set()


def test_uses_are_noted_also_where_a_debt_was_covered_first(open_account: OpenAccount) -> None:
    account = open_account(2, credit_limit=10)
    charge = hold(account, 6)
    settle(charge, 6)
    give(account, 10)
    settle(hold(account, 3), 3)
    refund_charge(charge_id=charge, micros=None, reason="Broken")
    assert broken() == set()
    damage("DELETE FROM ledger_grantuse WHERE amount = 3000000")
    assert "grants_used_as_noted" in broken()


def test_a_debt_beside_lapsed_credits_that_a_hold_keeps_is_no_breach(open_account: OpenAccount) -> None:
    """Neither while the hold keeps them nor after; a use that is missing later on is found all the same."""
    account = open_account(credit_limit=10)
    start = datetime(2026, 9, 1, tzinfo=UTC)
    at(start)
    give(account, 5, expires_at=start + timedelta(minutes=1))
    kept = hold(account, 5)
    at(start + timedelta(minutes=2))
    settle(hold(account, 3), 3)
    give(account, 2)
    assert "grants_used_as_noted" not in broken()
    void(kept)
    grants.expire(account)
    give(account, 20)
    settle(hold(account, 4), 4)
    assert "grants_used_as_noted" not in broken()
    damage("DELETE FROM ledger_grantuse WHERE amount = 4000000")
    assert "grants_used_as_noted" in broken()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_adjustmentrequest SET reason = 'Another'",
        "UPDATE billing_adjustmentrequest SET micros = micros + 1",
        "UPDATE billing_adjustmentrequest SET asked_by_id = NULL",
    ],
)
def test_an_adjustment_that_says_something_else_than_was_posted_is_found(
    ads: None, open_account: OpenAccount, sql: str
) -> None:
    staff = User.objects.create_superuser("ann@portal.example", "x")
    account = BillingAccount.objects.get(pk=open_account(10))
    for micros in (CREDIT, -CREDIT):
        adjust(account_id=account.pk, micros=micros, reason="Outage", staff=staff, nonce=uuid.uuid4())
    assert broken() == set()
    damage(sql)
    assert "adjustments_posted_once" in broken()


def test_a_look_by_command_is_noted_as_any_other(open_account: OpenAccount) -> None:
    account = open_account(10)
    call_command("reconcile", "--new", stdout=StringIO())
    damage("UPDATE ledger_balance SET held = held + 1")
    with pytest.raises(CommandError, match="held_matches_holds"):
        call_command("reconcile", stdout=StringIO())
    last, first = ReconciliationRun.objects.all()
    assert (first.asked, first.everything, first.breaches) == ("command", False, 0)
    assert (last.asked, last.everything, last.breaches) == ("command", True, 1)
    assert last.finished_at is not None
    assert [list(found["examples"]) for found in last.findings if found["breaches"]] == [[str(account)]]
