"""Within one batch too, an account's debits use its grants in the order in which its history shows them."""

import uuid

import pytest

from billing.ledger.holds import place
from billing.ledger.models import Grant, GrantUse
from tests.billing.ledger.conftest import OpenAccount, give, wanted

pytestmark = pytest.mark.django_db


def lots_in_use(account: uuid.UUID) -> list[int]:
    """Which of the account's grants each use took, by number in the order of use, as its history goes."""
    order = {
        lot: number
        for number, lot in enumerate(
            Grant.objects.filter(account_id=account).order_by("priority").values_list("pk", flat=True)
        )
    }
    uses = GrantUse.objects.filter(transaction__account_id=account)
    rows = uses.order_by("transaction__seq").values_list("transaction__seq", "grant_id")
    return [order[lot] for _, lot in sorted(rows, key=lambda row: (row[0], order[row[1]]))]


@pytest.mark.slow
def test_a_batch_over_several_accounts_uses_grants_in_the_order_of_each_history(
    open_account: OpenAccount,
) -> None:
    accounts = [open_account(0) for _ in range(12)]
    for account in accounts:
        for number in range(10):
            give(account, 3, priority=10 + number)
    requests = [wanted(accounts[number % 12], 1 + number % 3, settle_now=True) for number in range(120)]
    assert {outcome["code"] for outcome in place(requests)} == {"settled"}
    for account in accounts:
        used = lots_in_use(account)
        assert used == sorted(used)
