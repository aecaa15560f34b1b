"""The life of a payment: what is recorded of it, and that it is credited exactly once.

Checkout's answer, the webhook, the return page and the sweeper all end in ``record``: it takes what Stripe
says, moves the payment where the table of transitions allows, and credits it under the business key
``topup:<id>``. Whoever comes second changes nothing.
"""

import logging
import uuid
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing import outbox
from billing.gateways import gateway
from billing.gateways.protocol import Busy, GatewayError, Outcome, Standing, Unreachable
from billing.ledger import clock, grants
from billing.ledger.post import lock as lock_balances
from billing.models import PAYMENT_TRANSITIONS, Payment
from billing.services import recharge_rule
from billing.services.validity import paid_expiry
from catalog import snapshot
from catalog.pricing.units import from_minor
from config.ids import parse_id

log = logging.getLogger(__name__)

Status = Payment.Status

FIRST_CHECK: Final = timedelta(seconds=45)
LONGEST_WAIT: Final = timedelta(minutes=5)
"""How often a payment without a final answer is looked up: often at first, at last every five minutes."""
LOST_AFTER: Final = timedelta(minutes=3)
"""A request Stripe has no trace of after this long never arrived."""
FINAL: Final = (Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.QUARANTINED)

_STATUS_OF: Final = {
    Outcome.OPEN: Status.SUBMITTED,
    Outcome.PROCESSING: Status.SUBMITTED,
    Outcome.REQUIRES_ACTION: Status.REQUIRES_ACTION,
    Outcome.SUCCEEDED: Status.SUCCEEDED,
    Outcome.FAILED: Status.FAILED,
    Outcome.CANCELED: Status.CANCELED,
}


def lock(payment_id: uuid.UUID) -> Payment:
    """The payment, locked for the caller's transaction. Locks go payment, then balance, then settings."""
    return Payment.objects.select_for_update(no_key=True).get(pk=payment_id)


def move(payment: Payment, status: Payment.Status) -> bool:
    """Put a locked payment into another state, if it may go there; the caller saves it."""
    if status not in PAYMENT_TRANSITIONS[payment.status]:
        return False
    payment.status = status
    final = status in FINAL
    payment.finished_at = now() if final else None
    payment.next_check_at = None if final else now() + FIRST_CHECK
    return True


@transaction.atomic
def submitting(payment_id: uuid.UUID, *, customer_id: str, method_id: str = "") -> Payment:
    """Note, before Stripe hears of it, that a payment goes out now and for which customer and card."""
    payment = lock(payment_id)
    if move(payment, Status.SUBMITTED) or payment.status == Status.SUBMITTED:
        payment.stripe_customer_id = payment.stripe_customer_id or customer_id
        payment.stripe_method_id = payment.stripe_method_id or method_id
        payment.submitted_at = payment.submitted_at or now()
        payment.save()
    return payment


@transaction.atomic
def unanswered(payment_id: uuid.UUID) -> Payment:
    """Stripe was asked and did not answer: nobody knows yet; the sweeper will find out."""
    payment = lock(payment_id)
    if move(payment, Status.UNKNOWN):
        payment.save()
    return payment


@transaction.atomic
def give_up(payment_id: uuid.UUID, *, status: Payment.Status, code: str, message: str) -> Payment:
    """Finish a payment that Stripe refused to hear of (failed) or never heard of (canceled)."""
    payment = lock(payment_id)
    if move(payment, status):
        payment.failure_code, payment.failure_message = code[:80], message[:500]
        payment.save()
        _tell_recharge(payment)
    return payment


@transaction.atomic
def record(payment_id: uuid.UUID, standing: Standing) -> Payment:
    """Take over what Stripe says of a payment; credits it when it is paid, once. Returns it as it is then.

    Paid with another amount, currency or customer than was asked for: quarantined, nothing is credited.
    """
    payment = lock(payment_id)
    if payment.status in (Status.SUCCEEDED, Status.QUARANTINED):
        return payment
    _note_ids(payment, standing)
    status = _STATUS_OF[standing.outcome]
    difference = _difference(payment, standing) if status == Status.SUCCEEDED else ""
    if difference:
        status = Status.QUARANTINED
    moved = move(payment, status)
    if moved:
        _note_reason(payment, standing, difference)
    if moved and status == Status.SUCCEEDED:
        _credit(payment)
    payment.save()
    if moved:
        _tell_recharge(payment)
    return payment


