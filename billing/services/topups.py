"""Buying credits: through Stripe's hosted page, or at once with the saved card.

The way of a top-up: the attempt is committed, Stripe is asked outside of any transaction with the attempt's
id as idempotency key, and whichever of answer, webhook, return page or sweeper brings the news first
credits it (``payments.record``).
"""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.errors import (
    IdempotencyConflict,
    InvalidRequest,
    InvalidState,
    PaymentFailed,
    RateLimited,
    ServiceUnavailable,
)
from billing.gateways import gateway
from billing.gateways.protocol import (
    Busy,
    CardOrder,
    CheckoutOrder,
    GatewayError,
    Missing,
    Rejected,
    Standing,
    Tax,
    Unreachable,
)
from billing.models import Payment, PaymentMethod
from billing.services import customers, payments
from catalog import snapshot
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import Amount, micros_to_text, minor_units
from catalog.terms import Terms

Status = Payment.Status
Route = Payment.Route

BUSY_WAITS: Final = (0.2, 0.5, 1.0)
"""Seconds between tries while Stripe asks to slow down."""
ATTEMPTS_PER_HOUR: Final = 30
"""Top-ups of an account that may be begun within an hour and not be paid."""
UNSURE: Final = (
    "The payment provider did not answer. If the payment went through, the credits appear within minutes; "
    "nothing is charged twice."
)


def start(
    *,
    account: BillingAccount,
    cash: Amount,
    return_url: str,
    cancel_url: str,
    created_by: User | None = None,
    request_key: str | None = None,
) -> Payment:
    """Open Stripe's payment page for ``cash`` (in the profile's currency); the answer's ``checkout_url`` is
    its address.

    Stripe sends the customer back to ``return_url`` with ``payment=pay_…`` added. The same ``request_key``
    again answers the same payment. Raises InvalidRequest, InvalidState, IdempotencyConflict,
    ServiceUnavailable.
    """
    payment = _intend(account, cash, Route.CHECKOUT, created_by, request_key, return_url, cancel_url)
    if payment.status in (Status.FAILED, Status.CANCELED):
        raise InvalidState("This payment was given up. Start another one.")
    if payment.stripe_checkout_id or payment.status not in Payment.IN_FLIGHT:
        return payment
    return open_checkout(payment, key=payment.public_id)


def charge_saved_card(
    *,
    account: BillingAccount,
    cash: Amount,
    return_url: str,
    created_by: User | None = None,
    request_key: str | None = None,
    method: PaymentMethod | None = None,
) -> Payment:
    """Pay ``cash`` now with a saved card (the default one), the customer being present.

    The answer has ``succeeded``, or ``requires_action`` with ``action_url``, where the bank asks the
    customer to confirm before it sends them to ``return_url``. Raises PaymentFailed with the bank's reason
    when declined, InvalidState without a card, else as ``start``.
    """
    chosen = method or PaymentMethod.objects.filter(account=account, is_default=True).first()
    if chosen is None or chosen.account_id != account.pk:
        raise InvalidState("There is no saved card. Pay on the payment page, which saves one.")
    payment = _intend(account, cash, Route.SAVED_CARD, created_by, request_key, return_url, "")
    if payment.status == Status.CREATED:
        payment = submit_card(payment, method_id=chosen.stripe_id)
    if payment.status == Status.UNKNOWN:
        raise ServiceUnavailable(UNSURE, payment=payment.public_id)
    if payment.status in (Status.FAILED, Status.CANCELED):
        raise PaymentFailed(
            payment.failure_message or "The card was declined.",
            payment=payment.public_id,
            decline_code=payment.failure_code,
        )
    return payment


def complete(payment_id: uuid.UUID) -> Payment:
    """Ask Stripe about a payment and credit it if it is paid, once; what the return page polls.

    Without an answer from Stripe the payment is returned as it is known.
    """
    try:
        return payments.refresh(payment_id)
    except GatewayError:
        return Payment.objects.get(pk=payment_id)


# What both ways share, and auto-recharge too


def checked_cash(terms: Terms, cash: Amount, field: str = "amount") -> int:
    """The amount in the currency's smallest unit, within what the profile sells. Raises InvalidRequest."""
    try:
        minor = minor_units(cash)
    except InvalidAmount as error:
        raise InvalidRequest(str(error), [{"field": field, "message": str(error)}]) from error
    if cash.unit != terms.cash_currency:
        raise InvalidRequest(
            f"Payments are made in {terms.cash_currency}.",
            [{"field": "currency", "message": f"must be {terms.cash_currency}"}],
        )
    if not terms.topup.min <= cash.micros <= terms.topup.max:
        lowest, highest = micros_to_text(terms.topup.min), micros_to_text(terms.topup.max)
        within = f"must be between {lowest} and {highest} {terms.cash_currency}"
        raise InvalidRequest(
            f"The {field.replace('_', ' ')} {within}.", [{"field": field, "message": within}]
        )
    return minor


