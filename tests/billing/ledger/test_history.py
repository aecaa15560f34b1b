"""History is append-only and balanced, by the database itself."""

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.ledger import grants
from billing.ledger.errors import KeyReused, NotEnough
from billing.ledger.models import Balance, Grant, Posting, Transaction
from tests.billing.ledger.conftest import CREDIT, OpenAccount, give, hold, standing


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transaction SET amount = 1",
        "DELETE FROM ledger_transaction",
        "TRUNCATE ledger_transaction CASCADE",
        "UPDATE ledger_posting SET amount = 1",
        "DELETE FROM ledger_posting",
        "TRUNCATE ledger_posting",
    ],
)
def test_history_refuses_every_edit(open_account: OpenAccount, statement: str) -> None:
    open_account(10)
    connection.check_constraints()
    with (
        pytest.raises(DatabaseError, match="append-only"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_postings_that_do_not_add_up_are_refused(open_account: OpenAccount) -> None:
    open_account(10)
    posted = Transaction.objects.get()
    with pytest.raises(DatabaseError, match="add up to zero"), transaction.atomic():
        Posting.objects.create(
            transaction=posted,
            line=9,
            ledger_account="customer",
            account_id=posted.account_id,
            unit="credit",
            amount=1,
        )


def test_a_balance_cannot_fall_below_what_is_held(open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 6)
    with pytest.raises(DatabaseError, match="balance_covers_holds"), transaction.atomic():
        Balance.objects.filter(pk=account).update(balance=5 * CREDIT)


def test_a_grant_with_the_same_business_key_is_given_once(open_account: OpenAccount) -> None:
    account = open_account()
    give_once: dict[str, Any] = {
        "source": "bonus",
        "kind": "bonus",
        "description": "Welcome",
        "key": "bonus:1",
    }
    first = grants.add(account_id=account, micros=5 * CREDIT, **give_once)
    assert grants.add(account_id=account, micros=5 * CREDIT, **give_once).pk == first.pk
    assert standing(account) == (5, 0, 5)
    with pytest.raises(KeyReused):
        grants.add(account_id=account, micros=6 * CREDIT, **give_once)


def test_a_withdrawal_takes_no_held_credits_and_says_what_is_there(open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 6)
    with pytest.raises(NotEnough) as refused:
        grants.withdraw(account_id=account, micros=5 * CREDIT, kind="adjustment", description="", key="w:1")
    assert refused.value.available == 4 * CREDIT
    grants.withdraw(account_id=account, micros=4 * CREDIT, kind="adjustment", description="", key="w:1")
    assert standing(account) == (6, 6, 0)


def test_a_lost_dispute_may_leave_a_debt_that_the_next_grant_covers(open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 10, settle_now=True)
    grants.withdraw(
        account_id=account, micros=4 * CREDIT, kind="dispute", description="", key="d:1", allow_debt=True
    )
    assert standing(account) == (-4, 0, -4)
    give(account, 10)
    assert standing(account) == (6, 0, 6)
    assert sum(Grant.objects.values_list("remaining", flat=True)) == 6 * CREDIT
