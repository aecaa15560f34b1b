"""Auto-recharge: the saved card is charged when the balance drops below the threshold, or falls short of a
request.

One attempt at a time per account: whoever needs credits first starts it, the others wait for its end. No
lock is held while Stripe is asked. Source: profile ``ads`` (threshold 20 credits, 25 USD each time, before
the next request and synchronously inside one that finds too little).
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings as django_settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing import nudges, outbox
from billing.errors import InvalidRequest, InvalidState, ServiceUnavailable
from billing.gateways import gateway
from billing.gateways.protocol import GatewayError
from billing.ledger import balances, clock
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.selectors.recharges import charged_in_month, month_start
from billing.services import payments, recharge_rule, topups
from catalog import snapshot
from catalog.pricing.errors import InvalidAmount, UnitMismatch
from catalog.pricing.units import Amount, from_minor, minor_units
from catalog.terms import Terms

Status = Payment.Status
Pause = AutoRecharge.Pause

WAIT_SECONDS: Final = 30.0
"""How long a request waits for a running recharge before it goes on without."""
POLL_SECONDS: Final = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, kw_only=True)
class RechargeView:
    """The settings as pages and API show them. ``threshold`` in micros of the account's unit, the rest in
    cash.

    ``paused`` is empty or why nothing is charged although it is ``enabled`` (see ``AutoRecharge.Pause``).
    """

    enabled: bool
    threshold: Amount
    amount: Amount
    credits: Amount
    monthly_cap: Amount | None
    charged_this_month: Amount
    paused: str
    failures: int
    next_attempt_at: datetime | None
    card: PaymentMethod | None
    action_url: str


def of(account: BillingAccount) -> RechargeView:
    """The account's settings, or the profile's defaults while nothing was set. Raises InvalidState if not
    offered.
    """
    terms = _terms(account)
    row = AutoRecharge.objects.filter(pk=account.pk).first() or _defaults(account, terms)
    amount = from_minor(row.amount_minor, row.currency)
    asked = Payment.objects.filter(
        account=account, purpose=Payment.Purpose.AUTO_RECHARGE, status=Status.REQUIRES_ACTION
    ).first()
    return RechargeView(
        enabled=row.enabled,
        threshold=Amount(row.threshold, account.unit),
        amount=amount,
        credits=Amount(terms.credits_for(amount, account.unit), account.unit),
        monthly_cap=None
        if row.monthly_cap_minor is None
        else from_minor(row.monthly_cap_minor, row.currency),
        charged_this_month=from_minor(charged_in_month(account.pk, clock.now()), row.currency),
        paused=row.pause_reason,
        failures=row.failures,
        next_attempt_at=row.next_attempt_at,
        card=_card(account.pk),
        action_url=asked.action_url if asked else "",
    )


def configure(
    *,
    account: BillingAccount,
    enabled: bool,
    threshold: int,
    amount: Amount,
    monthly_cap: Amount | None,
    changed_by: User | None = None,
) -> AutoRecharge:
    """Set auto-recharge: below ``threshold`` (micros of the account's unit) buy ``amount``, up to a cap a
    month.

    Switching it on forgets earlier failures and ends a pause; without a saved card it waits for one.
    Raises InvalidRequest, InvalidState.
    """
    terms = _terms(account)
    if threshold < 0:
        raise InvalidRequest("The threshold is below zero.", [_problem("threshold", "Zero or more.")])
    minor = topups.checked_cash(terms, amount)
    cap = None if monthly_cap is None else _checked_cap(monthly_cap, amount)
    with transaction.atomic():
        row = recharge_rule.locked(account.pk) or _defaults(account, terms)
        row.enabled, row.threshold, row.amount_minor, row.currency = enabled, threshold, minor, amount.unit
        row.monthly_cap_minor, row.updated_by = cap, changed_by
        recharge_rule.resume(row)
        if enabled and _card(account.pk) is None:
            recharge_rule.pause(row, Pause.NO_CARD)
    return row


def card_saved(account_id: uuid.UUID) -> None:
    """A card is there now: what waited for one goes on."""
    with transaction.atomic():
        row = recharge_rule.locked(account_id)
        if row is not None and row.pause_reason == Pause.NO_CARD:
            recharge_rule.resume(row)


def cards_gone(account_id: uuid.UUID) -> None:
    """The last card was removed: nothing can be charged until there is another."""
    with transaction.atomic():
        row = recharge_rule.locked(account_id)
        if row is not None and row.enabled and row.paused_at is None:
            recharge_rule.pause(row, Pause.NO_CARD)


# Recharging


def recharge_now(account_id: uuid.UUID, needed_micros: int = 0) -> bool:
    """Charge the card if the account is below its threshold or short of ``needed_micros``; True: look again.

    At most one payment: the set amount, or one larger one where a single amount would not cover the need.
    While another request's payment runs this waits for its end instead. False: nothing came in; the reason
    is in the account's settings and payments. Calls Stripe; must not run inside a transaction.
    """
    claim = _claim(account_id, needed_micros)
    if isinstance(claim, bool):
        return claim
    payment, mine = claim
    if not mine:
        return _wait_for(payment)
    done = topups.submit_card(payment, method_id=payment.stripe_method_id)
    if done.status == Status.REQUIRES_ACTION:
        ask_customer(done.pk)
    elif done.status == Status.UNKNOWN:
        with transaction.atomic():
            row = recharge_rule.locked(account_id)
            if row is not None and row.paused_at is None:
                recharge_rule.wait(row, now() + recharge_rule.UNKNOWN_WAIT)
    return done.status == Status.SUCCEEDED


@transaction.atomic
def _claim(account_id: uuid.UUID, needed: int) -> "tuple[Payment, bool] | bool":
    """Decide under the settings' lock: enough already (True), not now (False), or a payment and whether it
    is mine.
    """
    row = recharge_rule.locked(account_id)
    if row is None or not row.enabled or row.paused_at is not None:
        return False
    running = Payment.objects.filter(
        account_id=account_id, purpose=Payment.Purpose.AUTO_RECHARGE, status__in=Payment.IN_FLIGHT
    ).first()
    if running is not None:
        # One whose process died, or that Stripe did not answer, is the sweeper's: nobody waits for it here.
        fresh = running.created_at > now() - timedelta(seconds=WAIT_SECONDS)
        return (running, False) if fresh and running.status != Status.UNKNOWN else False
    standing = balances.of(account_id)
    if standing.available >= needed and standing.balance >= row.threshold:
        return True
    if row.next_attempt_at is not None and row.next_attempt_at > now():
        return False
    card = _card(account_id)
    if card is None:
        recharge_rule.pause(row, Pause.NO_CARD)
        return False
    minor = _sized(row, shortfall=needed - standing.available)
    return (_intend(row, minor, card), True) if minor else False


def _sized(row: AutoRecharge, shortfall: int) -> int:
    """Cash to charge, in minor units: the set amount, or as many of it as cover the shortfall; 0: not
    allowed.

    When not even one amount fits under the monthly cap any more, the account rests until next month.
    """
    terms = snapshot.current().terms(row.account.profile)
    brings = terms.credits_for(from_minor(row.amount_minor, row.currency), row.account.unit)
    minor = row.amount_minor * max(1, -(-shortfall // brings))
    if from_minor(minor, row.currency).micros > terms.topup.max:
        return 0
    if row.monthly_cap_minor is None:
        return minor
    moment = clock.now()
    left = row.monthly_cap_minor - charged_in_month(row.account_id, moment)
    if left < row.amount_minor:
        _rest_until_next_month(row, moment)
    return minor if minor <= left else 0


def _rest_until_next_month(row: AutoRecharge, moment: datetime) -> None:
    start = month_start(moment)
    recharge_rule.wait(row, month_start(start + timedelta(days=32)))
    outbox.put(
        kind="email.recharge_capped",
        key=f"recharge_capped:{row.account.public_id}:{start:%Y-%m}",
        payload={"account": str(row.account_id)},
    )


def _intend(row: AutoRecharge, minor: int, card: PaymentMethod) -> Payment:
    """The attempt, committed with the caller's transaction before Stripe hears of it."""
    cash = from_minor(minor, row.currency)
    return Payment.objects.create(
        account=row.account,
        purpose=Payment.Purpose.AUTO_RECHARGE,
        route=Payment.Route.OFF_SESSION,
        cash_minor=minor,
        currency=row.currency,
        credits=snapshot.current().terms(row.account.profile).credits_for(cash, row.account.unit),
        unit=row.account.unit,
        stripe_method_id=card.stripe_id,
        next_check_at=now() + payments.FIRST_CHECK,
    )


def _wait_for(payment: Payment) -> bool:
    """Wait for another request's payment, holding nothing; True when it brought credits."""
    deadline = time.monotonic() + WAIT_SECONDS
    pauses = iter(POLL_SECONDS)
    status: str = payment.status
    while status in (Status.CREATED, Status.SUBMITTED) and time.monotonic() < deadline:
        time.sleep(next(pauses, POLL_SECONDS[-1]))
        status = Payment.objects.values_list("status", flat=True).get(pk=payment.pk)
    return status == Status.SUCCEEDED


def nudge(account_id: uuid.UUID) -> None:
    """Have the worker look at an account that fell below its threshold; call it after the commit."""
    nudges.nudge("billing.recharge", str(account_id))


def run_due(limit: int = 200) -> int:
    """Recharge the accounts that are below their threshold now; returns how many got credits. Calls
    Stripe.
    """
    moment = now()
    due = AutoRecharge.objects.filter(
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=moment),
        enabled=True,
        paused_at__isnull=True,
        account__balance__balance__lt=F("threshold"),
    ).values_list("pk", flat=True)
    return sum(recharge_now(account_id) for account_id in list(due[:limit]))


