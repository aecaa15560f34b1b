"""Published prices are history: the database itself refuses to change them."""

import pytest
from django.db import DatabaseError, transaction

from catalog import loader, services
from catalog.models import Price, PriceBook

pytestmark = pytest.mark.django_db


@pytest.fixture
def book() -> PriceBook:
    services.store_profile(loader.read(loader.find("ads")))
    return PriceBook.objects.get()


def test_a_published_price_is_not_changed(book: PriceBook) -> None:
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        Price.objects.filter(book=book).update(amount=1)


def test_a_published_price_is_not_deleted(book: PriceBook) -> None:
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        Price.objects.filter(book=book).delete()


def test_no_price_is_added_to_a_published_book(book: PriceBook) -> None:
    price = Price.objects.filter(book=book).first()
    assert price is not None
    price.pk, price.operation_id = None, price.operation_id
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        price.save(force_insert=True)


def test_a_published_book_is_not_changed_or_deleted(book: PriceBook) -> None:
    for change in (lambda: PriceBook.objects.update(version=7), lambda: PriceBook.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_a_published_book_is_not_published_again(book: PriceBook) -> None:
    with pytest.raises(services.CannotPublish, match="is published already"):
        services.publish(book)


@pytest.mark.parametrize("amount", [-1, 1_000_001])
def test_absurd_amounts_are_refused_by_the_database_too(book: PriceBook, amount: int) -> None:
    draft = services.new_draft(book.price_list)
    with pytest.raises(DatabaseError, match="price_amount_sane"), transaction.atomic():
        Price.objects.filter(book=draft).update(amount=amount)