def _note_ids(payment: Payment, standing: Standing) -> None:
    """Stripe's names for the payment. An absent customer's intent is replaced by the one of the page that
    follows.
    """
    payment.stripe_checkout_id = payment.stripe_checkout_id or standing.checkout_id
    if standing.intent_id:
        payment.stripe_intent_id = standing.intent_id
    if standing.checkout_id or standing.action_url:
        payment.action_url = standing.action_url


def _note_reason(payment: Payment, standing: Standing, difference: str) -> None:
    if difference:
        log.error("payment %s quarantined: %s", payment.public_id, difference)
        payment.failure_code, payment.failure_message = "mismatch", difference
    elif payment.status == Status.SUCCEEDED:
        payment.failure_code = payment.failure_message = ""
    else:
        payment.failure_code = standing.failure_code[:80]
        payment.failure_message = standing.failure_message[:500]
    if payment.status in (Status.SUCCEEDED, Status.QUARANTINED):
        payment.stripe_charge_id = standing.charge_id
        payment.receipt_url = standing.receipt_url
        payment.card = standing.card[:40]
        payment.tax_minor = standing.tax_minor
    if payment.status in FINAL:
        payment.action_url = ""


def _difference(payment: Payment, standing: Standing) -> str:
    """How what was paid differs from what was asked for, in words; empty when it does not."""
    asked = (payment.cash_minor, payment.currency, payment.stripe_customer_id)
    paid = (standing.amount_minor, standing.currency, standing.customer_id)
    names = ("amount", "currency", "customer")
    found = [
        f"{name} {there} instead of {here}"
        for name, here, there in zip(names, asked, paid, strict=True)
        if here != there
    ]
    if standing.reference not in ("", payment.public_id):
        found.append(f"made for {standing.reference}")
    return "; ".join(found)


def _credit(payment: Payment) -> None:
    """The only place where a payment becomes credits."""
    account = payment.account
    counted_in = lock_balances(account.pk)[account.pk].unit
    expires_at = paid_expiry(account.profile, clock.now())
    noted = {} if expires_at is None else {"good_until": expires_at.isoformat()}
    if counted_in != payment.unit:
        # Paid before and credited after a change of how the account pays: the money buys what it is counted in now.
        payment.credits = snapshot.current().terms(account.profile).credits_for(payment.cash, counted_in)
        payment.unit = counted_in
    posted = grants.add(
        account_id=account.pk,
        micros=payment.credits,
        source="topup",
        kind=payment.purpose,
        description=f"{payment.get_purpose_display()} · {payment.cash} {payment.currency}",
        key=f"topup:{payment.public_id}",
        expires_at=expires_at,
        reference=payment.public_id,
        details={
            "cash": str(payment.cash),
            "currency": payment.currency,
            "payment": payment.public_id,
            **noted,
        },
    )
    if expires_at is not None:
        grants.extend_all(account.pk, expires_at)
    payment.transaction_id = posted.pk
    outbox.put(
        kind="email.receipt",
        key=f"receipt:{payment.public_id}",
        payload={"account": str(account.pk), "payment": str(payment.pk)},
    )


def _tell_recharge(payment: Payment) -> None:
    if payment.purpose == Payment.Purpose.AUTO_RECHARGE:
        recharge_rule.after(payment)


# Asking Stripe where a payment stands


def refresh(payment_id: uuid.UUID) -> Payment:
    """Ask Stripe where a payment stands and record it. Raises GatewayError; calls Stripe unless it is
    finished.
    """
    payment = Payment.objects.get(pk=payment_id)
    if payment.status in (Status.SUCCEEDED, Status.QUARANTINED):
        return payment
    standing = _ask(payment)
    if standing is not None:
        return record(payment.pk, standing)
    started = payment.submitted_at or payment.created_at
    if payment.status in Payment.IN_FLIGHT and now() - started > LOST_AFTER:
        return give_up(
            payment.pk,
            status=Status.CANCELED,
            code="not_submitted",
            message="The payment never reached the payment provider; nothing was charged.",
        )
    return payment


