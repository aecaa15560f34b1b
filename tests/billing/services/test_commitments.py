"""A commitment is kept in money: what is missing in a whole month is charged once, at the lowest agreed price."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import BillingAccount
from billing.ledger import balances, grants
from billing.ledger.models import Charge, Transaction
from billing.models import Offer, OfferMonth
from billing.selectors.commitments import missing_price
from billing.services import commitments, invoicing
from billing.services.accounts import open_account
from catalog import snapshot
from tests.billing.services.test_offers import charge
from tests.billing.views.conftest import SignIn, sign_in
from tests.billing.views.test_pricing import words

__all__ = ["sign_in"]

MAY = datetime(2026, 5, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
SOON = MAY + timedelta(minutes=5)
TEN = [{"above": 0, "percent": "10"}]


def committed(account: BillingAccount, to: int = 10, **fields: Any) -> Offer:
    values = {"tiers": TEN, "unit": "credit", "reason": "Signed", "starts_at": APRIL, **fields}
    made = Offer.objects.create(account=account, name="Committed use", committed=to, **values)
    snapshot.refresh()
    return made


def shortfalls() -> list[Charge]:
    return list(Charge.objects.filter(model="commitment").order_by("id"))


def test_what_is_missing_is_charged_at_the_lowest_agreed_price(account: BillingAccount) -> None:
    made = committed(account)
    charge(account, APRIL + timedelta(days=3), 7)
    before = balances.of(account.pk).balance
    assert commitments.bill_due(SOON) == 1
    [one] = shortfalls()
    assert (one.cost, one.status, one.operation) == (13_500_000, "settled", "shortfall")
    assert one.description == "Committed use: 3 short of 10 in April 2026"
    assert one.estimate_lines == [
        {"what": one.description, "quantity": "3", "unit_price": "4.5", "amount": "13.5"}
    ]
    assert balances.of(account.pk).balance == before - 13_500_000
    assert Transaction.objects.filter(charge=one).get().kind == "usage"
    assert missing_price(made, SOON) == 4_500_000


def test_it_is_charged_once_however_often_and_whoever_bills_it(account: BillingAccount) -> None:
    committed(account)
    charge(account, APRIL, 7)
    assert [commitments.bill_due(SOON), commitments.bill_due(SOON), commitments.bill_due(MAY)] == [1, 0, 0]
    [row] = OfferMonth.objects.all()
    assert commitments._bill(row.offer, row)  # another worker that had looked before
    assert len(shortfalls()) == 1
    assert Transaction.objects.filter(kind="usage", charge__model="commitment").count() == 1


@pytest.mark.parametrize("used", [10, 11])
def test_a_kept_commitment_costs_nothing(account: BillingAccount, used: int) -> None:
    committed(account)
    charge(account, APRIL, used)
    assert commitments.bill_due(SOON) == 0
    assert OfferMonth.objects.get().quantity == used


@pytest.mark.parametrize(
    "when",
    [
        {"starts_at": APRIL + timedelta(seconds=1)},
        {"ends_at": MAY - timedelta(seconds=1)},
        {"starts_at": MAY},
    ],
    ids=["begins within", "ends within", "begins after"],
)
def test_a_month_in_part_is_not_charged(account: BillingAccount, when: dict[str, Any]) -> None:
    committed(account, **when)
    assert commitments.bill_due(SOON) == 0
    assert not OfferMonth.objects.exists()


def test_months_that_were_missed_are_made_up_for_in_their_order(account: BillingAccount) -> None:
    committed(account, to=1)
    commitments.bill_due(SOON)
    assert commitments.bill_due(datetime(2026, 7, 1, tzinfo=UTC)) == 2
    assert [one.description[-8:] for one in shortfalls()] == ["ril 2026", "May 2026", "une 2026"]


def test_what_cannot_be_paid_waits_for_money(account: BillingAccount) -> None:
    committed(account, to=100)
    assert commitments.bill_due(SOON) == 0
    assert not shortfalls()
    grants.add(
        account_id=account.pk,
        micros=1_000_000_000,
        source="topup",
        kind="topup",
        description="x",
        key="later",
    )
    assert commitments.bill_due(SOON) == 1
    assert shortfalls()[0].cost == 450_000_000


def test_a_shortfall_is_no_use(account: BillingAccount) -> None:
    made = committed(account, to=2)
    commitments.bill_due(SOON)
    Charge.objects.filter(model="commitment").update(authorized_at=MAY)
    commitments.bill_due(datetime(2026, 6, 1, tzinfo=UTC))
    assert [row.quantity for row in made.months.order_by("month")] == [0, 0]


def test_a_fixed_price_is_what_a_missing_request_costs(account: BillingAccount) -> None:
    made = committed(account, tiers=[{"above": 0, "price": "3"}], only_models=["full"])
    assert missing_price(made, SOON) == 3_000_000


def test_an_account_that_pays_by_invoice_finds_it_there(ads: None) -> None:
    account = open_account(name="Post", email="post@example.com", profile="ads", mode="postpaid")
    balances.set_credit_limit(account.pk, 1_000_000_000)
    committed(account, to=100)
    assert commitments.bill_due(SOON) == 1
    invoice = invoicing.issue(account, datetime.now(UTC) + timedelta(minutes=1))
    assert invoice is not None
    lines = invoice.lines.values_list("description", "quantity", "amount")
    assert ("Committed use: 100 short of 100 in April 2026", 1, 450_000_000) in lines


def test_the_customer_reads_the_price_of_a_missing_request_beforehand(
    account: BillingAccount, sign_in: SignIn
) -> None:
    committed(account, to=20_000, starts_at=datetime.now(UTC))
    page = words(sign_in(account, "viewer").get("/pricing").content.decode())
    assert (
        "you committed to 20,000; each one fewer in a whole month is charged at 4.5 credits when it is over"
        in page
    )


def test_its_story_says_what_it_is(account: BillingAccount, sign_in: SignIn) -> None:
    committed(account, to=2)
    commitments.bill_due(SOON)
    row = Transaction.objects.get(kind="usage")
    page = words(sign_in(account, "viewer").get(f"/transactions/{row.public_id}").content.decode())
    assert "Committed use: 2 short of 2 in April 2026" in page
