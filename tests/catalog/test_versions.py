"""Versions of a price list: in order, one at an instant, withdrawn in time, rolled back to by copying."""

from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils.timezone import now

from catalog import loader, services, snapshot, versions
from catalog.models import Price, PriceBook, PriceList
from catalog.pricing.engine import estimate
from catalog.versions import CannotPublish

pytestmark = pytest.mark.django_db


@pytest.fixture
def ads() -> PriceList:
    services.store_profile(loader.read(loader.find("ads")))
    return PriceList.objects.get(profile="ads")


def draft_at(price_list: PriceList, amount: int) -> PriceBook:
    draft = versions.new_draft(price_list)
    Price.objects.filter(book=draft, model__slug="static").update(amount=amount)
    return draft


def published(price_list: PriceList, amount: int, effective_at: datetime | None = None) -> PriceBook:
    return versions.publish(draft_at(price_list, amount), effective_at=effective_at, by="staff@example.com")


def static_price(at: datetime | None = None) -> int:
    book = snapshot.refresh().book("ads", at or now())
    return estimate(book, "static", "generate", {}).micros // 1_000_000


def test_a_scheduled_version_is_seen_and_priced_by_from_its_date_on(ads: PriceList) -> None:
    later = now() + timedelta(days=30)
    book = published(ads, 7, later)
    first = PriceBook.objects.get(version=1)
    assert [versions.state_of(each) for each in (first, book)] == ["in force", "scheduled"]
    assert versions.scheduled(ads) == [book]
    assert (static_price(), static_price(later - timedelta(seconds=1)), static_price(later)) == (5, 5, 7)
    assert (book.published_by, list(book.plans)) == ("staff@example.com", [])


def test_a_scheduled_version_is_withdrawn_before_its_date(ads: PriceList) -> None:
    later = now() + timedelta(days=30)
    book = versions.withdraw(published(ads, 7, later), by="staff@example.com", because="Too soon")
    assert versions.state_of(book) == "withdrawn"
    assert static_price(later) == 5
    assert published(ads, 8, later).version == 3
    assert static_price(later) == 8


def test_a_version_in_force_is_not_withdrawn(ads: PriceList) -> None:
    book = published(ads, 7)
    with pytest.raises(CannotPublish, match="Roll back to an older version instead"):
        versions.withdraw(book, by="", because="")
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        PriceBook.objects.filter(pk=book.pk).update(status="withdrawn")


def test_a_withdrawn_version_stays_as_it_was(ads: PriceList) -> None:
    book = versions.withdraw(published(ads, 7, now() + timedelta(days=2)), by="", because="")
    for change in (
        lambda: PriceBook.objects.filter(pk=book.pk).update(status="published"),
        lambda: PriceBook.objects.filter(pk=book.pk).delete(),
        lambda: Price.objects.filter(book=book).update(amount=1),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_withdrawing_changes_nothing_else(ads: PriceList) -> None:
    book = published(ads, 7, now() + timedelta(days=2))
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        PriceBook.objects.filter(pk=book.pk).update(status="withdrawn", note="rewritten")


def test_dates_that_do_not_fit_are_refused_with_the_reason(ads: PriceList) -> None:
    later = now() + timedelta(days=30)
    published(ads, 7, later)
    draft = draft_at(ads, 9)
    for moment, reason in {
        later: "Two versions at the same instant: ads: Credits, version 2",
        later - timedelta(days=1): "version 2 is scheduled for",
        None: "version 2 is scheduled for",
        datetime(1, 1, 1, tzinfo=later.tzinfo): "is in the past",
        now() + timedelta(days=2000): "more than three years ahead",
    }.items():
        with pytest.raises(CannotPublish, match=reason):
            versions.publish(draft, effective_at=moment)
    assert draft.status == "draft"
    assert static_price(later) == 7


def test_all_reasons_are_given_at_once(ads: PriceList) -> None:
    draft = versions.new_draft(ads)
    Price.objects.filter(book=draft).update(requires="gold")
    with pytest.raises(CannotPublish) as refused:
        versions.publish(draft, effective_at=now() - timedelta(days=1))
    assert [problem.split(" ")[-1] for problem in refused.value.problems] == [
        "later.", "on.", "missing.", "missing.",
    ]  # fmt: skip


def test_the_database_too_refuses_two_versions_at_one_instant(ads: PriceList) -> None:
    later = now() + timedelta(days=30)
    published(ads, 7, later)
    draft = draft_at(ads, 9)
    with pytest.raises(DatabaseError, match="pricebook_one_at_a_time"), transaction.atomic():
        PriceBook.objects.filter(pk=draft.pk).update(
            status="published", effective_at=later, published_at=now()
        )


def test_an_empty_book_is_not_published(ads: PriceList) -> None:
    draft = versions.new_draft(ads)
    draft.prices.all().delete()
    with pytest.raises(CannotPublish, match="has no price"):
        versions.publish(draft)


def test_rolling_back_publishes_the_old_prices_as_a_new_version(ads: PriceList) -> None:
    published(ads, 7)
    first = PriceBook.objects.get(version=1)
    book = versions.roll_back(first, by="staff@example.com", reason="Seven was a mistake")
    assert (book.version, book.source, book.note) == (3, first, "Seven was a mistake")
    assert static_price() == 5
    assert [versions.state_of(each) for each in PriceBook.objects.order_by("version")] == [
        "past", "past", "in force",
    ]  # fmt: skip


def test_nobody_rolls_back_over_an_open_draft(ads: PriceList) -> None:
    published(ads, 7)
    versions.new_draft(ads)
    with pytest.raises(CannotPublish, match="has an open draft"):
        versions.roll_back(PriceBook.objects.get(version=1), by="", reason="")
    assert static_price() == 7
