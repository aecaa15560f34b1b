"""Publishing with a preview of what it means, telling customers in time, and taking it back."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import User
from billing import outbox
from billing.ledger.models import Balance, Charge, Grant, Transaction
from billing.models import PriceAnnouncement, PriceNotice
from billing.services import price_notices
from catalog import snapshot, versions
from catalog.models import Price, PriceBook, PriceList, Profile
from tests.billing.api.conftest import Api, Payer, ann, bob, catalog, eva, images, payer, studio
from tests.billing.api.working import authorize, hold
from tests.billing.services.test_price_impact import draft

__all__ = ["ann", "bob", "catalog", "eva", "images", "studio"]


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


def url(name: str, book: PriceBook) -> str:
    return reverse(f"admin:catalog_pricebook_{name}", args=[book.pk])


def text_of(staff: Client, address: str) -> str:
    """The page as it reads: tags gone, white space as one space."""
    page = staff.get(address)
    assert page.status_code == 200
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def moment(days: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M}"


def test_the_preview_shows_revenue_items_accounts_and_refusals(
    staff: Client, ann: Payer, bob: Payer, studio: Api
) -> None:
    for _ in range(3):
        authorize(studio, ann)
    authorize(studio, bob, model="full")
    book = draft("ads", static="6", full=None)
    text = text_of(staff, url("publish", book))
    assert "Revenue 30 Would have been 18 Difference, credits −12 Accounts affected 2" in text
    assert "Static 3 15 18 +3" in text
    assert "Bob 1 refused 1 15 0 −15" in text
    assert "Full, Generate There is no model" in text
    assert "Static, Generate changed 5 per request 6 per request +20 %" in text.replace("image", "request")
    assert "4 settled charges" in text


def test_a_draft_is_published_now_and_priced_by(staff: Client, ann: Payer, studio: Api) -> None:
    book = draft("ads", static="6")
    assert staff.post(url("publish", book), {"notice_days": "14", "note": "Dearer"}).status_code == 302
    book.refresh_from_db()
    assert (book.status, book.published_by, book.note) == ("published", "staff@example.com", "Dearer")
    snapshot.refresh()
    assert authorize(studio, ann)["metadata"]["cost"] == "6"
    assert not PriceAnnouncement.objects.exists()
    assert staff.get(url("publish", book)).status_code == 403, "it is no draft any more"


def test_open_work_is_settled_at_the_price_it_was_accepted_at(staff: Client, eva: Payer, studio: Api) -> None:
    held = hold(studio, eva)
    book = draft("images", seedream_4_5="0.4")
    assert staff.post(url("publish", book), {"notice_days": "0"}).status_code == 302
    snapshot.refresh()
    settled = studio.post(f"/v1/charges/{held['id']}/settle", {"outputs": {"count": 1}})
    assert settled.body["metadata"]["cost"] == "0.04"


def test_customers_are_told_and_the_prices_wait_for_the_notice(
    staff: Client, ann: Payer, bob: Payer, studio: Api
) -> None:
    authorize(studio, ann)
    book = draft("ads", static="6")
    assert staff.post(url("publish", book), {"tell": "on", "notice_days": "30"}).status_code == 302
    book.refresh_from_db()
    assert book.effective_at is not None
    assert (
        timedelta(days=30) <= book.effective_at - now() + timedelta(minutes=1) < timedelta(days=30, minutes=3)
    )
    price_notices.tell_all()
    outbox.relay()
    assert [message.to for message in mail.outbox] == [["ann@example.com"]]
    listed = text_of(staff, reverse("admin:billing_pricenotice_changelist"))
    assert "ads: Credits, version 2 5 6 1 0 ann@example.com" in listed
    books = text_of(staff, reverse("admin:catalog_pricebook_changelist"))
    assert "scheduled" in books


def test_too_short_a_notice_is_refused_and_what_was_typed_stays(staff: Client, ann: Payer) -> None:
    book = draft("ads", static="6")
    sent = {"tell": "on", "notice_days": "14", "effective_at": moment(3), "note": "Dearer from spring"}
    page = staff.post(url("publish", book), sent)
    assert page.status_code == 422
    assert "less than 14 days of notice" in page.content.decode()
    assert "Dearer from spring" in page.content.decode()
    assert staff.post(url("publish", book), {**sent, "effective_at": moment(15)}).status_code == 302


@pytest.mark.parametrize(
    ("starts", "reason"),
    [
        ("0001-01-01T00:00", "is in the past"),
        ("9999-01-01T00:00", "more than three years ahead"),
        ("tomorrow", "Enter a date and time"),
        ("2027-13-01T00:00", "Enter a date and time"),
    ],
)
def test_a_date_that_does_not_fit_publishes_nothing(
    staff: Client, ann: Payer, starts: str, reason: str
) -> None:
    book = draft("ads", static="6")
    page = staff.post(url("publish", book), {"notice_days": "0", "effective_at": starts})
    assert page.status_code == 422
    assert reason in page.content.decode()
    assert PriceBook.objects.get(pk=book.pk).status == "draft"


def test_two_versions_at_one_instant_are_refused(staff: Client, ann: Payer) -> None:
    starts = moment(20)
    assert (
        staff.post(
            url("publish", draft("ads", static="6")), {"notice_days": "0", "effective_at": starts}
        ).status_code
        == 302
    )
    page = staff.post(url("publish", draft("ads", static="7")), {"notice_days": "0", "effective_at": starts})
    assert "Two versions at the same instant" in page.content.decode()
    page = staff.post(url("publish", PriceBook.objects.get(status="draft")), {"notice_days": "0"})
    assert "is scheduled for" in page.content.decode()


def test_a_draft_that_cannot_be_priced_from_says_why_instead(staff: Client, ann: Payer) -> None:
    book = draft("ads")
    Price.objects.filter(book=book).update(requires="gold")
    assert (
        "requires the plan &#x27;gold&#x27;, which is missing"
        in staff.get(url("publish", book)).content.decode()
    )
    assert staff.post(url("publish", book), {"notice_days": "0"}).status_code == 422
    assert PriceBook.objects.get(pk=book.pk).status == "draft"


def test_a_scheduled_version_is_withdrawn_with_a_reason(staff: Client, ann: Payer, studio: Api) -> None:
    authorize(studio, ann)
    book = draft("ads", static="6")
    staff.post(url("publish", book), {"tell": "on", "notice_days": "30"})
    price_notices.tell_all()
    assert "1 account was told of it" in text_of(staff, url("withdraw", book))
    assert staff.post(url("withdraw", book), {"reason": ""}).status_code == 422
    assert staff.post(url("withdraw", book), {"reason": "Not this year"}).status_code == 302
    book.refresh_from_db()
    assert (book.status, book.withdrawn_because, book.withdrawn_by) == (
        "withdrawn",
        "Not this year",
        "staff@example.com",
    )
    price_notices.tell_all()
    outbox.relay()
    assert [message.subject for message in mail.outbox][-1] == "Prices stay as they are"
    assert PriceNotice.objects.count() == 1


def test_what_is_in_force_is_not_withdrawn(staff: Client, ann: Payer) -> None:
    book = versions.publish(draft("ads", static="6"))
    assert staff.get(url("withdraw", book)).status_code == 403


def test_a_part_of_very_many_charges_is_named_as_such(
    staff: Client, ann: Payer, studio: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.services import price_impact

    ann.give(100)
    for _ in range(20):  # a sample of them finds none once in a million runs
        authorize(studio, ann)
    preview = price_impact.preview
    monkeypatch.setattr(price_impact, "preview", lambda book: preview(book, most=10))
    assert "From a sample: one in 2 charges" in text_of(staff, url("publish", draft("ads", static="6")))


def test_nothing_sold_yet_is_said(staff: Client, catalog: None) -> None:
    book = versions.new_draft(PriceList.objects.get(profile="ads"))
    text = text_of(staff, url("publish", book))
    assert "there is nothing to compare" in text
    assert "Nothing is different." in text


def test_other_plans_and_bonuses_touch_nothing_that_was_granted_or_charged(
    staff: Client, ann: Payer, studio: Api
) -> None:
    authorize(studio, ann)
    tables = (Grant, Charge, Transaction, Balance)
    before = [list(table.objects.order_by("pk").values()) for table in tables]
    sent = {"new-slug": "gold", "new-name": "Gold", "new-price": "9", "new-credits": "70", "new-active": "on"}
    assert staff.post(reverse("admin:catalog_profile_plans", args=["ads"]), sent).status_code == 302
    profile = Profile.objects.get(slug="ads")
    profile.settings = {
        **profile.settings,
        "welcome_bonus": "5",
        "trial_grant": {"amount": "3", "enabled": True},
    }
    profile.save()
    snapshot.refresh()
    assert [list(table.objects.order_by("pk").values()) for table in tables] == before
    assert payer("Cleo", "ads").api.get("/v1/balance").body["balance"] == "8"
