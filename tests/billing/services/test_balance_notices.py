"""A low balance and one that is used up are said once each, until it recovers."""

from collections.abc import Callable

import pytest
from django.core import mail

from accounts.models import BillingAccount
from billing import outbox
from billing.ledger import grants, holds
from billing.models import AutoRecharge, Notice
from billing.selectors.low_balance import usual_mark
from billing.services import balance_notices, limits
from billing.services.accounts import open_account
from catalog import snapshot
from tests import price_lists
from tests.billing.paying import CREDIT, spend

Give = Callable[[int], None]


@pytest.fixture
def give(account: BillingAccount) -> Give:
    """More credits for the account, under a key of their own."""
    keys = iter(range(100))

    def give(credits: int) -> None:
        grants.add(
            account_id=account.pk,
            micros=credits * CREDIT,
            source="topup",
            kind="topup",
            description="Top-up",
            key=f"test:{next(keys)}",
        )

    return give


def said(account: BillingAccount) -> list[str]:
    """The kinds of the notices that somebody was written to, in order."""
    rows = Notice.objects.filter(account=account).exclude(recipients=[]).order_by("id")
    return [row.kind.removeprefix("balance_") for row in rows]


def test_low_and_depleted_are_said_once_each_and_again_after_it_recovered(
    account: BillingAccount, give: Give
) -> None:
    """Profile ads: low is below 20 credits."""
    told = []
    for step in (30, 1, 5, 14, -10, -9, -1, 15, 5):
        give(-step) if step < 0 else spend(account, step)
        balance_notices.sweep()
        balance_notices.sweep()
        told.append(list(said(account)))
    assert told[:4] == [[], ["low"], ["low"], ["low", "depleted"]]
    assert told[4:7] == [["low", "depleted"]] * 3, "10, 19 and 20 left: not low anew before it was enough"
    assert told[7:] == [["low", "depleted", "low"], ["low", "depleted", "low", "depleted"]]


def test_the_mail_says_how_much_is_left(account: BillingAccount) -> None:
    spend(account, 31)
    balance_notices.sweep()
    outbox.relay()
    assert mail.outbox[0].to == ["pay@northwind.example"]
    assert mail.outbox[0].subject == "Northwind’s balance is low"
    assert "19\xa0credits are left, which is below 20\xa0credits." in mail.outbox[0].body


def test_at_the_mark_nothing_is_low(account: BillingAccount) -> None:
    spend(account, 30)
    balance_notices.sweep()
    assert said(account) == []


def test_falling_to_nothing_at_once_is_one_mail(account: BillingAccount, give: Give) -> None:
    spend(account, 50)
    balance_notices.sweep()
    assert said(account) == ["depleted"]
    give(5)
    balance_notices.sweep()
    assert said(account) == ["depleted"], "low was said with it"


def test_the_account_s_own_mark_counts(account: BillingAccount) -> None:
    limits.set_low_balance(account.pk, 45 * CREDIT)
    spend(account, 6)
    balance_notices.sweep()
    assert said(account) == ["low"]
    limits.set_low_balance(account.pk, 0)
    balance_notices.sweep()
    spend(account, 43)
    balance_notices.sweep()
    assert said(account) == ["low"], "with a mark of 0 only the end is said"


def test_while_a_recharge_is_on_its_way_nobody_is_told_it_is_low(account: BillingAccount) -> None:
    row = AutoRecharge.objects.create(
        account=account, enabled=True, threshold=20 * CREDIT, amount_minor=2500, currency="USD"
    )
    spend(account, 31)
    balance_notices.sweep()
    assert said(account) == []
    AutoRecharge.objects.filter(pk=row.pk).update(enabled=False)
    balance_notices.sweep()
    assert said(account) == ["low"]


def test_a_newcomer_who_never_had_as_much_as_the_mark_is_not_told(images: None) -> None:
    """Profile images: a trial of 0.50, the mark at 2."""
    account = open_account(name="Lumen", email="pay@lumen.example", profile="images")

    def work(micros: int) -> None:
        request = holds.PlaceRequest(
            account=account.pk,
            amount=micros,
            model="m",
            operation="generate",
            description="W",
            ttl=60,
            settle_now=True,
        )
        assert holds.place([request])[0]["code"] == "settled"

    work(100_000)
    balance_notices.sweep()
    assert said(account) == []
    work(400_000)
    balance_notices.sweep()
    assert said(account) == ["depleted"]


def test_who_has_used_nothing_yet_and_who_pays_later_is_not_told(ads: None) -> None:
    price_lists.load("toon")
    snapshot.refresh()
    opened = [
        open_account(name="New", email="n@example.com", profile="ads"),
        open_account(name="Later", email="l@example.com", profile="toon", mode="metered"),
    ]
    limits.set_low_balance(opened[0].pk, 45 * CREDIT)
    limits.set_low_balance(opened[1].pk, 45 * CREDIT)
    spend(opened[1], 5)
    balance_notices.sweep()
    assert [said(account) for account in opened] == [[], []]


@pytest.mark.parametrize(
    ("profile", "plan", "mark"),
    [("ads", "", 20), ("images", "", 2), ("gateway", "", 10), ("sites", "basic", 150), ("toon", "free", 0)],
)
def test_the_mark_of_each_profile(ads: None, profile: str, plan: str, mark: int) -> None:
    price_lists.load(profile)
    snapshot.refresh()
    assert usual_mark(snapshot.current().terms(profile), plan) == mark * CREDIT
