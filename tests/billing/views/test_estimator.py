"""The estimator: inputs made from the price list, and what one request would cost, live or by the button."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.ledger.models import Charge, Transaction
from billing.services import offers
from billing.services.accounts import open_account
from billing.services.offers import NewOffer, Tier
from catalog import snapshot
from catalog.models import AIModel, PriceBook
from tests import price_lists
from tests.billing.views.conftest import SignIn
from tests.billing.views.test_pricing import words


@pytest.fixture
def sites(ads: None) -> None:
    price_lists.load("sites")
    snapshot.refresh()


@pytest.fixture
def toon(ads: None) -> None:
    price_lists.load("toon")
    snapshot.refresh()


def said(client: Client, query: str = "") -> str:
    reply = client.get(f"/pricing/estimate{query}")
    assert reply.status_code == 200
    return words(reply.content.decode())


def test_anybody_may_estimate(ads: None, client: Client) -> None:
    page = said(client, "?model=static&p_count=3")
    assert "15 credits" in page
    assert "$1.50" in page
    assert "You could have it now" not in page


def test_a_member_hears_what_would_be_left(account: BillingAccount, browser: Client) -> None:
    before = Transaction.objects.count()
    assert "You could have it now; 35 credits would be left" in said(browser, "?model=static&p_count=3")
    assert "not enough" in said(browser, "?model=static&p_count=11")
    assert (Transaction.objects.count(), Charge.objects.count()) == (before, 0)


def test_the_inputs_are_those_of_the_operation(sites: None, client: Client) -> None:
    html = client.get("/pricing/estimate?profile=sites&model=veo-3-1").content.decode()
    assert re.findall(r'name="p_(\w+)"', html) == ["resolution", "seconds", "queue"] or {
        "seconds",
        "queue",
    } <= set(re.findall(r'name="p_(\w+)"', html))
    assert "relaxed" in html
    page = said(client, "?profile=sites&model=veo-3-1&p_seconds=8&p_queue=standard")
    assert "256 credits" in page


def test_a_pipeline_shows_a_line_per_phase_and_a_range(sites: None, client: Client) -> None:
    page = said(client, "?profile=sites&model=site&operation=generate")
    assert "400 to 600 credits" in page
    for phase in ("Hero image HD", "Motion video", "HTML assembly", "Frame extraction"):
        assert phase in page


def test_what_is_switched_off_is_no_choice(sites: None, client: Client) -> None:
    AIModel.objects.filter(profile="sites", slug="veo-3-1").update(active=False)
    snapshot.refresh()
    html = client.get("/pricing/estimate?profile=sites&model=site&operation=generate").content.decode()
    assert '<option value="veo-3-1"' not in html
    assert '<option value="generate"' not in html
    assert '<option value="frame-extraction"' in html


def test_free_is_said(sites: None, client: Client) -> None:
    assert "Free" in said(client, "?profile=sites&model=site&operation=inline-text-edit")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("?model=static&p_count=0", "whole number from 1 to 500"),
        ("?model=static&p_count=many", "Enter a number"),
        ("?model=static&p_count=NaN", "Enter a number"),
        ("?model=static&p_count=1.5", "whole number"),
        ("?model=static&p_count=9999999999999999999", "whole number"),
    ],
)
def test_what_was_typed_wrong_is_kept_and_named(ads: None, client: Client, query: str, problem: str) -> None:
    html = client.get(f"/pricing/estimate{query}").content.decode()
    assert problem in words(html)
    assert f'value="{query.rpartition("=")[2]}"' in html


@pytest.mark.parametrize(
    "query", ["?model=nobody&operation=%00", "?p_strange=1", "?list=nothing", "?profile="]
)
def test_nonsense_shows_the_first_item(ads: None, client: Client, query: str) -> None:
    assert "5 credits" in said(client, query)


@pytest.mark.parametrize("count", ["1e9999999", "1e999999999999", "1e-999999999", "0e999999999", "1e400000"])
def test_a_number_too_long_to_write_out_is_no_number(ads: None, client: Client, count: str) -> None:
    assert "Enter a number." in said(client, f"?model=static&p_count={count}")


def test_there_is_no_such_list(ads: None, client: Client) -> None:
    assert client.get("/pricing/estimate?profile=nobody").status_code == 404


def test_anybody_chooses_the_way_to_pay(toon: None, client: Client) -> None:
    assert "$0.072" in said(client, "?profile=toon&list=metered&model=nano-banana-2") or "0.072" in said(
        client, "?profile=toon&list=pay-per-use&model=nano-banana-2"
    )
    assert "2 credits" in said(client, "?profile=toon&model=nano-banana-2&operation=relight")


def test_a_closed_gate_says_what_opens_it(sites: None, sign_in: SignIn) -> None:
    account = open_account(name="Ben", email="ben@example.com", profile="sites", plan="basic")
    page = said(sign_in(account, "viewer"), "?model=flux-pro")
    assert "needs the Pro plan or above; this account is on Basic" in page
    assert "Compare plans" in page


def test_htmx_gets_the_outcome_or_the_form_alone(ads: None, client: Client) -> None:
    headers = {"HX-Request": "true", "HX-Target": "estimate-outcome"}
    html = client.get("/pricing/estimate?model=full", headers=headers).content.decode()
    assert "15 credits" in words(html)
    assert "<form" not in html
    headers["HX-Target"] = "estimate"
    html = client.get("/pricing/estimate?model=full", headers=headers).content.decode()
    assert "<form" in html
    assert "<html" not in html


def test_the_body_is_what_the_api_takes(ads: None, client: Client) -> None:
    html = client.get("/pricing/estimate?model=static&p_count=3").content.decode()
    assert "{&quot;model&quot;:&quot;static&quot;,&quot;operation&quot;:&quot;generate&quot;" in html
    assert "&quot;count&quot;:3" in html


def test_what_was_agreed_is_on_the_lines_and_the_list(account: BillingAccount, browser: Client) -> None:
    offers.make_offer(
        NewOffer(account=account, name="Friends", tiers=[Tier(0, percent=Decimal(10))]),
        reason="x",
        staff=None,
    )
    book = PriceBook.objects.get(price_list__profile_id="ads")
    offers.keep_prices(account, book, now() + timedelta(days=400), reason="x", staff=None)
    snapshot.refresh()
    assert "4.5 credits" in said(browser, "?model=static")
    assert "Friends" in said(browser, "?model=static")
    listed = words(browser.get("/pricing").content.decode())
    assert "Agreed with you" in listed
    assert "Friends" in listed
    assert "10% off" in listed
    assert "Your prices stay as they are" in listed
    assert re.search(r"instead of 5 4.5 credits", listed), listed
