"""The auto-recharge page: the rule in words, the cards, what happens on saving."""

import re

import pytest
from django.test import Client
from django.utils.timezone import now

from accounts.models import BillingAccount, Role
from billing.models import AutoRecharge, BalanceAlert, Payment, PaymentMethod
from tests.billing import paying
from tests.billing.views.conftest import CREDIT, SignIn, work
from tests.stripe_simulator.fixtures import Simulator

RULE = {"enabled": "on", "threshold": "20", "amount": "25", "monthly_cap": "100"}


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("\xa0", " ")


def test_it_starts_off_with_what_the_profile_proposes(browser: Client) -> None:
    html = browser.get("/auto-recharge").content.decode()
    assert re.search(r'name="threshold" value="20"', html)
    assert re.search(r'name="amount" value="25"', html)
    assert not AutoRecharge.objects.exists()


@pytest.mark.parametrize("role", [Role.DEVELOPER, Role.VIEWER])
@pytest.mark.parametrize("path", ["/auto-recharge", "/auto-recharge/sentence", "/cards/saved"])
def test_only_who_manages_billing_sees_it(
    account: BillingAccount, sign_in: SignIn, role: str, path: str
) -> None:
    assert sign_in(account, role).get(path).status_code == 403


def test_the_sentence_says_what_is_typed(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    paying.save_card(account, payments_at)
    said = words(browser.get("/auto-recharge/sentence", RULE).content.decode())
    assert (
        "When your balance drops below 20 credits, we charge Visa •••• 4242 and add $25, "
        "at most 4 times ($100) a month." in said
    )
    assert "Charges now." not in said


def test_it_warns_where_saving_charges_at_once_and_does_so(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    paying.save_card(account, payments_at)
    rule = RULE | {"threshold": "60"}
    assert "Charges now." in words(browser.get("/auto-recharge/sentence", rule).content.decode())
    html = browser.post("/auto-recharge", rule, follow=True).content.decode()
    assert paying.credits(account) == 300
    assert "Paid" in words(html)
    assert "$25.00 of $100 this month" in words(html)


def test_saving_without_a_card_asks_for_one(
    payments_at: Simulator, browser: Client, account: BillingAccount
) -> None:
    html = browser.post("/auto-recharge", RULE, follow=True).content.decode()
    assert "Auto-recharge waits for a card." in words(html)
    row = AutoRecharge.objects.get(pk=account.pk)
    assert (row.enabled, row.threshold, row.amount_minor, row.monthly_cap_minor) == (
        True,
        20 * CREDIT,
        2500,
        10000,
    )


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("threshold", "abc"),
        ("threshold", ""),
        ("amount", "4"),
        ("amount", "1e9"),
        ("monthly_cap", "10"),
        ("amount", "\x00"),
    ],
)
def test_a_wrong_value_is_kept_explained_and_not_saved(browser: Client, field: str, typed: str) -> None:
    response = browser.post("/auto-recharge", RULE | {field: typed})
    assert response.status_code == 422
    html = response.content.decode()
    assert re.search(rf'id="id_{field}" name="{field}"[^>]*aria-invalid="true"', html)
    if typed.isprintable():
        assert f'name="{field}" value="{typed}"' in html
    assert not AutoRecharge.objects.exists()


def test_switching_it_off_keeps_the_figures(browser: Client, account: BillingAccount) -> None:
    browser.post("/auto-recharge", {name: value for name, value in RULE.items() if name != "enabled"})
    row = AutoRecharge.objects.get(pk=account.pk)
    assert (row.enabled, row.amount_minor) == (False, 2500)


def test_a_card_is_added_on_stripe_s_page(
    payments_at: Simulator, browser: Client, account: BillingAccount
) -> None:
    response = browser.post("/cards/add")
    assert response["Location"].startswith(payments_at.base_url)
    payments_at.pay(response["Location"])
    session = payments_at.client().v1.checkout.sessions.list().data[0]
    html = browser.get(f"/cards/saved?setup={session.id}", follow=True).content.decode()
    assert "Visa •••• 4242 is saved" in words(html)
    assert PaymentMethod.objects.get(account=account).is_default


