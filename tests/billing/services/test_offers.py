"""Offers and price locks: what may be agreed, what is refused, and that terms never change."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger.models import Charge
from billing.models import Offer, OfferMonth
from billing.selectors import offers as agreed
from billing.services import offers
from billing.services.accounts import open_account
from billing.services.offers import NewOffer, Tier, parse_tiers
from catalog import snapshot
from catalog.models import PriceBook

TEN = Tier(0, percent=Decimal(10))
STATIC = {"models": ["static"], "operations": ["generate"]}
MONTH = datetime(2026, 5, 1, tzinfo=UTC)


def agree(account: BillingAccount, *tiers: Tier, **fields: Any) -> Offer:
    made = offers.make_offer(NewOffer(account=account, tiers=tiers, **fields), reason="Signed", staff=None)
    snapshot.refresh()
    return made


def test_an_offer_keeps_who_agreed_and_why(account: BillingAccount) -> None:
    staff = User.objects.create_superuser("boss@example.com", "x")
    made = offers.make_offer(NewOffer(account=account, committed=20_000), reason="Signed", staff=staff)
    assert (made.created_by, made.reason, made.name) == (staff, "Signed", "Committed-use discount")
    assert made.tiers[0] == {"above": 10_000, "percent": "10"}


def test_tiers_as_staff_write_them() -> None:
    assert parse_tiers("10,000: 10%\n\n 50000 : 12.5 %\n0: 4.5") == [
        Tier(10_000, percent=Decimal(10)),
        Tier(50_000, percent=Decimal("12.5")),
        Tier(0, price=Decimal("4.5")),
    ]
    assert offers.tiers_text([{"above": 0, "price": "4.5"}, {"above": 9, "percent": "1"}]) == "0: 4.5\n9: 1%"


@pytest.mark.parametrize("text", ["10%", "a: 10%", "-1: 10%", "0: -5%", "0: 1e3", "0: 5 % off", "٣: 10%"])
def test_a_tier_that_is_not_one_is_named_by_line(text: str) -> None:
    with pytest.raises(InvalidRequest, match="line 2"):
        parse_tiers(f"0: 5%\n{text}")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"tiers": [Tier(0, percent=Decimal(0))]}, "tiers"),
        ({"tiers": [Tier(0, percent=Decimal("100.1"))]}, "tiers"),
        ({"tiers": [TEN, TEN]}, "tiers"),
        ({"tiers": [Tier(0, price=Decimal(1))]}, "tiers"),
        ({"tiers": [Tier(0, price=Decimal(0))], **STATIC}, "tiers"),
        ({"tiers": [Tier(0, price=Decimal("1000000.01"))], **STATIC}, "tiers"),
        ({"tiers": [TEN], "models": ["nobody"]}, "models"),
        ({"tiers": [TEN], "operations": ["fly"]}, "operations"),
        ({"tiers": [TEN], "starts_at": now() - timedelta(minutes=1)}, "starts_at"),
        ({"tiers": [TEN], "ends_at": now() - timedelta(minutes=1)}, "ends_at"),
    ],
    ids=lambda asked: (
        asked if isinstance(asked, str) else "-".join(asked)
    ),  # no moments: every worker names them alike
)
def test_what_cannot_be_agreed(account: BillingAccount, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        offers.make_offer(NewOffer(account=account, **fields), reason="Signed", staff=None)
    assert [error["field"] for error in refused.value.extra["errors"]] == [field]
    assert not Offer.objects.exists()


def test_a_reason_is_needed(account: BillingAccount) -> None:
    with pytest.raises(InvalidRequest, match="reason"):
        offers.make_offer(NewOffer(account=account, tiers=[TEN]), reason="  ", staff=None)


@pytest.mark.parametrize("change", [{"tiers": []}, {"committed": 5}, {"starts_at": now()}, {"reason": "x"}])
def test_terms_never_change(account: BillingAccount, change: dict[str, Any]) -> None:
    made = agree(account, TEN)
    with pytest.raises(DatabaseError), transaction.atomic():
        Offer.objects.filter(pk=made.pk).update(**change)


def test_it_is_ended_once_and_stays_ended(account: BillingAccount) -> None:
    made = agree(account, TEN)
    offers.end(made, reason="Over", staff=None)
    with pytest.raises(InvalidState):
        offers.end(made, reason="Over again", staff=None)
    with pytest.raises(DatabaseError), transaction.atomic():
        Offer.objects.filter(pk=made.pk).update(ended_at=None)
    assert Offer.objects.get(pk=made.pk).end_reason == "Over"


def test_only_a_published_version_of_the_own_profile_is_kept(account: BillingAccount, images: None) -> None:
    foreign = PriceBook.objects.get(price_list__profile_id="images")
    with pytest.raises(InvalidRequest, match="another profile"):
        offers.keep_prices(account, foreign, now() + timedelta(days=1), reason="x", staff=None)
    own = PriceBook.objects.get(price_list__profile_id="ads")
    with pytest.raises(InvalidRequest, match="after the start"):
        offers.keep_prices(account, own, now(), reason="x", staff=None)


def charge(account: BillingAccount, at: datetime, count: object = 1, **fields: Any) -> None:
    """A settled static ad at a moment."""
    values = {"status": "settled", "cost": 5, "finished_at": at, "model": "static", **fields}
    Charge.objects.create(
        account_id=account.pk,
        unit="credit",
        amount=5,
        operation="generate",
        description="Static",
        parameters={"count": count},
        authorized_at=at,
        expires_at=at,
        **values,
    )


def tier_in_may(made: Offer) -> Any:
    [mine] = agreed.of(made.account_id).offers
    return mine.discount(MONTH + timedelta(days=9), "credit")


def test_without_a_commitment_the_month_before_decides(account: BillingAccount) -> None:
    """Ads by their count; what failed, was given back or is another model's is not counted."""
    april = MONTH - timedelta(days=3)
    charge(account, april, 6)
    charge(account, april, 5)
    charge(account, april, 100, status="voided", cost=0)
    charge(account, april, 100, status="refunded", refunded=5)
    charge(account, april, 100, model="full")
    charge(account, MONTH, 100)
    charge(account, MONTH - timedelta(days=31), 100)
    made = Offer.objects.create(
        account=account, name="Volume", tiers=[{"above": 10, "percent": "10"}], unit="credit", reason="x",
        only_models=["static"], starts_at=MONTH - timedelta(days=90),
    )  # fmt: skip
    snapshot.refresh()
    assert tier_in_may(made) is None
    assert offers.count_months(MONTH + timedelta(minutes=5)) == 1
    assert offers.count_months(MONTH + timedelta(days=20)) == 0
    snapshot.refresh()
    assert OfferMonth.objects.get().quantity == 11
    assert tier_in_may(made).percent == 10


