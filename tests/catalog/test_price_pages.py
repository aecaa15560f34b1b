"""Staff at a price book: the grid saved whole, every mistake at its cell."""

import json
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import User
from catalog import drafts, services, snapshot, versions
from catalog.figures import Figures, Spot, figures
from catalog.models import AIModel, Operation, PriceBook
from catalog.pricing.engine import estimate
from catalog.values import exact
from tests.catalog.price_grid import cell, draft, entry, saved, staff, typed, url

__all__ = ["staff"]

pytestmark = pytest.mark.django_db
ALL = [
    ("ads", "standard"), ("images", "standard"), ("toon", "credits"), ("toon", "metered"),
    ("sites", "standard"), ("gateway", "standard"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("profile", "price_list"), ALL)
@pytest.mark.parametrize("query", ["", "?all=1"])
def test_saving_the_grid_unchanged_changes_nothing(
    staff: Client, profile: str, price_list: str, query: str
) -> None:
    book = draft(profile, price_list)
    before = drafts.entries(book)
    answer = saved(staff, book, {}, query)
    assert answer.status_code == 302, answer.content.decode()
    assert drafts.entries(book) == before


def test_a_price_is_changed_added_and_taken_away_in_one_go(staff: Client) -> None:
    book = draft("toon", "credits")
    changes = {
        cell(book, "gemini-pro", "relight"): "3.25",
        cell(book, "seedream-5", "video-5s"): "7",
        cell(book, "nano-banana-2", "relight"): "",
    }
    page = staff.post(url("prices", book), {**typed(staff, book), **changes}, follow=True)
    text = page.content.decode()
    assert "Saved: 3 prices changed." in text
    assert "takes its parameters, modifiers and gate from" in text
    changed = entry(book, "gemini-pro", "relight")
    assert changed is not None
    assert changed.item.rate.price == Decimal("3.25")
    new = entry(book, "seedream-5", "video-5s")
    like = entry(book, "gemini-pro", "video-5s")
    assert new is not None
    assert like is not None
    assert (new.item.rate.price, new.item.parameters) == (Decimal(7), like.item.parameters)
    assert entry(book, "nano-banana-2", "relight") is None


def test_free_is_a_zero_that_was_typed(staff: Client) -> None:
    book = draft("sites")
    saved(staff, book, {cell(book, "assistant", "brainstorm"): "0"})
    free = versions.publish(book)
    assert estimate(snapshot.refresh().book("sites", now()), "assistant", "brainstorm", {}).micros == 0
    assert free.version == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-5", "Must not be negative."),
        ("1000001", "Must be at most 1,000,000."),
        ("0,5", "Must be written with a point, such as 0.054."),
        ("five", "Must be a number, such as 0.054."),
        ("NaN", "Must be a number, such as 0.054."),
        ("1e3", "Must be a number, such as 0.054."),
        ("=", "This price list derives no rates: it has no markup and rounding."),
    ],
)
def test_a_mistake_stands_at_its_cell_and_nothing_is_saved(staff: Client, text: str, message: str) -> None:
    book = draft("ads")
    before = drafts.entries(book)
    name = cell(book, "static", "generate")
    answer = saved(staff, book, {name: text, cell(book, "full", "generate"): "16"})
    assert answer.status_code == 422
    page = unescape(answer.content.decode())
    assert f'id="{name}-error">{message}' in page
    assert f'name="{name}" value="{text}"' in page
    assert f'name="{cell(book, "full", "generate")}" value="16"' in page, "what was typed is kept"
    assert drafts.entries(book) == before


def test_all_mistakes_are_shown_at_once(staff: Client) -> None:
    book = draft("ads")
    changes = {cell(book, "static", "generate"): "x", cell(book, "full", "generate"): "-1"}
    page = saved(staff, book, changes).content.decode()
    assert "2 figures are not right; nothing was saved." in page
    assert page.count("aria-invalid") == 2


