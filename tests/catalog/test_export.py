"""A stored profile as a file: loading what was written changes nothing."""

from decimal import Decimal

import pytest

from catalog import loader, profile_export, services
from catalog.models import AIModel, Plan, Price, PriceBook, Profile
from tests.catalog.conftest import bundled

pytestmark = pytest.mark.django_db
ALL = ["ads", "images", "toon", "sites", "gateway"]


@pytest.mark.parametrize("name", ALL)
def test_what_is_written_loads_without_a_difference(name: str) -> None:
    services.store_profile(bundled(name))
    text = profile_export.write(Profile.objects.get(slug=name))
    loaded = loader.parse(text, "written.toml")
    assert [str(change) for change in services.pending_changes(loaded)] == []
    for price_list, book in bundled(name).books().items():
        again = loaded.books()[price_list]
        assert {key: item.spec for key, item in again.items.items()} == {
            key: item.spec for key, item in book.items.items()
        }
    assert services.store_profile(loaded).published == ()


@pytest.mark.parametrize("name", ALL)
def test_writing_twice_writes_the_same(name: str) -> None:
    services.store_profile(bundled(name))
    profile = Profile.objects.get(slug=name)
    text = profile_export.write(profile)
    services.store_profile(loader.parse(text, "written.toml"))
    assert profile_export.write(profile) == text


def test_what_staff_changed_is_in_the_file() -> None:
    services.store_profile(bundled("toon"))
    Plan.objects.filter(slug="pro").update(price=41_500_000, features=['Says "hello"\\n', "€"])
    services.change_provider_cost(AIModel.objects.get(slug="midjourney-v7"), Decimal("0.2"))
    draft = services.new_draft(
        PriceBook.objects.filter(price_list__slug="credits").latest("version").price_list
    )
    Price.objects.filter(book=draft, model__slug="gemini-pro", operation__slug="relight").update(
        amount="3.25"
    )
    services.publish(draft)
    loaded = loader.parse(profile_export.write(Profile.objects.get(slug="toon")), "written.toml")
    assert services.pending_changes(loaded) == []
    plan = next(plan for plan in loaded.file.plan if plan.slug == "pro")
    assert (plan.price, plan.features) == (41_500_000, ('Says "hello"\\n', "€"))
    changed = [str(change) for change in services.pending_changes(bundled("toon"))]
    assert "~ price credits gemini-pro.relight rate price: 3.25 → 3" in changed
