"""Staff at the versions of a price book: two of them compared, and the way back to an old one."""

from html import unescape

import pytest
from django.test import Client
from django.utils.timezone import now

from catalog import snapshot, versions
from catalog.models import PriceBook
from catalog.pricing.engine import estimate
from tests.catalog.price_grid import cell, draft, saved, staff, url

__all__ = ["staff"]
pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_two_versions_are_compared_price_by_price(staff: Client) -> None:
    book = draft("sites")
    changes = {
        cell(book, "flux-pro", "generate"): "20",
        cell(book, "image-tools", "background-removal"): "",
        "m0-times": "1.5",
        "phases-site.generate-p0v0-price": "25",
    }
    assert saved(staff, book, changes).status_code == 302
    page = unescape(staff.get(url("compare", book)).content.decode())
    assert "16 per image" in page
    assert "20 per image" in page
    assert "+25 %" in page
    assert "no longer offered" in page
    assert "modifiers › 2K or 4K output › times: 2 → 1.5" in page
    assert (
        "phases › Hero image HD › rate › variants › hero_model seedream-4-5, hero_resolution HD › price: 20 → 25"
        in page
    )
    back = staff.get(url("compare", PriceBook.objects.get(version=1)) + f"?with={book.pk}").content.decode()
    assert "−20 %" in back


def test_plans_are_compared_too(staff: Client) -> None:
    book = draft("toon", "credits")
    book.price_list.profile.plans.filter(slug="pro").update(price=41_000_000)
    assert "pro › price: 39 → 41" in staff.get(url("compare", book)).content.decode(), "a draft has today's"
    versions.publish(book)
    book.price_list.profile.plans.filter(slug="pro").update(price=50_000_000)
    assert "pro › price: 39 → 41" in staff.get(url("compare", book)).content.decode(), (
        "published ones note them"
    )


def test_the_only_version_has_nothing_to_be_compared_with(staff: Client) -> None:
    draft("ads").delete()
    assert "only version" in staff.get(url("compare", PriceBook.objects.get())).content.decode()


def test_staff_go_back_to_an_old_version_with_a_reason(staff: Client) -> None:
    book = draft("ads")
    saved(staff, book, {cell(book, "static", "generate"): "6"})
    versions.publish(book)
    first = PriceBook.objects.get(version=1)
    page = staff.get(url("roll_back", first)).content.decode()
    assert "6 per request" in page or "6 per image" in page
    assert staff.post(url("roll_back", first), {"reason": ""}).status_code == 422
    assert staff.post(url("roll_back", first), {"reason": "Six was a slip"}).status_code == 302
    new = PriceBook.objects.get(version=3)
    assert (new.note, new.published_by, new.source) == ("Six was a slip", "staff@example.com", first)
    assert estimate(snapshot.refresh().book("ads", now()), "static", "generate", {}).micros == 5_000_000
    assert staff.get(url("roll_back", new)).status_code == 403, "it is in force"


def test_nothing_is_rolled_back_into_the_past(staff: Client) -> None:
    book = draft("ads")
    versions.publish(book)
    first = PriceBook.objects.get(version=1)
    sent = {"reason": "Back", "effective_at": "2020-01-01T00:00"}
    answer = staff.post(url("roll_back", first), sent)
    assert answer.status_code == 422
    assert "is in the past" in answer.content.decode()
    assert staff.post(url("roll_back", first), {**sent, "effective_at": "soon"}).status_code == 422
    assert PriceBook.objects.count() == 2