def test_variants_have_an_input_each_with_their_bounds(staff: Client) -> None:
    book = draft("sites")
    relaxed = {
        cell(book, "veo-3-1", "generate", "v1"): "20",
        cell(book, "veo-3-1", "generate", "v1", "low"): "19",
        cell(book, "veo-3-1", "generate", "v1", "high"): "21",
        cell(book, "veo-3-1", "generate", "v4"): "",
    }
    assert saved(staff, book, relaxed).status_code == 302
    changed = entry(book, "veo-3-1", "generate")
    assert changed is not None
    variants = changed.item.rate.variants
    assert (variants[1].name, figures(changed.item, Spot(variant=1))) == (
        "relaxed queue",
        Figures(Decimal(20), Decimal(19), Decimal(21)),
    )
    assert [v.name for v in variants] == ["standard queue", "relaxed queue", "HD queue 1080p", "2K"]
    wrong = saved(staff, book, {cell(book, "veo-3-1", "generate", "v1"): "18"})
    assert "The lower bound is above the price." in wrong.content.decode()


def test_a_phase_is_changed_for_every_price_that_is_its_sum(staff: Client) -> None:
    book = draft("sites")
    name = "phases-site.generate-p0v0-price"
    assert saved(staff, book, {name: "25"}).status_code == 302
    for operation in ("generate", "full-regeneration"):
        changed = entry(book, "site", operation)
        assert changed is not None
        rate = changed.item.phases[0].rate
        assert rate is not None
        assert rate.variants[0].price == 25
    wrong = saved(staff, book, {"phases-site.generate-p2-price": ""})
    assert "Is needed; 0 is free." in wrong.content.decode()


def test_a_composite_price_is_taken_away_by_its_tick(staff: Client) -> None:
    book = draft("sites")
    values = typed(staff, book)
    name = cell(book, "site", "full-regeneration").replace("--price", "-offered")
    del values[name]
    assert staff.post(url("prices", book), values).status_code == 302
    assert entry(book, "site", "full-regeneration") is None
    assert entry(book, "site", "generate") is not None


def test_a_modifier_changes_wherever_it_stands(staff: Client) -> None:
    book = draft("sites")
    assert saved(staff, book, {"m0-times": "1.5"}).status_code == 302
    versions.publish(book)
    prices = snapshot.refresh().book("sites", now())
    for model, credits in (("seedream-4-5", 27), ("gemini-2-5-flash", 12)):
        quote = estimate(prices, model, "generate", {"resolution": "4K"})
        assert quote.micros == credits * 1_000_000


def test_a_modifier_takes_nothing_below_nothing(staff: Client) -> None:
    book = draft("sites")
    before = drafts.entries(book)
    answer = saved(staff, book, {"m0-times": "-1", "m0-add": "-500"})
    assert answer.status_code == 422
    assert unescape(answer.content.decode()).count("ust not be negative.") == 2
    assert drafts.entries(book) == before


def test_a_negative_figure_in_the_rules_is_never_published(staff: Client) -> None:
    book = draft("sites")
    price = book.prices.get(model__slug="seedream-4-5", operation__slug="generate")
    price.rules["rate"]["modifiers"][0]["add"] = "-500"
    price.save()
    with pytest.raises(versions.CannotPublish, match="below 0 or above 1000000"):
        versions.publish(book)


def test_a_price_typed_at_its_own_page_follows_no_cost(staff: Client) -> None:
    book = draft("toon", "metered")
    price = book.prices.get(model__slug="midjourney-v7", operation__slug="generate")
    page = reverse("admin:catalog_price_change", args=[price.pk])
    fields = {
        "model": price.model_id,
        "operation": price.operation_id,
        "amount": "0.4",
        "per": price.per,
        "requires": "",
    }
    assert staff.post(page, {**fields, "rules": "[]"}).status_code == 200
    assert staff.post(page, {**fields, "rules": json.dumps(price.rules)}).status_code == 302
    price.refresh_from_db()
    assert (price.amount, price.provider_cost) == (Decimal("0.4"), None)


@pytest.mark.parametrize("page", ["prices", "upload", "roll-back", "publish", "withdraw"])
def test_what_is_no_version_has_no_page(staff: Client, page: str) -> None:
    root = reverse("admin:catalog_pricebook_changelist")
    assert staff.get(f"{root}nothing/{page}/").status_code in (302, 403, 404)


@pytest.mark.parametrize("page", ["plans", "profile.toml", "load"])
def test_what_is_no_profile_has_no_page(staff: Client, page: str) -> None:
    root = reverse("admin:catalog_profile_changelist")
    assert staff.get(f"{root}nothing/{page}/").status_code == 404


