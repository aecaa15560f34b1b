"""The mark below which every request waits for its balance follows what the account uses."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import BillingAccount
from billing.ledger import balances, usage_days
from billing.ledger.holds import place
from billing.ledger.models import Balance, UnfoldedHold
from billing.services import comfort
from billing.services.accounts import open_account
from catalog import snapshot
from tests import price_lists
from tests.billing.ledger.conftest import CREDIT, give, wanted


@pytest.fixture
def account(ads: None) -> BillingAccount:
    price_lists.load("gateway")
    snapshot.refresh()
    opened = open_account(name="Northwind", email="pay@example.com", profile="gateway", mode="prepaid")
    give(opened.pk, 2_000)
    return opened


def used(account: BillingAccount, credits: int) -> None:
    place([wanted(account.pk, credits, settle_now=True)])
    usage_days.fold_all()
    comfort.follow_usage()


@pytest.mark.parametrize(
    ("week", "mark"), [(0, 5), (14, 5), (70, 10), (1400, 200)], ids=["idle", "little", "some", "much"]
)
def test_the_mark_is_a_day_of_last_week_s_usage_and_never_below_five(
    account: BillingAccount, week: int, mark: int
) -> None:
    used(account, week)
    row = Balance.objects.get(pk=account.pk)
    assert (row.comfort_above, row.comfort_share) == (mark * CREDIT, 5 * CREDIT // 16)


def test_a_profile_without_the_rule_makes_every_request_wait(
    account: BillingAccount,
) -> None:
    used(account, 70)
    BillingAccount.objects.filter(pk=account.pk).update(profile="ads")
    comfort.follow_usage()
    assert Balance.objects.get(pk=account.pk).comfort_above is None
    small = wanted(account.pk, 0, relaxed=True)
    small.amount = CREDIT // 10
    assert place([small])[0]["code"] == "authorized"
    assert not UnfoldedHold.objects.exists()
    assert balances.of(account.pk).held == CREDIT // 10


def test_only_the_usage_of_the_accounts_asked_for_is_summed(account: BillingAccount) -> None:
    used(account, 70)
    with CaptureQueriesContext(connection) as asked:
        comfort.follow_usage()
    summed = [query["sql"] for query in asked if 'FROM "ledger_usageday"' in query["sql"]]
    assert summed
    assert all('"ledger_usageday"."account_id" IN' in sql for sql in summed)
