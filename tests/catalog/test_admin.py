"""Staff in the admin: terms are edited through checked fields, published prices are read."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import User
from catalog import loader, services, snapshot
from catalog.models import AIModel, Plan, PriceBook, PriceList, Profile
from catalog.pricing.engine import estimate

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "long-enough-password"))
    return client


def stored(name: str) -> None:
    services.store_profile(loader.read(loader.find(name)))
    snapshot.refresh()


def form_values(client: Client, url: str) -> dict[str, Any]:
    """What a browser would send back unchanged."""
    response = client.get(url)
    assert response.status_code == 200
    context = response.context
    values: dict[str, Any] = {}
    forms = [
        context["adminform"].form,
        *(s.formset.management_form for s in context["inline_admin_formsets"]),
    ]
    for formset in context["inline_admin_formsets"]:
        forms += list(formset.formset.forms)
    for form in forms:
        for field in form:
            value = field.value()
            if value is not None and value is not False:
                values[field.html_name] = value
    return values


@pytest.mark.parametrize("model", ["profile", "plan", "aimodel", "operation", "pricelist", "pricebook"])
def test_every_list_opens(staff: Client, model: str) -> None:
    stored("toon")
    assert staff.get(reverse(f"admin:catalog_{model}_changelist")).status_code == 200


@pytest.mark.parametrize("slug", ["ads", "images", "sites"])
def test_saving_a_profile_unchanged_changes_nothing(staff: Client, slug: str) -> None:
    stored(slug)
    url = reverse("admin:catalog_profile_change", args=[slug])
    response = staff.post(url, form_values(staff, url))
    assert response.status_code == 302, response.context["adminform"].form.errors
    assert services.pending_changes(loader.read(loader.find(slug))) == []


def test_the_trial_grant_is_switched_off(staff: Client) -> None:
    stored("images")
    assert snapshot.current().terms("images").trial_grant.micros == 500_000
    url = reverse("admin:catalog_profile_change", args=["images"])
    values = form_values(staff, url)
    del values["trial_enabled"]
    assert staff.post(url, values).status_code == 302
    assert snapshot.refresh().terms("images").trial_grant.micros == 0


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("welcome_bonus", "-5", "must not be negative"),
        ("welcome_bonus", "lots", "plain decimal string"),
        ("welcome_bonus", "NaN", "plain decimal string"),
        ("topup_presets", "25, x", "plain decimal string"),
        ("hold_ttl", "1", "greater than or equal to 30"),
        ("other", '{"moon": 1}', "moon"),
        ("other", "{", "Enter a valid JSON"),
        ("other", "[1]", "Must be an object of terms"),
        ("cash_currency", "usd", "cash_currency"),
    ],
)
def test_a_bad_term_is_refused_with_a_reason(staff: Client, field: str, value: str, message: str) -> None:
    stored("ads")
    url = reverse("admin:catalog_profile_change", args=["ads"])
    response = staff.post(url, {**form_values(staff, url), field: value})
    assert response.status_code == 200
    assert message in str(response.context["adminform"].form.errors)
    assert Profile.objects.get(slug="ads").settings["welcome_bonus"] == "50"


def test_the_default_profile_is_replaced_and_never_only_taken_away(staff: Client) -> None:
    stored("ads")
    stored("images")
    url = reverse("admin:catalog_profile_change", args=["ads"])
    values = form_values(staff, url)
    del values["is_default"]
    response = staff.post(url, values)
    assert "make another one the default" in response.context["adminform"].form.errors["is_default"][0]
    assert snapshot.refresh().default_profile == "ads"
    other = reverse("admin:catalog_profile_change", args=["images"])
    assert staff.post(other, {**form_values(staff, other), "is_default": "on"}).status_code == 302
    assert snapshot.refresh().default_profile == "images"


def test_a_plan_is_edited_in_whole_units(staff: Client) -> None:
    stored("sites")
    plan = Plan.objects.get(profile="sites", slug="basic")
    url = reverse("admin:catalog_plan_change", args=[plan.pk])
    response = staff.post(url, {**form_values(staff, url), "price": "24.5"})
    assert response.status_code == 302, response.context["adminform"].form.errors
    plan.refresh_from_db()
    assert (plan.price, plan.credits) == (24_500_000, 1_500_000_000)


def test_a_plan_with_a_bad_limit_is_refused(staff: Client) -> None:
    stored("sites")
    plan = Plan.objects.get(profile="sites", slug="basic")
    url = reverse("admin:catalog_plan_change", args=[plan.pk])
    response = staff.post(url, {**form_values(staff, url), "monthly_limits": '{"full-sites": -2}'})
    assert "monthly_limits" in str(response.context["adminform"].form.errors)


def test_a_new_provider_cost_publishes_derived_rates(staff: Client) -> None:
    stored("toon")
    model = AIModel.objects.get(profile="toon", slug="midjourney-v7")
    url = reverse("admin:catalog_aimodel_change", args=[model.pk])
    assert staff.post(url, {**form_values(staff, url), "provider_cost": "0.2"}).status_code == 302
    book = snapshot.refresh().book("toon", now(), "metered")
    assert estimate(book, "midjourney-v7", "generate", {}).micros == 360_000


def test_a_provider_cost_that_cannot_be_followed_stays_as_it_was(staff: Client) -> None:
    stored("toon")
    model = AIModel.objects.get(profile="toon", slug="midjourney-v7")
    services.new_draft(PriceList.objects.get(slug="metered"))
    url = reverse("admin:catalog_aimodel_change", args=[model.pk])
    page = staff.post(url, {**form_values(staff, url), "provider_cost": "0.2", "name": "MJ 7"}, follow=True)
    assert "has an open draft; publish or delete it first." in page.content.decode()
    model.refresh_from_db()
    assert (model.name, model.provider_cost) == ("MJ 7", Decimal("0.18"))


def test_a_model_is_added_with_a_slug_that_stays(staff: Client) -> None:
    stored("toon")
    url = reverse("admin:catalog_aimodel_add")
    values = {"profile": "toon", "slug": "Flux_3", "name": "Flux 3", "position": "0", "active": "on"}
    assert "Lower-case letters" in str(staff.post(url, values).context["adminform"].form.errors)
    assert staff.post(url, {**values, "slug": "flux-3"}).status_code == 302
    model = AIModel.objects.get(slug="flux-3")
    page = staff.get(reverse("admin:catalog_aimodel_change", args=[model.pk]))
    assert 'name="slug"' not in page.content.decode()


def test_a_published_book_opens_for_reading_only(staff: Client) -> None:
    stored("ads")
    book = PriceBook.objects.get(price_list__profile="ads")
    url = reverse("admin:catalog_pricebook_change", args=[book.pk])
    assert staff.get(url).status_code == 200
    assert staff.post(url, {"note": "edited"}).status_code == 403


def test_a_draft_is_opened_and_deleted(staff: Client) -> None:
    stored("ads")
    book = PriceBook.objects.get(price_list__profile="ads")
    changelist = reverse("admin:catalog_pricebook_changelist")
    for _ in range(2):
        sent = {"action": "draft_from_this", "_selected_action": str(book.pk)}
        page = staff.post(changelist, sent, follow=True)
    assert "has an open draft; publish or delete it first." in page.content.decode()
    draft = PriceBook.objects.get(status="draft")
    assert draft.prices.count() == 2
    assert (
        staff.post(reverse("admin:catalog_pricebook_delete", args=[draft.pk]), {"post": "yes"}).status_code
        == 302
    )
    assert not PriceBook.objects.filter(status="draft").exists()
    assert (
        staff.post(reverse("admin:catalog_pricebook_delete", args=[book.pk]), {"post": "yes"}).status_code
        == 403
    )


def test_one_price_of_a_draft_is_edited_with_everything_that_belongs_to_it(staff: Client) -> None:
    stored("sites")
    draft = services.new_draft(PriceList.objects.get(profile="sites"))
    price = draft.prices.get(model__slug="flux-pro")
    url = reverse("admin:catalog_price_change", args=[price.pk])
    values = form_values(staff, url)
    wrong = {**values, "rules": '{"hold_ttl": "soon"}'}
    assert "hold_ttl" in str(staff.post(url, wrong).context["adminform"].form.errors)
    page = staff.post(url, {**values, "requires": "premium"})
    assert page["Location"] == reverse("admin:catalog_pricebook_prices", args=[draft.pk])
    assert draft.prices.get(pk=price.pk).requires == "premium"
    published = PriceBook.objects.get(price_list__profile="sites", version=1).prices.first()
    assert published is not None
    locked = reverse("admin:catalog_price_change", args=[published.pk])
    assert staff.post(locked, values).status_code == 403
