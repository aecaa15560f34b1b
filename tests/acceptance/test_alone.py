"""Each profile as the only one of its installation: what strangers read, and the first customer's first charge."""

from decimal import Decimal

import pytest
from django.test import Client

from billing.services.accounts import open_account
from billing.throttle import throttle
from tests.acceptance import ads, gateway, images, sites, toon
from tests.acceptance.conftest import browser_of, customer, page
from tests.acceptance.figures import Figure
from tests.acceptance.reading import body, cells
from tests.billing.api.conftest import Api

FIGURES: dict[str, list[Figure]] = {
    module.FIGURES[0].profile: module.FIGURES for module in (ads, images, toon, sites, gateway)
}


@pytest.fixture(autouse=True)
def _fresh(db: None) -> None:
    throttle.clear()


def test_strangers_read_every_price(alone: str) -> None:
    document = Api().get("/v1/pricing").body
    assert document["profile"] == alone
    names = {entry["id"]: entry["name"] for entry in document["models"]}
    operations = {entry["id"]: entry["name"] for entry in document["operations"]}
    read = cells(page(Client(), "/pricing"))
    assert len(read) >= len({(figure.model, figure.operation) for figure in FIGURES[alone]})
    for figure in FIGURES[alone]:
        assert figure.shown in read[names[figure.model], operations[figure.operation]], figure


def test_a_new_account_is_of_this_profile_and_is_charged(alone: str, service: Api) -> None:
    assert open_account(name="New", email="new@example.com").profile == alone
    figure = next(figure for figure in FIGURES[alone] if not figure.plan and figure.cost != "0")
    payer = customer(alone, credits=100)
    before = payer.api.get("/v1/balance").body["balance"]
    body_ = {
        "customer": payer.by_key,
        "model": figure.model,
        "operation": figure.operation,
        "parameters": dict(figure.parameters),
    }
    charge = service.post("/v1/charges", body_).body
    service.post(f"/v1/charges/{charge['id']}/settle", {})
    after = payer.api.get("/v1/balance").body["balance"]
    assert Decimal(before) - Decimal(after) == Decimal(figure.cost)
    assert "Usage" in body(page(browser_of(payer.account), "/transactions"))