def _ask(payment: Payment) -> Standing | None:
    """The payment as Stripe knows it; where we do not know Stripe's name for it, it is looked for."""
    if payment.stripe_checkout_id:
        return gateway().checkout(payment.stripe_checkout_id)
    if payment.stripe_intent_id:
        return gateway().intent(payment.stripe_intent_id)
    if not payment.stripe_customer_id:
        return None
    look = gateway().find_checkout if payment.route == Payment.Route.CHECKOUT else gateway().find_intent
    return look(
        customer_id=payment.stripe_customer_id,
        reference=payment.public_id,
        since=payment.created_at - timedelta(hours=1),
    )


def reconcile_unknown(limit: int = 100) -> int:
    """Look up every payment without a final answer whose time has come; returns how many got one."""
    finished = 0
    for payment_id in _claim_due(limit):
        try:
            finished += refresh(payment_id).status in FINAL
        except (Unreachable, Busy):
            log.warning("payment %s: no answer, asked again later", payment_id)
        except GatewayError:
            log.exception("payment %s cannot be looked up", payment_id)
    return finished


@transaction.atomic
def _claim_due(limit: int) -> list[uuid.UUID]:
    moment = now()
    due = list(
        Payment.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(next_check_at__lte=moment)
        .order_by("next_check_at")[:limit]
    )
    for payment in due:
        payment.checks += 1
        payment.next_check_at = moment + min(FIRST_CHECK * 2 ** min(payment.checks, 10), LONGEST_WAIT)
    Payment.objects.bulk_update(due, ["checks", "next_check_at"])
    return [payment.pk for payment in due]


def compare_recent(since: datetime) -> int:
    """Stripe's own list against ours: paid attempts we do not know as paid are recorded; returns how many."""
    found = 0
    for standing in gateway().recent_intents(since):
        if standing.outcome is not Outcome.SUCCEEDED:
            continue
        payment = of_intent(standing.intent_id, standing.reference) or adopt(standing)
        if payment is None or payment.status in (Status.SUCCEEDED, Status.QUARANTINED):
            continue
        found += refresh(payment.pk).status == Status.SUCCEEDED
    return found


def notes(payment: Payment) -> dict[str, str]:
    """What is sent along to Stripe: enough to know the payment again should our database forget it."""
    return {
        "account": payment.account.public_id,
        "purpose": payment.purpose,
        "route": payment.route,
        "cash_minor": str(payment.cash_minor),
    }


def adopt(standing: Standing) -> Payment | None:
    """A paid attempt that our database does not know, as after a restore from a backup, by what was sent
    along.

    It gets the id it had, so that it can be credited once only. None when it is not one of ours.
    """
    payment_id = parse_id("pay", standing.reference)
    account_id = parse_id("acct", standing.sent.get("account", ""))
    account = BillingAccount.objects.filter(pk=account_id).first() if account_id else None
    price = standing.sent.get("cash_minor", "")
    if payment_id is None or account is None or not price.isdecimal():
        return None
    if account.stripe_customer_id is None:
        BillingAccount.objects.filter(pk=account.pk).update(stripe_customer_id=standing.customer_id)
    elif account.stripe_customer_id != standing.customer_id:
        return None
    log.warning("payment %s was unknown here and is taken over from Stripe", standing.reference)
    payment, _ = Payment.objects.get_or_create(
        pk=payment_id,
        defaults={
            "account": account,
            "purpose": standing.sent.get("purpose", Payment.Purpose.TOPUP),
            "route": standing.sent.get("route", Payment.Route.CHECKOUT),
            "status": Status.UNKNOWN,
            "cash_minor": int(price),
            "currency": standing.currency,
            "credits": snapshot.current()
            .terms(account.profile)
            .credits_for(from_minor(int(price), standing.currency), account.unit),
            "unit": account.unit,
            "stripe_customer_id": standing.customer_id,
            "created_at": now() - timedelta(days=2),
            "next_check_at": now() + FIRST_CHECK,
        },
    )
    return payment


def of_intent(intent_id: str | None, reference: str) -> Payment | None:
    """Our payment behind a PaymentIntent: by the id we noted, else by the reference we sent along."""
    if intent_id and (known := Payment.objects.filter(stripe_intent_id=intent_id).first()):
        return known
    payment_id = parse_id("pay", reference)
    return Payment.objects.filter(pk=payment_id).first() if payment_id else None
