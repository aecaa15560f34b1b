"""Profile ``ads``, rule by rule: bonus, charge on acceptance, refunds, top-ups, the recharge's defaults, volume."""

import re

import pytest
from django.test import Client

from billing.ledger.models import Transaction
from billing.services import offers
from billing.services.offers import NewOffer
from catalog import snapshot
from tests.acceptance.conftest import CREDIT, Open, browser_of, page
from tests.acceptance.reading import body
from tests.acceptance.working import ask, balance, history, placed, read, standing
from tests.billing.api.conftest import Api

pytestmark = pytest.mark.usefixtures("together")


def test_a_credit_is_ten_cents(opened: Open) -> None:
    ann = opened("ads")
    assert standing(ann)["credit_price"] == {"amount": "0.1", "currency": "USD"}
    assert "1 credit is $0.10" in read(ann, "/pricing")
    assert "1 credit is $0.10" in body(page(Client(), "/pricing?profile=ads"))


def test_the_pricing_constants_are_on_the_balance(opened: Open) -> None:
    assert standing(opened("ads"))["pricing"] == {"static": "5", "full": "15"}


def test_the_products_say_what_they_are(opened: Open) -> None:
    models = {model["id"]: model["description"] for model in Api().get("/v1/pricing").body["models"]}
    assert models == {
        "static": "One static image, vertical 1080×1920 and square 1080×1350.",
        "full": "Static plus animated video, both aspect ratios.",
    }
    said = body(page(Client(), "/pricing?profile=ads"))
    assert "vertical 1080×1920 and square 1080×1350" in said
    assert "Static plus animated video, both aspect ratios" in said


def test_every_new_account_gets_fifty_credits_shown_as_bonus(opened: Open) -> None:
    ann = opened("ads")
    assert history(ann) == [("bonus", "50")]
    assert standing(ann)["balance"] == "50"
    assert "Bonus Welcome bonus – +50 50" in read(ann, "/transactions")


@pytest.mark.parametrize(("product", "often", "left"), [("static", 10, 0), ("full", 3, 5)])
def test_the_bonus_is_ten_static_or_three_full(
    opened: Open, service: Api, product: str, often: int, left: int
) -> None:
    ann = opened("ads")
    for _ in range(often):
        placed(service, ann, product)
    assert balance(ann) == left
    assert ask(service, ann, product).code == "insufficient_credits"


def test_credits_go_when_the_call_is_accepted(opened: Open, service: Api) -> None:
    ann = opened("ads")
    charge = placed(service, ann, "full")
    assert (charge["status"], charge["metadata"]["cost"], charge["hold"]) == ("settled", "15", "0")
    assert history(ann)[0] == ("usage", "-15")
    assert standing(ann)["held"] == "0"


def test_a_delivery_that_fails_comes_back_as_a_refund(opened: Open, service: Api) -> None:
    ann = opened("ads")
    charge = placed(service, ann, "full")
    reply = service.post(f"/v1/charges/{charge['id']}/refund", {"reason": "Delivery failed"})
    assert (reply.status, reply.body["status"]) == (200, "refunded")
    assert history(ann) == [("refund", "15"), ("usage", "-15"), ("bonus", "50")]
    assert "Refund" in read(ann, "/transactions")
    assert "+15 50" in read(ann, "/transactions")


@pytest.mark.parametrize(
    ("cash", "credits"), [("25", "250"), ("100", "1,000"), ("33.30", "333"), ("5.01", "50.1")]
)
def test_top_ups_are_linear(opened: Open, cash: str, credits: str) -> None:
    said = read(opened("ads"), f"/credits/quote?amount={cash}")
    assert f"Credits {credits} " in said, said


def test_auto_recharge_starts_from_twenty_credits_and_twenty_five_dollars(opened: Open) -> None:
    ann = opened("ads")
    settings = ann.api.get("/v1/auto-recharge").body
    assert (settings["enabled"], settings["threshold"], settings["amount"], settings["currency"]) == (
        False,
        "20",
        "25",
        "USD",
    )
    terms = snapshot.current().terms("ads")
    assert terms.auto_recharge is not None
    assert (terms.auto_recharge.threshold, terms.auto_recharge.amount) == (20 * CREDIT, 25 * CREDIT)
    html = page(browser_of(ann.account), "/auto-recharge")
    assert re.search(r'name="threshold"[^>]* value="20"', html)
    assert re.search(r'name="amount"[^>]* value="25(?:\.00)?"', html)


def test_without_a_card_too_few_credits_are_a_402(opened: Open, service: Api) -> None:
    reply = ask(service, opened("ads"), "static", count=11)
    assert (reply.status, reply.code) == (402, "insufficient_credits")
    assert (reply.body["required"], reply.body["available"], reply.body["unit"]) == ("55", "50", "credit")


def test_usage_is_paged(opened: Open, service: Api) -> None:
    ann = opened("ads")
    for _ in range(4):
        placed(service, ann, "static")
    first = ann.api.get("/v1/usage?limit=3").body
    rest = ann.api.get(f"/v1/usage?limit=3&cursor={first['next_cursor']}").body
    assert [len(part["data"]) for part in (first, rest)] == [3, 2]
    assert rest["next_cursor"] is None
    lines = first["data"] + rest["data"]
    assert [line["balance_after"] for line in lines] == ["30", "35", "40", "45", "50"]
    assert len({line["id"] for line in lines}) == Transaction.objects.filter(account=ann.account).count()


@pytest.mark.parametrize(
    ("committed", "cost"), [(10_000, "5"), (10_001, "4.5"), (60_000, "4"), (100_001, "3.5")]
)
def test_above_ten_thousand_ads_a_month_an_agreement_costs_less(
    opened: Open, service: Api, committed: int, cost: str
) -> None:
    """The tiers are the file's examples; where they begin is the source's."""
    big = opened("ads", credits=100)
    offers.make_offer(NewOffer(account=big.account, committed=committed), reason="Agreed", staff=None)
    charge = placed(service, big, "static")
    assert charge["metadata"]["cost"] == cost
    estimate = big.api.post("/v1/estimate", {"model": "static", "operation": "generate", "parameters": {}})
    assert estimate.body["cost_estimate"] == cost


def test_a_volume_offer_may_be_invoiced(opened: Open) -> None:
    assert "postpaid" in snapshot.current().terms("ads").modes
    assert opened("ads", mode="postpaid").account.mode == "postpaid"
