"""Adding credits: the live total, paying with a card or on the payment page, coming back."""

import re
import uuid

import pytest
from django.test import Client

from accounts.models import BillingAccount, Role
from billing.models import Payment
from billing.services import payments
from tests.billing import paying
from tests.billing.views.conftest import SignIn
from tests.stripe_simulator.fixtures import Simulator

HTMX = {"HTTP_HX_REQUEST": "true"}


def order(amount: str = "", **fields: str) -> dict[str, str]:
    """A form as a browser sends it, its button naming the amount that is paid."""
    shown = {"shown": amount or "25", "request_key": str(uuid.uuid4())}
    return {"preset": "" if amount else "25000000", "amount": amount, "method": "checkout"} | shown | fields


def test_the_page_offers_presets_and_names_the_price(browser: Client) -> None:
    html = browser.get("/credits/add").content.decode()
    assert re.search(r'value="25000000" checked', html)
    assert "Pay $25.00" in html
    assert '<dt>Credits</dt><dd><span class="money">250</span></dd>' in html


def test_htmx_gets_the_same_as_a_dialog(browser: Client) -> None:
    html = browser.get("/credits/add", **HTMX).content.decode()  # type: ignore[arg-type]
    assert "<dialog" in html
    assert "<html" not in html


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("amount=60", "Pay $60.00"),
        ("amount=1,000", "Pay $1,000.00"),
        ("amount=$12.50", "Pay $12.50"),
        ("preset=100000000", "Pay $100.00"),
        ("amount=4.99", "Choose an amount from $5 to $10,000."),
        ("amount=NaN", "Choose an amount to see what it buys."),
        ("amount=1e3", "Choose an amount to see what it buys."),
        ("amount=%00", "Choose an amount to see what it buys."),
        ("amount=-50", "Choose an amount to see what it buys."),
        ("amount=٥٠", "Choose an amount to see what it buys."),
        ("preset=1", "Choose an amount to see what it buys."),
    ],
)
def test_the_total_follows_what_is_typed(browser: Client, query: str, says: str) -> None:
    html = browser.get(f"/credits/quote?{query}").content.decode()
    assert says in re.sub(r"<[^>]+>", "", html)


def test_the_amount_paid_is_the_amount_the_button_named(browser: Client) -> None:
    response = browser.post("/credits/add", order("60", shown="25"))
    assert response.status_code == 200
    html = response.content.decode()
    assert "The amount has changed." in html
    assert "Pay $60.00" in html
    assert not Payment.objects.exists()


@pytest.mark.parametrize("amount", ["4", "20000", "abc", "7.001"])
def test_a_wrong_amount_is_kept_and_explained(browser: Client, amount: str) -> None:
    response = browser.post("/credits/add", order(amount))
    assert response.status_code == 422
    html = response.content.decode()
    assert f'value="{amount}"' in html
    assert 'aria-invalid="true"' in html
    assert not Payment.objects.exists()


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
@pytest.mark.parametrize("path", ["/credits/add", "/credits/quote"])
def test_who_may_not_pay_is_told_who_can(
    account: BillingAccount, sign_in: SignIn, role: str, path: str
) -> None:
    assert sign_in(account, role).get(path).status_code == 403


def test_a_payment_page_opens(payments_at: Simulator, browser: Client) -> None:
    response = browser.post("/credits/add", order("60"))
    assert response.status_code == 302
    assert response["Location"].startswith(payments_at.base_url)
    payment = Payment.objects.get()
    assert (payment.cash_minor, payment.status) == (6000, "submitted")


def test_htmx_moves_the_whole_page_there(payments_at: Simulator, browser: Client) -> None:
    response = browser.post("/credits/add", order("60"), **HTMX)  # type: ignore[arg-type]
    assert response["HX-Redirect"].startswith(payments_at.base_url)


def test_the_same_form_sent_twice_is_one_payment(payments_at: Simulator, browser: Client) -> None:
    form = order("60")
    first, second = browser.post("/credits/add", form), browser.post("/credits/add", form)
    assert first["Location"] == second["Location"]
    assert Payment.objects.count() == 1


