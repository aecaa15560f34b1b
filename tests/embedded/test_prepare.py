"""What is in the database before the pages of `up` open."""

import pytest
from django.test import Client

from catalog import loader, snapshot
from catalog.models import PriceBook
from config.management.commands.prepare import load_profiles

pytestmark = pytest.mark.django_db


@pytest.mark.slow
def test_every_bundled_price_list_has_its_page_and_the_first_is_the_default(client: Client) -> None:
    assert load_profiles() == ["ads", "gateway", "images", "sites", "toon"]
    assert snapshot.refresh().default_profile == "ads"
    for name in loader.bundled():
        assert client.get(f"/pricing?profile={name}").status_code == 200


@pytest.mark.slow
def test_a_second_start_changes_no_price_and_makes_the_asked_one_the_default() -> None:
    load_profiles()
    before = set(PriceBook.objects.values_list("pk", flat=True))
    assert load_profiles("sites") == []
    assert snapshot.refresh().default_profile == "sites"
    load_profiles()
    assert snapshot.refresh().default_profile == "sites"
    assert set(PriceBook.objects.values_list("pk", flat=True)) == before