def _intend(
    account: BillingAccount,
    cash: Amount,
    route: Payment.Route,
    created_by: User | None,
    request_key: str | None,
    return_url: str,
    cancel_url: str,
) -> Payment:
    """Commit the attempt before Stripe hears of it; the first one again for a repeated request key."""
    terms = snapshot.current().terms(account.profile)
    if not terms.topup.enabled:
        raise InvalidState("This account is not topped up; it is billed another way.")
    minor = checked_cash(terms, cash)
    _check_rate(account, request_key)
    payment = Payment(
        account=account,
        purpose=Payment.Purpose.TOPUP,
        route=route,
        cash_minor=minor,
        currency=cash.unit,
        credits=terms.credits_for(cash, account.unit),
        unit=account.unit,
        request_key=request_key,
        created_by=created_by,
        cancel_url=cancel_url,
        next_check_at=now() + payments.FIRST_CHECK,
    )
    payment.success_url = _with_query(return_url, payment=payment.public_id)
    try:
        with transaction.atomic():
            # Whoever closes the account holds this lock: nobody pays into what is being closed.
            standing = BillingAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
            if standing.status != BillingAccount.Status.ACTIVE:
                raise InvalidState("This account is closed.")
            payment.save(force_insert=True)
    except IntegrityError:
        first = Payment.objects.filter(account=account, request_key=request_key).first()
        if request_key is None or first is None:
            raise
        if (first.cash_minor, first.currency, first.route) != (minor, cash.unit, route):
            raise IdempotencyConflict("This key was used for another payment.") from None
        return first
    return payment


def _check_rate(account: BillingAccount, request_key: str | None) -> None:
    """Nobody tries stolen cards here one after the other. A repeated request key is no new attempt."""
    recent = Payment.objects.filter(
        account=account, purpose=Payment.Purpose.TOPUP, created_at__gt=now() - timedelta(hours=1)
    ).exclude(status=Status.SUCCEEDED)
    if request_key is not None and recent.filter(request_key=request_key).exists():
        return
    if recent.count() >= ATTEMPTS_PER_HOUR:
        raise RateLimited("Too many unfinished payments within an hour. Try again later.", retry_after=3600)


def open_checkout(payment: Payment, *, key: str) -> Payment:
    """Ask Stripe for the page of a committed payment; ``key`` is the idempotency key. Raises
    ServiceUnavailable.
    """
    try:
        customer_id = payment.stripe_customer_id or customers.ensure(payment.account)
        payment = payments.submitting(payment.pk, customer_id=customer_id)
        standing = _open_or_replace(payment, key)
    except (Unreachable, Busy) as error:
        payments.unanswered(payment.pk)
        raise ServiceUnavailable(
            "The payment provider does not answer. Nothing was charged; try again shortly."
        ) from error
    except Rejected as error:
        payments.give_up(payment.pk, status=Status.FAILED, code=error.code or "rejected", message=str(error))
        raise ServiceUnavailable("The payment provider refused the payment page.") from error
    return payments.record(payment.pk, standing)


def _open_or_replace(payment: Payment, key: str) -> Standing:
    """A customer deleted at Stripe is made anew, once."""
    try:
        return patiently(lambda: gateway().create_checkout(_checkout_order(payment, key)))
    except Missing as error:
        if not _is_customer(error):
            raise
    fresh = customers.replace(payment.account, payment.stripe_customer_id)
    Payment.objects.filter(pk=payment.pk).update(stripe_customer_id=fresh)
    payment.stripe_customer_id = fresh
    return patiently(lambda: gateway().create_checkout(_checkout_order(payment, f"{key}:{fresh}")))


def _is_customer(error: Missing) -> bool:
    return "customer" in str(error).lower()


def _checkout_order(payment: Payment, key: str) -> CheckoutOrder:
    terms = snapshot.current().terms(payment.account.profile)
    return CheckoutOrder(
        key=key,
        reference=payment.public_id,
        notes=payments.notes(payment),
        customer_id=payment.stripe_customer_id,
        amount_minor=payment.cash_minor,
        currency=payment.currency,
        title=title(payment),
        success_url=payment.success_url,
        cancel_url=payment.cancel_url,
        tax=Tax.NONE if terms.tax.collected_by == "none" else Tax(terms.tax.behavior),
    )


def submit_card(payment: Payment, *, method_id: str) -> Payment:
    """Charge a saved card for a committed payment and record what came of it. Raises nothing of Stripe's.

    Where Stripe does not answer the payment is ``unknown`` and the sweeper finds out. One that was given up
    or decided meanwhile is not sent: another may be under way in its place.
    """
    try:
        customer_id = customers.ensure(payment.account)
        payment = payments.submitting(payment.pk, customer_id=customer_id, method_id=method_id)
        if payment.status != Status.SUBMITTED:
            return payment
        standing = patiently(lambda: gateway().charge_card(_card_order(payment)))
    except (Unreachable, Busy):
        return payments.unanswered(payment.pk)
    except Rejected as error:
        return payments.give_up(
            payment.pk, status=Status.FAILED, code=error.code or "rejected", message=str(error)
        )
    return payments.record(payment.pk, standing)


def _card_order(payment: Payment) -> CardOrder:
    present = payment.route == Route.SAVED_CARD
    return CardOrder(
        key=payment.public_id,
        reference=payment.public_id,
        notes=payments.notes(payment),
        customer_id=payment.stripe_customer_id,
        method_id=payment.stripe_method_id,
        amount_minor=payment.cash_minor,
        currency=payment.currency,
        title=title(payment),
        return_url=payment.success_url if present else None,
    )


def patiently(ask: Callable[[], Standing]) -> Standing:
    """Ask again, with the same idempotency key: after a lost answer once, while Stripe is busy a few
    times.
    """
    lost = False
    for wait in (*BUSY_WAITS, None):
        try:
            return ask()
        except Busy:
            if wait is None:
                raise
            time.sleep(wait)
        except Unreachable:
            if lost or wait is None:
                raise
            lost = True
    raise Busy("the payment provider stayed busy")


def title(payment: Payment) -> str:
    """What the customer reads at Stripe and on the card statement's receipt: ``250 credits``, ``25 EUR
    credit``.
    """
    amount = micros_to_text(payment.credits)
    return f"{amount} credits" if payment.unit == "credit" else f"{amount} {payment.unit} credit"


def _with_query(url: str, **extra: str) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query, urlencode(extra))))
    return urlunsplit(parts._replace(query=query))