# When the bank wants the customer


def ask_customer(payment_id: uuid.UUID) -> None:
    """The bank wants the cardholder: give up the absent charge and send a link to a page where they can
    confirm.

    Safe to repeat; the sweeper does so when Stripe did not answer. Calls Stripe.
    """
    payment = Payment.objects.select_related("account").get(pk=payment_id)
    if payment.status != Status.REQUIRES_ACTION or payment.stripe_checkout_id:
        return
    try:
        if payment.stripe_intent_id:
            gateway().cancel_intent(payment.stripe_intent_id)
        payment.success_url = f"{django_settings.PORTAL_BASE_URL}/credits/return?payment={payment.public_id}"
        payment.cancel_url = f"{django_settings.PORTAL_BASE_URL}/auto-recharge"
        Payment.objects.filter(pk=payment.pk).update(
            success_url=payment.success_url, cancel_url=payment.cancel_url, stripe_intent_id=None
        )
        asked = topups.open_checkout(payment, key=f"{payment.public_id}:confirm")
    except (GatewayError, ServiceUnavailable):
        return
    outbox.put(
        kind="email.recharge_action",
        key=f"recharge_action:{asked.public_id}",
        payload={"account": str(asked.account_id), "payment": str(asked.pk)},
    )


def ask_waiting_customers(limit: int = 50) -> None:
    """Send the link where Stripe did not answer at first. Calls Stripe."""
    waiting = Payment.objects.filter(
        route=Payment.Route.OFF_SESSION, status=Status.REQUIRES_ACTION, stripe_checkout_id__isnull=True
    )
    for payment_id in list(waiting.values_list("pk", flat=True)[:limit]):
        ask_customer(payment_id)