def test_somebody_else_s_setup_page_saves_nothing(
    payments_at: Simulator,
    browser: Client,
    account: BillingAccount,
    stranger: BillingAccount,
    sign_in: SignIn,
) -> None:
    theirs = sign_in(stranger, Role.OWNER).post("/cards/add")["Location"]
    payments_at.pay(theirs)
    session = payments_at.client().v1.checkout.sessions.list().data[0]
    browser.get(f"/cards/saved?setup={session.id}", follow=True)
    assert not PaymentMethod.objects.filter(account=account).exists()


@pytest.mark.parametrize("setup", ["", "cs_test_nothing", "\x00", "a" * 4000])
def test_a_made_up_setup_page_is_an_error_message(
    payments_at: Simulator, browser: Client, setup: str
) -> None:
    assert browser.get("/cards/saved", {"setup": setup}, follow=True).status_code == 200


def test_cards_are_chosen_and_removed(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    paying.save_card(account, payments_at)
    first = PaymentMethod.objects.get(account=account)
    paying.save_card(account, payments_at, "pm_card_mastercard")
    browser.post(f"/cards/{first.public_id}", {"action": "default"})
    first.refresh_from_db()
    assert first.is_default
    browser.post(f"/cards/{first.public_id}", {"action": "remove"})
    assert PaymentMethod.objects.get(account=account).brand == "mastercard"


def test_somebody_else_s_card_is_not_there(
    payments_at: Simulator, stranger: BillingAccount, browser: Client
) -> None:
    paying.save_card(stranger, payments_at)
    theirs = PaymentMethod.objects.get(account=stranger)
    assert browser.post(f"/cards/{theirs.public_id}", {"action": "remove"}).status_code == 404
    assert browser.post("/cards/nonsense", {"action": "remove"}).status_code == 404


def test_a_pause_after_three_declines_says_what_to_do(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    AutoRecharge.objects.create(
        account=account,
        enabled=True,
        threshold=20 * CREDIT,
        amount_minor=2500,
        currency="USD",
        failures=3,
        paused_at=now(),
        pause_reason="failures",
    )
    Payment.objects.create(
        account=account,
        purpose="auto_recharge",
        route="off_session",
        status="failed",
        cash_minor=2500,
        currency="USD",
        credits=250 * CREDIT,
        unit="credit",
        failure_message="Your card was declined.",
        finished_at=now(),
    )
    said = words(browser.get("/auto-recharge").content.decode())
    assert "declined three times in a row" in said
    assert "Your card was declined." in said


def test_a_cap_that_is_used_up_is_said_and_nothing_is_announced(
    payments_at: Simulator, account: BillingAccount, browser: Client
) -> None:
    """Saving charges nothing then, so it must not say so; a higher cap does again. The overview warns too."""
    paying.save_card(account, payments_at)
    rule = RULE | {"threshold": "400", "monthly_cap": "25"}
    browser.post("/auto-recharge", rule)
    assert paying.credits(account) == 300
    said = words(browser.get("/auto-recharge").content.decode())
    assert (
        "The monthly cap is reached. $25 of $25 were charged this month, and another $25 would pass it."
        in said
    )
    assert "Charges now." not in said
    raised = words(browser.get("/auto-recharge/sentence", rule | {"monthly_cap": "50"}).content.decode())
    assert "Charges now." in raised
    assert "The monthly cap is reached" not in raised
    work(account, 30)
    BalanceAlert.objects.create(account=account, below=280 * CREDIT)
    page = words(browser.get("/").content.decode())
    assert "Cap reached" in page
    assert "Your balance is low." in page
    assert "raise the monthly cap" in page
