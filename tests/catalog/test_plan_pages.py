"""Plans edited together; what was granted or charged is never touched by it."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from catalog import services, snapshot
from catalog.models import Plan
from tests.catalog.conftest import bundled

pytestmark = pytest.mark.django_db
ALL = ["ads", "images", "toon", "sites", "gateway"]


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("staff@example.com", "long-enough-password"))
    return client


def url(profile: str) -> str:
    return reverse("admin:catalog_profile_plans", args=[profile])


def typed(staff: Client, profile: str) -> dict[str, str]:
    """What a browser would send back unchanged."""
    text = staff.get(url(profile)).content.decode()
    values = {}
    for tag in re.findall(r"<input[^>]*>", text):
        name, value = re.search(r'name="([^"]+)"', tag), re.search(r' value="([^"]*)"', tag)
        if name and ('type="checkbox"' not in tag or " checked" in tag):
            values[unescape(name.group(1))] = unescape(value.group(1)) if value else "on"
    for name_, value_ in re.findall(r'<textarea name="([^"]+)"[^>]*>([^<]*)</textarea>', text):
        values[unescape(name_)] = unescape(value_)
    return values


@pytest.mark.parametrize("profile", ALL)
def test_saving_unchanged_changes_nothing(staff: Client, profile: str) -> None:
    services.store_profile(bundled(profile))
    answer = staff.post(url(profile), typed(staff, profile))
    assert answer.status_code == 302, answer.content.decode()
    assert services.pending_changes(bundled(profile)) == []


def test_plans_are_edited_added_ordered_and_taken_off_the_offer(staff: Client) -> None:
    services.store_profile(bundled("toon"))
    values = typed(staff, "toon")
    del values["business-active"]
    changes = {
        "starter-price": "17.5", "starter-credits": "120", "starter-key_slots": "",
        "starter-features": "120 credits a month\n\n Any number of API keys ",
        "pro-rank": "4", "business-rank": "9", "starter-trial_days": "14",
        "new-slug": "team", "new-name": "Team", "new-price": "59", "new-credits": "500", "new-rank": "3",
        "new-active": "on",
    }  # fmt: skip
    assert staff.post(url("toon"), {**values, **changes}).status_code == 302
    plans = {plan.slug: plan for plan in snapshot.refresh().terms("toon").plans}
    starter = plans["starter"]
    assert (starter.price, starter.credits, starter.key_slots, starter.trial_days) == (
        17_500_000,
        120_000_000,
        None,
        14,
    )
    assert starter.features == ("120 credits a month", "Any number of API keys")
    assert [plan.slug for plan in sorted(plans.values(), key=lambda p: p.rank) if plan.active] == [
        "free", "starter", "team", "pro",
    ]  # fmt: skip
    assert not plans["business"].active


def test_monthly_counts_are_typed_by_name(staff: Client) -> None:
    services.store_profile(bundled("sites"))
    assert (
        staff.post(url("sites"), {**typed(staff, "sites"), "basic-limit:full-sites": "3"}).status_code == 302
    )
    assert Plan.objects.get(slug="basic").monthly_limits == {"full-sites": 3}
    page = staff.get(url("sites")).content.decode()
    assert "Flux Pro" in page, "what each plan opens is shown"


def test_every_mistake_stands_at_its_field_and_nothing_is_saved(staff: Client) -> None:
    services.store_profile(bundled("toon"))
    values = typed(staff, "toon")
    del values["free-active"]
    wrong = {
        "starter-price": "-1", "pro-credits": "many", "pro-key_slots": "2.5", "business-name": "",
        "starter-rank": "2", "new-slug": "Big Plan", "new-name": "Big", "new-active": "on", "new-rank": "8",
    }  # fmt: skip
    answer = staff.post(url("toon"), {**values, **wrong})
    assert answer.status_code == 422
    page = unescape(answer.content.decode())
    for message in (
        "Must not be negative.", "Must be a number", "Must be a whole number.", "String should have at least 1",
        "New accounts start on it", "Must be lower-case letters, digits and hyphens.",
    ):  # fmt: skip
        assert message in page, message
    assert 'value="many"' in page
    assert services.pending_changes(bundled("toon")) == []


def test_two_plans_do_not_share_a_place(staff: Client) -> None:
    services.store_profile(bundled("toon"))
    page = staff.post(url("toon"), {**typed(staff, "toon"), "pro-rank": "1"}).content.decode()
    assert "Starter has this place already." in page


def test_a_plan_is_not_added_over_another(staff: Client) -> None:
    services.store_profile(bundled("toon"))
    sent = {**typed(staff, "toon"), "new-slug": "pro", "new-name": "Pro again"}
    assert "There is a plan of this name already." in staff.post(url("toon"), sent).content.decode()
    assert Plan.objects.get(profile="toon", slug="pro").name == "Pro"