def test_each_form_has_its_own_key(browser: Client) -> None:
    def key_in(html: str) -> str:
        return str(re.findall(r'name="request_key" value="([^"]+)"', html)[0])

    pages = [browser.get("/credits/add").content.decode() for _ in range(2)]
    assert key_in(pages[0]) != key_in(pages[1])


def test_a_saved_card_pays_at_once(payments_at: Simulator, account: BillingAccount, browser: Client) -> None:
    paying.save_card(account, payments_at)
    html = browser.get("/credits/add").content.decode()
    card = re.findall(r'value="(pm_[0-9a-f]{32})" checked', html)[0]
    response = browser.post("/credits/add", order("60", method=card), follow=True)
    assert "600 credits added." in response.content.decode().replace("\xa0", " ")
    assert paying.credits(account) == 650


def test_a_decline_keeps_the_amount_says_why_and_gives_a_new_key(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    paying.save_card(account, payments_at, paying.DECLINED_LATER)
    html = browser.get("/credits/add").content.decode()
    card = re.findall(r'value="(pm_[0-9a-f]{32})" checked', html)[0]
    form = order("60", method=card)
    response = browser.post("/credits/add", form)
    assert response.status_code == 422
    html = response.content.decode()
    assert "The payment did not go through." in html
    assert "declined" in html
    assert 'value="60"' in html
    assert form["request_key"] not in html
    assert paying.credits(account) == 50


def test_somebody_else_s_card_is_not_a_choice(
    payments_at: Simulator, stranger: BillingAccount, account: BillingAccount, browser: Client
) -> None:
    paying.save_card(stranger, payments_at)
    theirs = stranger.payment_methods.get()
    response = browser.post("/credits/add", order("60", method=theirs.public_id))
    assert response.status_code == 422
    assert not Payment.objects.exists()


def test_the_return_page_credits_nothing_unpaid_and_keeps_asking(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    payment = paying.start(account)
    html = browser.get(f"/credits/return?payment={payment.public_id}").content.decode()
    assert "Confirming payment…" in html
    assert 'hx-trigger="load delay:2s"' in html
    assert '<meta http-equiv="refresh"' in html
    assert paying.credits(account) == 50


def test_it_stops_asking_after_a_minute(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    payment = paying.start(account)
    asked = f"/credits/return/status?payment={payment.public_id}&polls="
    assert "polls=29" in browser.get(f"{asked}28").content.decode()
    last = browser.get(f"{asked}29").content.decode()
    assert "credits usually appear within a minute" in last
    assert "hx-trigger" not in last


def test_it_shows_the_credits_once_paid(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    payment = paying.start(account)
    payments_at.pay(payment.checkout_url)
    for _ in range(2):
        html = (
            browser.get(f"/credits/return?payment={payment.public_id}").content.decode().replace("\xa0", " ")
        )
        assert "Paid. 250 credits added." in html
    assert paying.credits(account) == 300


def test_a_canceled_payment_says_nothing_was_charged(
    account: BillingAccount, browser: Client, payments_at: Simulator
) -> None:
    payment = paying.start(account)

    payments.give_up(payment.pk, status=Payment.Status.CANCELED, code="canceled", message="")
    html = browser.get(f"/credits/return?payment={payment.public_id}").content.decode()
    assert "Nothing was charged." in html
    assert "/credits/add?amount=25" in html


@pytest.mark.parametrize("path", ["/credits/return", "/credits/return/status"])
@pytest.mark.parametrize("which", ["theirs", "cs_test_123", "pay_00", ""])
def test_a_foreign_or_made_up_payment_is_not_there(
    payments_at: Simulator, stranger: BillingAccount, browser: Client, path: str, which: str
) -> None:
    name = paying.start(stranger).public_id if which == "theirs" else which
    assert browser.get(f"{path}?payment={name}").status_code == 404


def test_a_provider_that_does_not_answer_is_said_and_nothing_typed_is_lost(
    browser: Client, payments_at: Simulator
) -> None:
    payments_at.faults("refuse", "/v1/checkout/sessions", times=9)
    response = browser.post("/credits/add", order("60"))
    assert response.status_code == 422
    html = response.content.decode()
    assert "does not answer" in html
    assert 'value="60"' in html