def test_a_derived_rate_becomes_a_price_of_its_own_and_back(staff: Client) -> None:
    book = draft("toon", "metered")
    name = cell(book, "midjourney-v7", "generate")
    saved(staff, book, {name: "0.4"})
    own = entry(book, "midjourney-v7", "generate")
    assert own is not None
    assert (own.item.rate.price, own.cost) == (Decimal("0.4"), None)
    saved(staff, book, {name: "="})
    derived = entry(book, "midjourney-v7", "generate")
    assert derived is not None
    assert (derived.item.rate.price, derived.cost) == (Decimal("0.324"), Decimal("0.18"))


def test_a_new_model_gets_its_derived_rate(staff: Client) -> None:
    book = draft("toon", "metered")
    AIModel.objects.create(profile_id="toon", slug="flux-3", name="Flux 3", provider_cost=exact("0.05"))
    assert saved(staff, book, {cell(book, "flux-3", "generate"): "="}, "?all=1").status_code == 302
    versions.publish(book)
    prices = snapshot.refresh().book("toon", now(), "metered")
    assert estimate(prices, "flux-3", "generate", {"count": 2}).micros == 180_000
    services.change_provider_cost(AIModel.objects.get(slug="flux-3"), exact("0.1"))
    prices = snapshot.refresh().book("toon", now(), "metered")
    assert estimate(prices, "flux-3", "generate", {}).micros == 180_000


def test_two_people_do_not_overwrite_each_other(staff: Client) -> None:
    book = draft("ads")
    first = typed(staff, book)
    saved(staff, book, {cell(book, "static", "generate"): "6"})
    late = {**first, cell(book, "full", "generate"): "20"}
    answer = staff.post(url("prices", book), late)
    assert answer.status_code == 422
    assert "Somebody else changed this draft meanwhile." in answer.content.decode()
    assert entry(book, "full", "generate") == drafts.entries(book)["full", "generate"]
    assert drafts.entries(book)["static", "generate"].item.rate.price == 6


def test_what_only_the_whole_shows_is_told_above_the_grid(staff: Client) -> None:
    book = draft("sites")
    values = typed(staff, book)
    gone = {
        name: ""
        for name in values
        if name.startswith(cell(book, "veo-3-1", "generate").partition("-")[0] + "-")
    }
    answer = staff.post(url("prices", book), {**values, **gone})
    assert answer.status_code == 422
    assert "uses veo-3-1.generate, which has no price." in answer.content.decode()


def test_a_published_version_is_read_and_copied_not_saved(staff: Client) -> None:
    draft("ads").delete()
    book = PriceBook.objects.get()
    assert "Save all prices" not in staff.get(url("prices", book)).content.decode()
    assert staff.post(url("prices", book), {"seen": "x"}).status_code == 422
    answer = staff.post(url("prices", book), {"open_draft": "1"})
    opened = PriceBook.objects.get(status="draft")
    assert answer["Location"] == url("prices", opened)


@pytest.mark.slow
def test_a_book_too_large_for_a_form_comes_in_pages(staff: Client) -> None:
    book = draft("ads")
    for n in range(40):
        AIModel.objects.create(profile_id="ads", slug=f"m{n}", name=f"M{n}", position=n)
        Operation.objects.create(profile_id="ads", slug=f"o{n}", name=f"O{n}", position=n)
    pages = [typed(staff, book, f"?all=1&page={number}") for number in (1, 2, 3)]
    assert all(len(page) < 800 for page in pages)
    assert not set(pages[0]) & set(pages[1]) - {"seen", "csrfmiddlewaretoken", "s"}
    assert saved(staff, book, {cell(book, "m20", "o3"): "4"}, "?all=1&page=2").status_code == 302
    assert entry(book, "m20", "o3") is not None
    assert entry(book, "static", "generate") is not None


def test_staff_without_the_right_only_look(client: Client, db: None) -> None:
    from django.contrib.auth.models import Permission

    book = draft("ads")
    looker = User.objects.create_user("look@example.com", "long-enough-password", is_staff=True)
    looker.user_permissions.add(Permission.objects.get(codename="view_pricebook"))
    client.force_login(looker)
    assert client.get(url("prices", book)).status_code == 200
    assert client.post(url("prices", book), {cell(book, "static", "generate"): "1"}).status_code in (403, 404)
    for name in ("upload_prices", "roll_back", "publish", "withdraw"):
        assert client.get(url(name, book)).status_code == 403
    assert drafts.entries(book)["static", "generate"].item.rate.price == 5
