"""The public price document: the shape the API promises, for everybody and for one account."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.timezone import now

from catalog import services, snapshot
from catalog.models import AIModel, Operation
from catalog.pricing.types import Discount
from catalog.selectors import default_profile, public_pricing
from tests import price_lists

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _stored() -> None:
    price_lists.load("ads", "images", "toon", "sites", "gateway")


def operation(document: dict[str, Any], model: str, name: str) -> dict[str, Any]:
    found = [m for m in document["models"] if m["id"] == model]
    return next(o for o in found[0]["operations"] if o["operation"] == name)


def test_ads_shows_its_two_products() -> None:
    document = public_pricing("ads")
    assert (document["unit"], document["approximate"]) == ("credit", False)
    assert [
        (m["id"], m["name"], o["operation"], o["price"], o["per"], o["requires"])
        for m in document["models"]
        for o in m["operations"]
    ] == [
        ("static", "Static", "generate", "5", "request", None),
        ("full", "Full", "generate", "15", "request", None),
    ]


def test_without_a_mode_every_list_is_shown_in_its_own_unit() -> None:
    document = public_pricing("toon")
    assert document["unit"] == "credit"
    assert operation(document, "seedream-4-5", "relight")["unit"] == "credit"
    assert operation(document, "seedream-4-5", "generate")["price"] == "0.061"
    assert operation(document, "seedream-4-5", "generate")["unit"] == "USD"


def test_a_mode_narrows_to_what_it_pays() -> None:
    document = public_pricing("toon", mode="metered")
    assert document["unit"] == "USD"
    assert {o["operation"] for m in document["models"] for o in m["operations"]} == {"generate"}
    assert len(document["models"]) == 15


def test_gates_say_which_plan_opens_them() -> None:
    document = public_pricing("sites")
    assert operation(document, "flux-pro", "generate")["requires"] == {
        "plan": "pro",
        "label": "Pro+",
        "met": False,
    }
    assert operation(document, "nano-banana-pro", "generate")["requires"]["label"] == "Premium"
    assert operation(public_pricing("sites", plan="pro"), "flux-pro", "generate")["requires"]["met"] is True


def test_a_plan_may_leave_out_what_it_does_not_open() -> None:
    document = public_pricing("sites", plan="basic", only_available=True)
    assert "nano-banana-pro" not in [m["id"] for m in document["models"]]
    assert operation(document, "seedream-4-5", "generate")["modifiers"] == []
    assert {m["name"] for m in operation(document, "veo-3-1", "generate")["modifiers"]} == {
        "standard queue",
        "relaxed queue",
    }


def test_variants_modifiers_phases_and_free_things_are_spelled_out() -> None:
    document = public_pricing("sites")
    video = operation(document, "veo-3-1", "generate")
    assert (video["price"], video["per"]) == ("32", "second")
    assert {m["name"]: m["price"] for m in video["modifiers"]} == {
        "standard queue": "32",
        "relaxed queue": "18.75",
        "HD queue 1080p": "85",
        "2K": "64",
        "4K": "128",
    }
    assert operation(document, "seedream-4-5", "generate")["modifiers"][0]["times"] == "2"
    site = operation(document, "site", "generate")
    assert site["range"] == {"low": "400", "high": "600"}
    assert [(p["id"], p["estimate"]) for p in site["phases"]][:4] == [
        ("hero-image", "60"),
        ("motion-video", "256"),
        ("html-assembly", "8"),
        ("frame-extraction", "0"),
    ]
    assert site["monthly_limit"]["plans"]["basic"] == 2
    free = [o["operation"] for m in document["models"] for o in m["operations"] if o["free"]]
    assert len(free) == 7
    assert all(operation(document, "site", name)["price"] == "0" for name in free)
    assert operation(document, "site", "full-regeneration")["confirmation"] is True


def test_images_are_approximate_and_say_from_which_balance_they_are_open() -> None:
    document = public_pricing("images")
    assert document["approximate"] is True
    assert operation(document, "sdxl", "generate")["available_from"] == "0.01"
    assert operation(document, "nano-banana-pro", "generate")["available_from"] == "0.5"


def test_an_agreed_price_is_shown_in_place_of_the_listed_one() -> None:
    offer = Discount(label="Agreed", price=Decimal("4.5"), models=frozenset({"static"}))
    assert operation(public_pricing("ads", discounts=[offer]), "static", "generate")["price"] == "4.5"


def test_what_is_switched_off_is_not_shown() -> None:
    AIModel.objects.filter(profile="ads", slug="full").update(active=False)
    Operation.objects.filter(profile="toon", slug="relight").update(active=False)
    snapshot.refresh()
    assert [m["id"] for m in public_pricing("ads")["models"]] == ["static"]
    before = public_pricing("ads", at=now() - timedelta(days=1))
    assert [m["id"] for m in before["models"]] == ["static", "full"]
    document = public_pricing("toon")
    assert "relight" not in {o["operation"] for m in document["models"] for o in m["operations"]}
    assert "relight" not in {o["id"] for o in document["operations"]}


def test_a_pipeline_is_not_shown_while_what_it_uses_is_switched_off() -> None:
    assert operation(public_pricing("sites"), "site", "generate")["phases"]
    AIModel.objects.filter(profile="sites", slug="veo-3-1").update(active=False)
    snapshot.refresh()
    document = public_pricing("sites")
    assert "generate" not in {
        entry["operation"]
        for model in document["models"]
        if model["id"] == "site"
        for entry in model["operations"]
    }
    assert "generate" in {entry["id"] for entry in document["operations"]}


def test_a_headline_of_what_is_switched_off_is_no_constant() -> None:
    AIModel.objects.filter(profile="ads", slug="full").update(active=False)
    assert snapshot.refresh().headline("ads") == {"static": "5"}


def test_the_version_stays_until_something_changes() -> None:
    first = public_pricing("ads")["version"]
    assert public_pricing("ads")["version"] == first
    assert public_pricing("ads", mode="prepaid")["version"] != first
    services.change_provider_cost(_any_model(), Decimal(1))
    assert public_pricing("ads")["version"] != first


def test_the_first_profile_is_the_default() -> None:
    assert default_profile() == "ads"


def _any_model() -> Any:
    return AIModel.objects.filter(profile="ads").first()
