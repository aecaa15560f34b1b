"""Storing profile files: repeating changes nothing, changes are shown, prices become versions."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils.timezone import now

from catalog import loader, services, snapshot
from catalog.models import AIModel, Plan, Price, PriceBook, Profile
from catalog.pricing.engine import estimate
from tests.catalog.conftest import bundled

pytestmark = pytest.mark.django_db
ALL = ["ads", "images", "toon", "sites", "gateway"]


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("load_profile", *arguments, stdout=out)
    return out.getvalue()


def changed(tmp_path: Path, name: str, old: str, new: str) -> str:
    """The path of a copy of a bundled profile with one thing changed."""
    text = loader.find(name).read_text()
    assert text.count(old) >= 1
    path = tmp_path / f"{name}.toml"
    path.write_text(text.replace(old, new, 1))
    return str(path)


@pytest.mark.parametrize("name", ALL)
def test_each_profile_loads_alone_and_a_second_time_changes_nothing(name: str) -> None:
    assert "changes stored." in load(name)
    versions = PriceBook.objects.count()
    assert load(name) == f"{name}: no changes.\n"
    assert PriceBook.objects.count() == versions
    assert snapshot.current().default_profile == name


@pytest.mark.slow
def test_all_five_live_side_by_side_and_are_what_their_files_say() -> None:
    for name in ALL:
        load(name)
    state = snapshot.current()
    assert state.profiles == tuple(sorted(ALL))
    assert state.default_profile == "ads"
    for name in ALL:
        loaded = bundled(name)
        terms = state.terms(name)
        assert terms.model_dump(include=set(type(loaded.file.terms).model_fields), exclude={"headline"}) == (
            loaded.file.terms.model_dump(exclude={"headline"})
        )
        for entry in loaded.file.price_list:
            stored = state.book(name, now(), entry.modes[0])
            written = loaded.books()[entry.id]
            assert stored.unit == entry.unit
            assert {key: item.spec for key, item in stored.items.items()} == {
                key: item.spec for key, item in written.items.items()
            }


def test_default_moves_on_request() -> None:
    load("ads")
    load("images", "--default")
    assert snapshot.current().default_profile == "images"


def test_default_moves_without_storing_the_file_again() -> None:
    load("ads")
    load("images")
    Profile.objects.filter(slug="images").update(name="Edited by staff")
    services.make_default("images")
    state = snapshot.current()
    assert (state.default_profile, state.terms("images").name) == ("images", "Edited by staff")


def test_a_dry_run_shows_the_changes_and_stores_nothing() -> None:
    text = load("ads", "--dry-run")
    assert "+ price standard static.generate: 5 per request" in text
    assert text.endswith("nothing stored (dry run).\n")
    assert not Profile.objects.exists()


def test_a_changed_price_is_shown_old_beside_new_and_becomes_a_version(tmp_path: Path) -> None:
    load("ads")
    before = snapshot.current().book("ads", now())
    text = load(changed(tmp_path, "ads", "price = 5,", "price = 6,"))
    assert text.splitlines()[0] == "~ price standard static.generate rate price: 5 → 6"
    after = snapshot.current().book("ads", now())
    assert (before.info.version, after.info.version) == (1, 2)
    assert estimate(after, "static", "generate", {}).micros == 6_000_000
    assert estimate(snapshot.current().book_by_id(before.id), "static", "generate", {}).micros == 5_000_000
    assert snapshot.current().headline("ads") == {"static": "6", "full": "15"}


def test_terms_change_without_a_new_price_book(tmp_path: Path) -> None:
    load("ads")
    text = load(changed(tmp_path, "ads", "welcome_bonus = 50", "welcome_bonus = 0"))
    assert text == "~ terms welcome_bonus: 50 → 0\nads: 1 changes stored.\n"
    assert PriceBook.objects.count() == 1
    assert snapshot.current().terms("ads").welcome_bonus == 0


def test_a_later_effective_date_is_kept_until_then(tmp_path: Path) -> None:
    load("ads")
    later = now() + timedelta(days=365)
    load(changed(tmp_path, "ads", "price = 5,", "price = 6,"), "--effective", later.isoformat())
    state = snapshot.current()
    assert state.headline("ads")["static"] == "5"
    assert estimate(state.book("ads", now()), "static", "generate", {}).micros == 5_000_000
    assert estimate(state.book("ads", later), "static", "generate", {}).micros == 6_000_000


def test_the_first_version_prices_what_was_before_it() -> None:
    load("ads")
    book = snapshot.current().book("ads", now() - timedelta(days=90))
    assert estimate(book, "static", "generate", {}).micros == 5_000_000


def test_nothing_is_published_into_the_past(tmp_path: Path) -> None:
    load("ads")
    path = changed(tmp_path, "ads", "price = 5,", "price = 6,")
    with pytest.raises(CommandError, match="version 1 is in force from"):
        load(path, "--effective", "2020-01-01T00:00Z")
    assert PriceBook.objects.count() == 1
    assert snapshot.current().headline("ads")["static"] == "5"


def test_a_bad_file_loads_nothing(tmp_path: Path) -> None:
    path = changed(tmp_path, "toon", "price = 10 }", "price = -10 }")
    with pytest.raises(CommandError, match="must not be negative"):
        load(path)
    assert not Profile.objects.exists()


def test_a_list_that_has_versions_keeps_its_unit(tmp_path: Path) -> None:
    load("ads")
    text = loader.find("ads").read_text()
    path = tmp_path / "ads.toml"
    text = text.replace('unit = "credit"', 'unit = "USD"').replace("credit_price = 0.10\n", "")
    path.write_text(text.replace("welcome_bonus = 50", "welcome_bonus = 7"))
    with pytest.raises(CommandError, match=r"versions in credit.*give the list in USD another id"):
        load(str(path))
    assert PriceBook.objects.get().price_list.unit == "credit"
    assert snapshot.refresh().terms("ads").welcome_bonus == 50_000_000


def test_what_a_file_no_longer_has_is_switched_off_and_kept_for_the_past(tmp_path: Path) -> None:
    load("toon")
    text = loader.find("toon").read_text()
    start, end = text.index('[[plan]]\nslug = "business"'), text.index('[[price_list]]\nid = "credits"')
    text = text[:start] + text[end:]
    start, end = text.index('[[model]]\nid = "midjourney-v7"'), len(text)
    path = tmp_path / "toon.toml"
    path.write_text(text[:start] + text[end:])
    shown = load(str(path))
    assert "- plan business: slug business, name Business" in shown
    assert "- price metered midjourney-v7.generate: 0.324 per image" in shown
    assert load(str(path)) == "toon: no changes.\n"
    assert not Plan.objects.get(slug="business").active
    assert not AIModel.objects.get(slug="midjourney-v7").active
    retired = snapshot.current().terms("toon").plan("business")
    assert retired is not None
    assert not retired.active


def test_what_a_later_price_list_no_longer_has_is_sold_until_then(tmp_path: Path) -> None:
    load("toon")
    text = loader.find("toon").read_text()
    path = tmp_path / "toon.toml"
    path.write_text(text[: text.index('[[model]]\nid = "midjourney-v7"')])
    load(str(path), "--effective", (now() + timedelta(days=9)).isoformat())
    assert not snapshot.refresh().is_off("toon", model="midjourney-v7")
    load(str(path))
    assert snapshot.refresh().is_off("toon", model="midjourney-v7")


def test_json_lists_changes_and_versions() -> None:
    document = json.loads(load("ads", "--json"))
    assert document["profile"] == "ads"
    assert {"kind": "added", "where": "profile name", "old": None, "new": "Ads"} in document["changes"]
    assert [(book["price_list"], book["version"]) for book in document["published"]] == [("standard", 1)]


def test_a_providers_new_cost_derives_its_rates_again() -> None:
    load("toon")
    model = AIModel.objects.get(profile="toon", slug="seedream-4-5")
    published = services.change_provider_cost(model, Decimal("0.068"))
    assert [(book.price_list.slug, book.version) for book in published] == [("metered", 2)]
    book = snapshot.current().book("toon", now(), "metered")
    assert estimate(book, "seedream-4-5", "generate", {}).micros == 122_000  # 0.068 x 1.8 = 0.1224
    assert estimate(book, "midjourney-v7", "generate", {}).micros == 324_000
    assert services.rederive(model.profile) == []


def test_rolling_back_is_publishing_the_old_version_again(tmp_path: Path) -> None:
    load("ads")
    first = PriceBook.objects.get(version=1)
    load(changed(tmp_path, "ads", "price = 5,", "price = 6,"))
    draft = services.new_draft(first.price_list, source=first)
    services.publish(draft)
    assert estimate(snapshot.current().book("ads", now()), "static", "generate", {}).micros == 5_000_000
    assert PriceBook.objects.filter(status="published").count() == 3


def test_a_draft_is_not_priced_from_and_there_is_one_at_a_time() -> None:
    load("ads")
    price_list = PriceBook.objects.get().price_list
    draft = services.new_draft(price_list)
    Price.objects.filter(book=draft).update(amount=99)
    assert estimate(snapshot.current().book("ads", now()), "static", "generate", {}).micros == 5_000_000
    with pytest.raises(services.CannotPublish, match="has an open draft"):
        services.new_draft(price_list)


def test_a_draft_that_cannot_be_priced_from_is_not_published() -> None:
    load("sites")
    draft = services.new_draft(PriceBook.objects.get().price_list)
    Price.objects.filter(book=draft, model__slug="flux-pro").update(requires="platinum")
    with pytest.raises(services.CannotPublish, match="requires the plan 'platinum', which is missing"):
        services.publish(draft)
