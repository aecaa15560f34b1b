"""What the profiles promise of payments, paid at a stand-in for Stripe: top-ups, the clock, tax, recharging in a request."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import BillingAccount
from billing.ledger import grants
from billing.ledger.models import Grant
from billing.models import Payment
from billing.services import auto_recharge, topups
from billing.services.validity import add_months
from catalog.pricing.units import Amount
from tests.acceptance.conftest import CREDIT, Open
from tests.acceptance.working import ask, balance, history, placed, read, standing
from tests.billing.api.conftest import Api, Payer
from tests.billing.conftest import checked_stripe, clean_stripe, payments_at, stripe_simulator
from tests.billing.paying import DECLINED_LATER, OK, save_card
from tests.stripe_simulator.fixtures import Simulator

__all__ = ["checked_stripe", "clean_stripe", "payments_at", "stripe_simulator"]
pytestmark = pytest.mark.usefixtures("together")


def pay(payer: Payer, simulator: Simulator, amount: str, currency: str) -> Payment:
    """Top up through the API, on the payment page."""
    reply = payer.api.post("/v1/topups", {"amount": amount, "currency": currency})
    assert reply.status == 200, reply.body
    simulator.pay(reply.body["checkout_url"], country="DE", postal_code="10115")
    return topups.complete(Payment.objects.filter(account=payer.account).latest("created_at").pk)


@pytest.mark.parametrize(("amount", "credits"), [("25", "250"), ("100", "1000"), ("33.33", "333.3")])
def test_ads_sells_credits_linearly(opened: Open, payments_at: Simulator, amount: str, credits: str) -> None:
    ann = opened("ads")
    assert pay(ann, payments_at, amount, "USD").status == "succeeded"
    assert history(ann)[0] == ("topup", credits)
    assert balance(ann) == 50 + Decimal(credits)
    assert "Top-up" in read(ann, "/transactions")


def ready(opened: Open, simulator: Simulator, card: str = OK) -> Payer:
    """50 credits, a card, and auto-recharge as the profile starts it."""
    ann = opened("ads")
    save_card(ann.account, simulator, card)
    usual = ann.api.get("/v1/auto-recharge").body
    wanted = {
        "enabled": True,
        "threshold": usual["threshold"],
        "amount": usual["amount"],
        "monthly_cap": None,
    }
    assert ann.api.put("/v1/auto-recharge", wanted).status == 200
    return ann


def test_ads_recharges_below_twenty_and_not_at_twenty(
    opened: Open, service: Api, payments_at: Simulator
) -> None:
    """It runs before the next request is processed: at 20 nothing happens, below it 25.00 USD bring 250 credits."""
    ann = ready(opened, payments_at)
    placed(service, ann, "full", count=2)
    placed(service, ann, "static")
    assert "auto_recharge" not in [kind for kind, _ in history(ann)]
    assert balance(ann) == 15
    placed(service, ann, "static")
    assert history(ann)[:2] == [("usage", "-5"), ("auto_recharge", "250")]
    assert balance(ann) == 260
    assert Payment.objects.get(account=ann.account).cash_minor == 2500


def test_ads_recharges_inside_a_request_that_finds_too_few(
    opened: Open, service: Api, payments_at: Simulator
) -> None:
    ann = ready(opened, payments_at)
    charge = placed(service, ann, "full", count=10)
    assert (charge["metadata"]["cost"], balance(ann)) == ("150", Decimal(150))


def test_ads_answers_402_where_the_recharge_fails(opened: Open, service: Api, payments_at: Simulator) -> None:
    ann = ready(opened, payments_at, DECLINED_LATER)
    reply = ask(service, ann, "full", count=10)
    assert (reply.status, reply.code) == (402, "insufficient_credits")
    assert balance(ann) == 50


def ends(account: BillingAccount) -> set[datetime | None]:
    return set(Grant.objects.filter(account=account, is_spent=False).values_list("expires_at", flat=True))


def test_images_lasts_twelve_months_from_the_last_paid_top_up(opened: Open, payments_at: Simulator) -> None:
    """Another paid one moves the clock for everything; trial and admin grants never do."""
    eva = opened("images")
    assert ends(eva.account) == {None}
    pay(eva, payments_at, "20", "EUR")
    (first,) = ends(eva.account)
    assert first is not None
    assert abs(first - add_months(datetime.now(UTC), 12)) < timedelta(minutes=2)
    grants.add(
        account_id=eva.account.pk,
        micros=5 * CREDIT,
        source="admin",
        kind="adjustment",
        description="A gift",
        key="gift",
    )
    assert first in ends(eva.account)
    pay(eva, payments_at, "5", "EUR")
    (second,) = ends(eva.account)
    assert second is not None
    assert second > first
    shown = {entry["expires_at"] for entry in standing(eva)["grants"]}
    assert len(shown) == 1
    assert f"{second:%Y}" in read(eva, "/credits")


def test_images_adds_tax_that_is_not_credited(opened: Open, payments_at: Simulator) -> None:
    eva = opened("images")
    payment = pay(eva, payments_at, "20", "EUR")
    assert (payment.status, payment.credits) == ("succeeded", 20 * CREDIT)
    assert history(eva)[0] == ("topup", "20")
    assert payment.tax_minor > 0


def test_gateway_tops_up_by_itself_too(opened: Open, service: Api, payments_at: Simulator) -> None:
    payer = opened("gateway", credits=11)
    save_card(payer.account, payments_at)
    auto_recharge.configure(
        account=payer.account,
        enabled=True,
        threshold=10 * CREDIT,
        amount=Amount(50 * CREDIT, "USD"),
        monthly_cap=None,
    )
    placed(service, payer, "veo-3-1", seconds=60, audio=True)
    assert ("auto_recharge", "50") in history(payer)
