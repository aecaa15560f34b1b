"""Every figure of the five price lists, read through the API and a page and charged, all profiles side by side."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from tests.acceptance import ads, gateway, images, sites, toon
from tests.acceptance.conftest import PROFILES, browser_of, customer, page
from tests.acceptance.figures import Figure
from tests.acceptance.reading import cells, words
from tests.billing.api.conftest import Api, Payer

FIGURES: list[Figure] = [
    *ads.FIGURES,
    *images.FIGURES,
    *toon.FIGURES,
    *sites.FIGURES,
    *gateway.FIGURES,
]
TOP_PLAN = {"toon": "business", "sites": "premium"}
Document = dict[str, Any]
each = pytest.mark.parametrize("figure", FIGURES, ids=str)


@dataclass(frozen=True)
class Member:
    """An account that may use everything and has enough, with its owner's browser and pricing page."""

    payer: Payer
    browser: Client
    prices: dict[tuple[str, str], str]


@pytest.fixture(scope="module")
def price_lists(installed: None) -> dict[str, Document]:
    """The public price list of each profile."""
    return {profile: dict(Api().get(f"/v1/pricing?profile={profile}").body) for profile in PROFILES}


@pytest.fixture(scope="module")
def members(installed: None) -> dict[tuple[str, str], Member]:
    """One for each profile and mode."""
    return {key: _member(*key) for key in {(figure.profile, figure.mode) for figure in FIGURES}}


def _member(profile: str, mode: str) -> Member:
    funds = 0 if mode == "metered" else 9_000
    payer = customer(profile, credits=funds, plan=TOP_PLAN.get(profile), mode=mode or None)
    browser = browser_of(payer.account)
    return Member(payer, browser, cells(page(browser, "/pricing")))


@pytest.fixture
def member(together: None, members: dict[tuple[str, str], Member], figure: Figure) -> Member:
    return members[figure.profile, figure.mode]


def offer(document: Document, figure: Figure) -> tuple[str, Document]:
    """The model's name, and the operation of ``/v1/pricing`` that a figure is about."""
    model = next(entry for entry in document["models"] if entry["id"] == figure.model)
    return model["name"], next(
        entry
        for entry in model["operations"]
        if entry["operation"] == figure.operation and (not figure.mode or figure.mode in entry["modes"])
    )


def ask(figure: Figure) -> Document:
    return {"model": figure.model, "operation": figure.operation, "parameters": dict(figure.parameters)}


@each
def test_the_price_list_says_it(price_lists: dict[str, Document], figure: Figure) -> None:
    _, listed = offer(price_lists[figure.profile], figure)
    if figure.option:
        option = next(entry for entry in listed["modifiers"] if entry["name"] == figure.option)
        assert option.get("price", option.get("times")) == figure.price
        required = option["requires"] or listed["requires"]
    else:
        assert listed["price"] == figure.price
        required = listed["requires"]
    assert listed["per"] == figure.per
    assert (required["plan"] if required else "") == figure.plan
    assert listed["free"] is (figure.cost == "0")


@each
def test_the_account_s_pricing_page_says_it(
    price_lists: dict[str, Document], members: dict[tuple[str, str], Member], figure: Figure
) -> None:
    member = members[figure.profile, figure.mode]
    model, listed = offer(price_lists[figure.profile], figure)
    assert figure.shown in member.prices[model, listed["name"]]


@each
def test_an_estimate_says_it(member: Member, figure: Figure) -> None:
    body = member.payer.api.post("/v1/estimate", ask(figure)).body
    assert body["cost_estimate"] == figure.cost
    assert sum(Decimal(line["amount"]) for line in body["lines"]) == Decimal(figure.cost)
    if figure.low:
        assert body["range"] == {"low": figure.low, "high": figure.high}
    assert body["closed"] is None


@each
def test_it_is_charged(member: Member, service: Api, figure: Figure) -> None:
    """Authorized, settled as asked for, and found on the balance, in the history, and on the customer's pages."""
    payer = member.payer
    before = payer.api.get("/v1/balance").body
    placed = service.post("/v1/charges", {"customer": payer.by_key, "confirm": True} | ask(figure))
    assert placed.status == 202, placed.body
    assert placed.body["metadata"]["cost_estimate"] == figure.cost
    if placed.body["status"] == "authorized":
        assert Decimal(before["available"]) - Decimal(placed.body["available"]) == Decimal(figure.cost)
        settled = service.post(f"/v1/charges/{placed.body['id']}/settle", {}).body
        assert (settled["status"], settled["metadata"]["cost"]) == ("settled", figure.cost)
    after = payer.api.get("/v1/balance").body
    assert Decimal(before["balance"]) - Decimal(after["balance"]) == Decimal(figure.cost)
    assert after["held"] == "0"
    line = payer.api.get("/v1/usage?type=usage").body["data"][0]
    assert Decimal(line["amount"]) == -Decimal(figure.cost)
    assert (line["charge"], line["model"]) == (placed.body["id"], figure.model)
    assert line["balance_after"] == after["balance"]
    assert _written(figure) in words(page(member.browser, f"/transactions/{line['id']}"))


def _written(figure: Figure) -> str:
    """The cost as pages write it: grouped, and in currencies with at least two decimals."""
    whole, _, fraction = figure.cost.partition(".")
    in_credits = figure.profile in {"ads", "sites"} or figure.mode == "subscription"
    return f"{int(whole):,}" + (f".{fraction if in_credits else fraction.ljust(2, '0')}" if fraction else "")


@pytest.mark.parametrize("profile", PROFILES)
def test_anybody_reads_them_by_the_profile_s_name(
    together: None, price_lists: dict[str, Document], profile: str
) -> None:
    read = cells(page(Client(), f"/pricing?profile={profile}"))
    for figure in (figure for figure in FIGURES if figure.profile == profile):
        model, listed = offer(price_lists[profile], figure)
        assert figure.shown in read[model, listed["name"]], figure
