"""Saved cards: saving one on Stripe's page, choosing the default, removing. Stripe keeps the numbers, we a
mirror.

A card the customer saves on purpose becomes the default one; one that a payment saved along the way only
where there was none.
"""

import uuid
from typing import Any

from django.db import transaction

from accounts.models import BillingAccount
from billing.errors import InvalidState, NotFound, ServiceUnavailable
from billing.gateways import gateway
from billing.gateways.protocol import GatewayError, HostedPage, Missing, Wallet
from billing.ledger.post import lock as lock_balances
from billing.models import PaymentMethod
from billing.services import auto_recharge, customers
from catalog import snapshot
from config.ids import new_id, public_id

NO_ANSWER = "The payment provider does not answer. Try again shortly."


def start_setup(*, account: BillingAccount, return_url: str, cancel_url: str) -> HostedPage:
    """Open Stripe's page for saving a card; send the customer to the answer's ``url``.

    Stripe comes back to ``return_url`` with ``setup=cs_…`` added, for ``finish_setup``. Raises
    ServiceUnavailable, InvalidState.
    """
    if account.status != BillingAccount.Status.ACTIVE:
        raise InvalidState("This account is closed.")
    joint = "&" if "?" in return_url else "?"
    page: dict[str, Any] = {
        "account": account.public_id,
        "currency": snapshot.current().terms(account.profile).cash_currency,
        "success_url": f"{return_url}{joint}setup={{CHECKOUT_SESSION_ID}}",
        "cancel_url": cancel_url,
    }
    try:
        customer_id = customers.ensure(account)
        try:
            return gateway().create_setup(key=_setup_key(), customer_id=customer_id, **page)
        except Missing:
            customer_id = customers.replace(account, customer_id)
            return gateway().create_setup(key=_setup_key(), customer_id=customer_id, **page)
    except GatewayError as error:
        raise ServiceUnavailable(NO_ANSWER) from error


def _setup_key() -> str:
    """Each click may open a page of its own: an unused one costs nothing and saves nothing."""
    return public_id("setup", new_id())


def finish_setup(checkout_id: str, account: BillingAccount | None = None) -> PaymentMethod | None:
    """Take over the card saved on a setup page and make it the default; None while there is none.

    With ``account`` a page of anyone else's changes nothing (NotFound). Raises ServiceUnavailable.
    """
    try:
        result = gateway().setup_result(checkout_id)
    except Missing as error:
        raise NotFound("There is no such page.") from error
    except GatewayError as error:
        raise ServiceUnavailable(NO_ANSWER) from error
    owner = BillingAccount.objects.filter(stripe_customer_id=result.customer_id).first()
    if owner is None or (account is not None and owner.pk != account.pk):
        raise NotFound("There is no such page.")
    if result.method_id is None:
        return None
    return _use(owner, result.method_id)


def _use(account: BillingAccount, method_id: str) -> PaymentMethod | None:
    """Make a card the default one, unless it is no longer among the customer's."""
    known = PaymentMethod.objects.filter(account=account, stripe_id=method_id, is_default=True).first()
    if known is not None:
        return known
    wallet = refresh(account.pk)
    if all(card.id != method_id for card in wallet.cards):
        return None
    return set_default(account=account, stripe_id=method_id)


def set_default(*, account: BillingAccount, stripe_id: str) -> PaymentMethod:
    """Charge this card from now on. Raises NotFound, ServiceUnavailable."""
    method = PaymentMethod.objects.filter(account=account, stripe_id=stripe_id).first()
    if method is None or account.stripe_customer_id is None:
        raise NotFound("There is no such card.")
    try:
        gateway().set_default_card(account.stripe_customer_id, stripe_id)
        refresh(account.pk)
    except GatewayError as error:
        raise ServiceUnavailable(NO_ANSWER) from error
    method.refresh_from_db()
    return method


def remove(*, account: BillingAccount, stripe_id: str) -> None:
    """Forget a card at Stripe and here; the newest of the others becomes the default. Raises NotFound,
    ServiceUnavailable.
    """
    if not PaymentMethod.objects.filter(account=account, stripe_id=stripe_id).exists():
        raise NotFound("There is no such card.")
    try:
        gateway().detach_card(stripe_id)
        refresh(account.pk)
    except GatewayError as error:
        raise ServiceUnavailable(NO_ANSWER) from error


def refresh(account_id: uuid.UUID) -> Wallet:
    """Make the mirror equal to what Stripe has; where no default is chosen, the newest card becomes it.

    Raises GatewayError. Calls Stripe.
    """
    account = BillingAccount.objects.get(pk=account_id)
    if account.stripe_customer_id is None:
        return Wallet()
    wallet = gateway().wallet(account.stripe_customer_id)
    known = {card.id for card in wallet.cards}
    default = wallet.default_id if wallet.default_id in known else None
    if default is None and wallet.cards:
        default = wallet.cards[0].id
        gateway().set_default_card(account.stripe_customer_id, default)
    _mirror(account, wallet, default)
    if wallet.cards:
        auto_recharge.card_saved(account.pk)
    else:
        auto_recharge.cards_gone(account.pk)
    return wallet


@transaction.atomic
def _mirror(account: BillingAccount, wallet: Wallet, default: str | None) -> None:
    lock_balances(account.pk)
    mine = PaymentMethod.objects.filter(account=account)
    mine.exclude(stripe_id__in=[card.id for card in wallet.cards]).delete()
    mine.update(is_default=False)
    for card in wallet.cards:
        PaymentMethod.objects.update_or_create(
            stripe_id=card.id,
            defaults={
                "account": account,
                "brand": card.brand,
                "last4": card.last4,
                "exp_month": card.exp_month,
                "exp_year": card.exp_year,
                "is_default": card.id == default,
            },
        )


def refresh_customer(customer_id: str) -> None:
    """The same by Stripe's customer id; one that is not ours is left alone.

    A customer deleted at Stripe loses the cards and keeps the account: the next payment makes a new customer.
    """
    account = BillingAccount.objects.filter(stripe_customer_id=customer_id).first()
    if account is None:
        return
    if not refresh(account.pk).exists:
        customers.replace(account, customer_id)
