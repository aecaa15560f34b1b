"""Short ways to pay, to save a card and to look at what came of it."""

import uuid

from accounts.models import BillingAccount
from billing.gateways import gateway
from billing.ledger import balances, holds
from billing.ledger.models import Transaction
from billing.models import Payment
from billing.services import charges, customers, payment_methods, topups
from catalog.pricing.units import Amount
from tests.stripe_simulator.fixtures import Simulator

CREDIT = 1_000_000
RETURN = "http://testserver/credits/return"
CANCEL = "http://testserver/credits/add"

OK = "pm_card_visa"
DECLINED_LATER = "pm_card_chargeCustomerFail"
NEEDS_3DS = "pm_card_authenticationRequired"


def dollars(text: str) -> Amount:
    return Amount.parse(text, "USD")


def credits(account: BillingAccount) -> int:
    """The account's balance in whole credits."""
    return balances.of(account.pk).balance // CREDIT


def start(account: BillingAccount, cash: str = "25", **options: str) -> Payment:
    """A top-up whose payment page is open."""
    return topups.start(
        account=account,
        cash=dollars(cash),
        return_url=RETURN,
        cancel_url=CANCEL,
        request_key=options.get("key"),
    )


def save_card(account: BillingAccount, simulator: Simulator, method: str = OK) -> str:
    """Give the account's customer a card, as if saved on the setup page; it becomes the default one."""
    customer = customers.ensure(account)
    saved = simulator.client().v1.payment_methods.attach(method, {"customer": customer})
    gateway().set_default_card(customer, saved.id)
    payment_methods.refresh(account.pk)
    return saved.id


def credited(payment_id: uuid.UUID) -> list[Transaction]:
    """The transactions that a payment was credited with."""
    payment = Payment.objects.get(pk=payment_id)
    return list(Transaction.objects.filter(key=f"topup:{payment.public_id}"))


def spend(account: BillingAccount, amount: int) -> None:
    """Charge so many credits at once."""
    request = holds.PlaceRequest(
        account=account.pk,
        amount=amount * CREDIT,
        model="static",
        operation="generate",
        description="Work",
        ttl=600,
        settle_now=True,
    )
    assert holds.place([request])[0]["code"] == "settled"


def order(account: BillingAccount) -> str:
    """Order work for 20 credits, recharging where that is on; says what came of it."""
    work = holds.PlaceRequest(
        account=account.pk,
        amount=20 * CREDIT,
        model="full",
        operation="generate",
        description="Full",
        ttl=600,
        settle_now=True,
        recharge=True,
    )
    return str(charges.place(work)["code"])