def _terms(account: BillingAccount) -> Terms:
    terms = snapshot.current().terms(account.profile)
    if terms.auto_recharge is None or not terms.topup.enabled:
        raise InvalidState("This account's terms do not offer auto-recharge.")
    return terms


def _defaults(account: BillingAccount, terms: Terms) -> AutoRecharge:
    """What the profile proposes; not saved."""
    defaults = terms.auto_recharge
    if defaults is None:
        raise InvalidState("This account's terms do not offer auto-recharge.")
    cap = defaults.monthly_cap
    return AutoRecharge(
        account=account,
        enabled=False,
        threshold=defaults.threshold,
        amount_minor=minor_units(Amount(defaults.amount, terms.cash_currency)),
        monthly_cap_minor=None if cap is None else minor_units(Amount(cap, terms.cash_currency)),
        currency=terms.cash_currency,
    )


def _checked_cap(cap: Amount, amount: Amount) -> int:
    try:
        if cap >= amount:
            return minor_units(cap)
    except (InvalidAmount, UnitMismatch) as error:
        raise InvalidRequest(str(error), [_problem("monthly_cap", str(error))]) from error
    message = "The monthly cap does not cover one recharge."
    raise InvalidRequest(message, [_problem("monthly_cap", message)])


def _problem(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}


def _card(account_id: uuid.UUID) -> PaymentMethod | None:
    return PaymentMethod.objects.filter(account_id=account_id, is_default=True).first()