def volume(account: BillingAccount) -> Offer:
    return Offer.objects.create(
        account=account, name="Volume", tiers=[{"above": 10, "percent": "10"}], unit="credit", reason="x",
        starts_at=MONTH - timedelta(days=90),
    )  # fmt: skip


def test_what_names_no_number_counts_once(account: BillingAccount) -> None:
    for count in ("many", None, [3], 4):
        charge(account, MONTH - timedelta(days=3), count)
    volume(account)
    assert offers.count_months(MONTH) == 1
    assert OfferMonth.objects.get().quantity == 7


def test_an_offer_that_cannot_be_counted_keeps_no_other_waiting(account: BillingAccount) -> None:
    charge(account, MONTH - timedelta(days=3), 10**30)
    volume(account)
    other = volume(open_account(name="Calm", email="calm@example.com", profile="ads"))
    assert offers.count_months(MONTH) == 1
    assert OfferMonth.objects.filter(offer=other).exists()


def test_what_was_counted_stays_for_its_month(account: BillingAccount) -> None:
    made = agree(account, TEN)
    [counted] = OfferMonth.objects.filter(offer=made)
    with pytest.raises(DatabaseError), transaction.atomic():
        OfferMonth.objects.filter(pk=counted.pk).update(quantity=99)


def test_a_fixed_price_is_for_its_unit_only(account: BillingAccount) -> None:
    agree(account, Tier(0, price=Decimal(4)), models=["static"], operations=["generate"])
    [mine] = agreed.of(account.pk).offers
    assert mine.discount(now(), "credit") is not None
    assert mine.discount(now(), "USD") is None
