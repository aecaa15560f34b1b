"""Files at the admin's pages: prices as CSV into a draft, a whole profile with a look before it is stored."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog import drafts, loader, services, versions
from catalog.models import PriceBook, PriceList, Profile
from tests.catalog.conftest import bundled

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "long-enough-password"))
    return client


def file(data: bytes, name: str = "prices.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def draft(profile: str = "ads") -> PriceBook:
    services.store_profile(bundled(profile))
    return versions.new_draft(PriceList.objects.get(profile=profile))


def test_what_is_downloaded_is_uploaded_without_a_change(staff: Client) -> None:
    book = draft("sites")
    got = staff.get(reverse("admin:catalog_pricebook_download_prices", args=[book.pk]))
    assert got["Content-Disposition"] == 'attachment; filename="sites-standard-v2.csv"'
    upload = reverse("admin:catalog_pricebook_upload_prices", args=[book.pk])
    page = staff.post(upload, {"file": file(got.content), "complete": "on"}, follow=True)
    assert "0 prices changed." in page.content.decode()
    assert page.redirect_chain[0][0] == reverse("admin:catalog_pricebook_compare", args=[book.pk])


def test_a_csv_with_mistakes_lists_them_and_changes_nothing(staff: Client) -> None:
    book = draft()
    before = drafts.entries(book)
    upload = reverse("admin:catalog_pricebook_upload_prices", args=[book.pk])
    data = b"model,operation,price\nstatic,generate,6\nstatik,generate,5\nfull,generate,-1\n"
    answer = staff.post(upload, {"file": file(data)})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "2 mistakes; nothing was taken over" in page
    assert "Did you mean static?" in page
    assert drafts.entries(book) == before
    assert staff.post(upload, {}).status_code == 422


@pytest.mark.slow
def test_a_profile_is_downloaded_changed_looked_at_and_stored(staff: Client) -> None:
    services.store_profile(bundled("ads"))
    text = staff.get(reverse("admin:catalog_profile_download_file", args=["ads"])).content.decode()
    assert services.pending_changes(loader.parse(text, "ads.toml")) == []
    address = reverse("admin:catalog_profile_load_file", args=["ads"])
    same = staff.post(address, {"file": file(text.encode(), "ads.toml")})
    assert "there is nothing to do" in same.content.decode()
    changed = text.replace("price = 15", "price = 18").replace("welcome_bonus = 50", "welcome_bonus = 40")
    page = staff.post(address, {"file": file(changed.encode(), "ads.toml")})
    assert "price standard full.generate rate price: 15 → 18" in page.content.decode()
    assert Profile.objects.get(slug="ads").settings["welcome_bonus"] == "50", "looking stores nothing"
    stored = staff.post(address, {"text": page.context["text"], "store": "1"}, follow=True)
    assert "Stored 2 changes." in stored.content.decode()
    assert services.pending_changes(loader.parse(changed, "ads.toml")) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"format = 1\n[profile", "syntax"),
        (b"\xff\xfe", "is not UTF-8 text."),
        (b"format = 1\x00", "syntax"),
        (b"", "is missing."),
        (b"#" * 1_000_001, "larger than 1 MB"),
    ],
)
def test_a_file_that_is_no_profile_says_why(staff: Client, data: bytes, reason: str) -> None:
    services.store_profile(bundled("ads"))
    answer = staff.post(
        reverse("admin:catalog_profile_load_file", args=["ads"]), {"file": file(data, "x.toml")}
    )
    page = answer.content.decode()
    assert answer.status_code == 422
    assert reason in page or (not data and "empty" in page)


def test_the_file_of_another_profile_is_refused(staff: Client) -> None:
    services.store_profile(bundled("ads"))
    text = loader.find("images").read_bytes()
    page = staff.post(
        reverse("admin:catalog_profile_load_file", args=["ads"]), {"file": file(text, "x.toml")}
    )
    assert page.status_code == 422
    assert "is images, and this is ads." in page.content.decode()


def test_nothing_is_stored_while_a_draft_is_open(staff: Client) -> None:
    book = draft()
    text = loader.find("ads").read_text().replace("price = 5,", "price = 6,")
    answer = staff.post(
        reverse("admin:catalog_profile_load_file", args=["ads"]), {"text": text, "store": "1"}
    )
    assert "has an open draft; publish or delete it first." in answer.content.decode()
    assert PriceBook.objects.filter(status="published").count() == 1
    assert book.prices.count() == 2
