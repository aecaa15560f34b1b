"""Staff make and end agreements with single accounts; nobody edits one."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.models import Offer, OfferMonth, PriceLock
from billing.services import commitments
from catalog import snapshot
from catalog.models import PriceBook


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


def add_offer(staff: Client, account: BillingAccount, **fields: str) -> str:
    """The page that answers; empty where it was made."""
    sent = {"account": str(account.pk), "name": "", "tiers": "0: 10%", "reason": "Signed", **fields}
    reply = staff.post(reverse("admin:billing_offer_add"), sent)
    return "" if reply.status_code == 302 else reply.content.decode()


def test_an_offer_is_made_with_the_staffs_name(staff: Client, account: BillingAccount) -> None:
    assert add_offer(staff, account, committed="20000", only_models="static, full") == ""
    made = Offer.objects.get()
    assert made.created_by is not None
    assert (made.created_by.email, made.reason, made.only_models) == (
        "staff@example.com", "Signed", ["static", "full"],
    )  # fmt: skip
    shown = staff.get(reverse("admin:billing_offer_change", args=[made.pk])).content.decode()
    assert "0: 10%" in shown
    assert 'name="_save"' not in shown
    assert staff.get(reverse("admin:billing_offer_changelist")).status_code == 200


def test_what_became_of_a_commitment_stands_with_its_offer(staff: Client, account: BillingAccount) -> None:
    april, may = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    made = Offer.objects.create(
        account=account, name="Volume", tiers=[{"above": 0, "percent": "10"}], unit="credit", reason="x",
        committed=10, starts_at=april,
    )  # fmt: skip
    month = OfferMonth.objects.create(offer=made, month=may.date(), quantity=8)
    snapshot.refresh()
    page = reverse("admin:billing_offer_change", args=[made.pk])
    assert "2: not charged yet" in staff.get(page).content.decode()
    commitments.bill_due(may)
    told = f"2: ch_{commitments.charge_id(month).hex}, settled"
    assert told in staff.get(page).content.decode()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"tiers": "10%"}, "line 1 must be like"),
        ({"only_models": "nobody"}, "not in the price list: nobody"),
        ({"reason": ""}, "This field is required"),
        ({"tiers": "0: 4"}, "need the models and operations"),
    ],
)
def test_what_the_service_refuses_is_said_at_the_form(
    staff: Client, account: BillingAccount, fields: dict[str, str], said: str
) -> None:
    assert said in add_offer(staff, account, **fields)
    assert not Offer.objects.exists()


def test_it_is_ended_with_a_reason(staff: Client, account: BillingAccount) -> None:
    add_offer(staff, account)
    made = Offer.objects.get()
    page = reverse("admin:billing_offer_end_agreement", args=[made.pk])
    assert staff.get(page).status_code == 200
    assert staff.post(page, {"reason": ""}).status_code == 422
    assert staff.post(page, {"reason": "Left us"}).status_code == 302
    assert staff.post(page, {"reason": "Left us"}).status_code == 422
    made.refresh_from_db()
    assert made.end_reason == "Left us"


def test_a_version_is_kept_until_a_date(staff: Client, account: BillingAccount) -> None:
    book = PriceBook.objects.get(price_list__profile_id="ads")
    until = now() + timedelta(days=30)
    sent = {
        "account": str(account.pk), "book": str(book.pk), "reason": "Contract",
        "ends_at_0": f"{until:%Y-%m-%d}", "ends_at_1": f"{until:%H:%M:%S}",
    }  # fmt: skip
    assert staff.post(reverse("admin:billing_pricelock_add"), sent).status_code == 302
    lock = PriceLock.objects.get()
    assert (lock.book, lock.reason) == (book, "Contract")
    assert staff.get(reverse("admin:billing_pricelock_change", args=[lock.pk])).status_code == 200
    again = {**sent, "ends_at_0": "2020-01-01"}
    assert staff.post(reverse("admin:billing_pricelock_add"), again).status_code == 200
    assert PriceLock.objects.count() == 1


def test_nobody_edits_or_deletes_one(staff: Client, account: BillingAccount) -> None:
    add_offer(staff, account)
    made = Offer.objects.get()
    assert staff.post(reverse("admin:billing_offer_change", args=[made.pk]), {"name": "x"}).status_code == 403
    assert staff.post(reverse("admin:billing_offer_delete", args=[made.pk])).status_code == 403
