"""A sixth company, written from the guide alone: its file is loaded, read and charged like the bundled five."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from billing.throttle import throttle
from tests.acceptance.conftest import Open, browser_of, loaded, page
from tests.acceptance.reading import body, cells
from tests.acceptance.working import ask, balance, history, placed, read, settled, standing
from tests.billing.api.conftest import Api

FILE = settings.BASE_DIR / "docs" / "example-profile.toml"


@pytest.fixture(scope="module")
def atlas(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The sixth company beside one of the five."""
    with django_db_blocker.unblock(), loaded(str(FILE), "ads"):
        yield


@pytest.fixture(autouse=True)
def _atlas(atlas: None, db: None) -> None:
    throttle.clear()


def test_the_file_has_no_mistakes() -> None:
    told = io.StringIO()
    call_command("check_profile", str(FILE), stdout=told)
    assert told.getvalue().strip() == "example-profile.toml: 5 models, 8 prices, no mistakes."


CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("sketch", "generate", {}, "1.5"),
    ("sketch", "generate", {"pages": 7, "copies": 3}, "31.5"),
    ("sketch", "generate", {"pages": 3, "night": True}, "8.25"),  # (1.5 × 1.5 + 0.5) × 3
    ("sketch", "preview", {}, "0"),
    ("relief", "generate", {}, "3.2"),
    ("relief", "generate", {"resolution": "4K"}, "51.2"),
    ("relief", "generate", {"megapixels": 0.5}, "2"),  # 1.6, and 2 at least
    ("narrator", "describe", {}, "7"),
    ("narrator", "describe", {"tokens": 1237}, "4.3295"),
    ("narrator", "describe", {"tokens": 12}, "0.25"),
    ("flyover", "generate", {}, "20"),
    ("flyover", "generate", {"seconds": 12.5}, "43.75"),
    ("flyover", "generate", {"seconds": 6, "resolution": "4K"}, "66"),
    ("atlas", "survey", {}, "136.8"),  # 12.8 + 4 + 60 + 60 held for a second flight
]


@pytest.mark.parametrize(("model", "operation", "parameters", "cost"), CASES)
def test_what_it_sells_is_estimated_and_charged(
    opened: Open, service: Api, model: str, operation: str, parameters: dict[str, Any], cost: str
) -> None:
    payer = opened("atlas", plan="press", credits=1_000)
    charge = placed(service, payer, model, operation, **parameters)
    assert charge["metadata"]["cost_estimate"] == cost
    paid = settled(service, charge)["metadata"]["cost"]
    assert paid == ("76.8" if operation == "survey" else cost)
    assert history(payer)[0] == ("usage", "0" if paid == "0" else f"-{paid}")


def test_outputs_decide(opened: Open, service: Api) -> None:
    payer = opened("atlas", plan="press", credits=1_000)
    relief = placed(service, payer, "relief", resolution="4K")
    assert settled(service, relief, outputs={"megapixels": 12.25})["metadata"]["cost"] == "39.2"
    survey = placed(service, payer, "atlas", "survey")
    told = {"phases": {"relief": {"megapixels": 2}, "text": {"tokens": 900}, "flight": "failed"}}
    assert settled(service, survey, outputs=told)["metadata"]["cost"] == "8.2"


def test_its_own_rules_hold(opened: Open, service: Api) -> None:
    """Gates of plan and balance, a monthly count, a confirmation, a variant nobody offers."""
    hobby = opened("atlas")
    assert (hobby.account.plan, history(hobby)) == ("hobby", [("plan_grant", "40"), ("trial", "25")])
    assert "at least 100 credits" in ask(service, hobby, "relief").body["detail"]
    rich = opened("atlas", credits=1_000)
    assert ask(service, rich, "flyover", resolution="4K").code == "model_unavailable"
    assert ask(service, rich, "flyover", resolution="2K").code == "not_offered"
    placed(service, rich, "atlas", "survey")
    assert ask(service, rich, "atlas", "survey").code == "model_unavailable"
    press = opened("atlas", plan="press")
    assert ask(service, press, "atlas", "redraw-all").code == "confirmation_required"
    assert ask(service, press, "atlas", "redraw-all", confirm=True).status == 202


def test_pay_per_use_has_its_derived_rate_and_limit(opened: Open, service: Api) -> None:
    payer = opened("atlas", mode="metered")
    assert standing(payer)["spending_limit"]["limit"] == "40"
    assert settled(service, placed(service, payer, "sketch", pages=3))["metadata"]["cost"] == "0.075"
    assert balance(payer) < 0


def test_its_pages_say_it(opened: Open) -> None:
    own = cells(page(browser_of(opened("atlas").account), "/pricing"))
    assert own["Sketch", "Generate"] == "1.5 credits / page €0.03 night colors × 1.5 + 0.5"
    assert own["Flyover", "Generate"].endswith("short 4 long 3.5 4K 11 (Press)")
    assert "A line drawing of a place." in body(page(Client(), "/pricing"))
    said = read(opened("atlas", plan="press"), "/plan")
    assert "3,000 credits a month" in said
    assert "49.50" in said
