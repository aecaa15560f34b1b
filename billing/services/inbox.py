"""What Stripe's events mean for us, done from the inbox: one row per event, one service per type.

An event only says where to look: every effect asks Stripe for the object as it is now, so events may come
twice, late or in any order. A row that could not be finished is tried again, and parked in the end; others
flow on.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.timezone import now

from billing.gateways.protocol import Missing
from billing.models import Payment, PaymentMethod, WebhookInbox
from billing.outbox import NEVER_TOLD
from billing.services import erasure, payment_methods, payments, reversals
from config.ids import parse_id

log = logging.getLogger(__name__)

Thing = dict[str, Any]
Effect = Callable[[Thing], None]

LEASE: Final = timedelta(minutes=2)
FIRST_WAIT: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(minutes=10)
PARK_AFTER: Final = 20


def _checkout(session: Thing) -> None:
    if session.get("mode") == "setup":
        if session.get("status") == "complete":
            payment_methods.finish_setup(session["id"])
        return
    payment = Payment.objects.filter(stripe_checkout_id=session["id"]).first()
    payment_id = payment.pk if payment else parse_id("pay", session.get("client_reference_id") or "")
    if payment_id and Payment.objects.filter(pk=payment_id).exists():
        payments.refresh(payment_id)


def _intent(intent: Thing) -> None:
    reference = (intent.get("metadata") or {}).get("payment", "")
    payment = payments.of_intent(intent["id"], reference if isinstance(reference, str) else "")
    if payment is not None:
        payments.refresh(payment.pk)


def _method(method: Thing) -> None:
    if isinstance(method.get("customer"), str):
        payment_methods.refresh_customer(method["customer"])


def _detached(method: Thing) -> None:
    """A detached card names no customer any more; our mirror knows whose it was."""
    mine = PaymentMethod.objects.filter(stripe_id=method["id"]).first()
    if mine is not None:
        payment_methods.refresh(mine.account_id)


def _customer(customer: Thing) -> None:
    payment_methods.refresh_customer(customer["id"])


def _refund(refund: Thing) -> None:
    reversals.record_refund(refund["id"])


def _refunded(charge: Thing) -> None:
    reversals.record_refunds_of(charge["id"])


def _dispute(dispute: Thing) -> None:
    reversals.record_dispute(dispute["id"])


EFFECTS: Final[dict[str, Effect]] = {
    "checkout.session.completed": _checkout,
    "checkout.session.async_payment_succeeded": _checkout,
    "checkout.session.async_payment_failed": _checkout,
    "checkout.session.expired": _checkout,
    "payment_intent.succeeded": _intent,
    "payment_intent.payment_failed": _intent,
    "payment_intent.canceled": _intent,
    "payment_intent.processing": _intent,
    "payment_intent.requires_action": _intent,
    "setup_intent.succeeded": _method,
    "payment_method.attached": _method,
    "payment_method.updated": _method,
    "payment_method.automatically_updated": _method,
    "payment_method.detached": _detached,
    "customer.updated": _customer,
    "customer.deleted": _customer,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.refunded": _refunded,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
    "charge.dispute.funds_withdrawn": _dispute,
    "charge.dispute.funds_reinstated": _dispute,
}
"""Type of event → what it does here. The webhook endpoint asks Stripe for exactly these."""


def receive(event: dict[str, Any]) -> None:
    """Keep an event that has an effect here, inside the caller's transaction; a repeat changes nothing."""
    if event["type"] not in EFFECTS:
        return
    thing = event["data"]["object"]
    row = WebhookInbox(
        event_id=event["id"], type=event["type"], object_id=str(thing.get("id") or "")[:255], payload=thing
    )
    WebhookInbox.objects.bulk_create([row], ignore_conflicts=True)


def note_mirror_error(event_id: str, error: str) -> None:
    """dj-stripe could not mirror the event; what it means for money is done all the same."""
    WebhookInbox.objects.filter(pk=event_id).update(mirror_error=error[:2000])


def finish(event_id: str) -> bool:
    """Do what a kept event means, unless it is done or another process is at it; True when it is done now."""
    row = _claim_one(event_id)
    return row is not None and _carry_out(row)


def sweep(limit: int = 200) -> int:
    """Finish what was left unfinished, oldest first; returns how many events are done now."""
    done = 0
    for _ in range(limit):
        row = _claim_one(None)
        if row is None:
            break
        done += _carry_out(row)
    return done


@transaction.atomic
def _claim_one(event_id: str | None) -> WebhookInbox | None:
    rows = WebhookInbox.objects.filter(
        done_at__isnull=True, parked_at__isnull=True, next_attempt_at__lte=now()
    )
    if event_id is not None:
        rows = rows.filter(pk=event_id)
    rows.filter(attempts__gte=PARK_AFTER).update(parked_at=now(), last_error=NEVER_TOLD)
    row = rows.select_for_update(skip_locked=True).order_by("next_attempt_at").first()
    if row is not None:
        row.attempts += 1
        row.next_attempt_at = now() + LEASE
        row.save(update_fields=["attempts", "next_attempt_at"])
    return row


def _carry_out(row: WebhookInbox) -> bool:
    mine = WebhookInbox.objects.filter(pk=row.pk)
    try:
        _do(row)
    except Missing as error:
        # What the event speaks of is gone at Stripe: there is nothing left to do.
        mine.update(done_at=now(), last_error=str(error)[:2000])
        return True
    except Exception as error:
        log.exception("event %s not finished", row)
        parked = now() if row.attempts >= PARK_AFTER else None
        wait = min(FIRST_WAIT * 2 ** (row.attempts - 1), LONGEST_WAIT)
        mine.update(
            last_error=f"{type(error).__name__}: {error}"[:2000],
            next_attempt_at=now() + wait,
            parked_at=parked,
        )
        return False
    mine.update(done_at=now(), last_error="")
    return True


def _do(row: WebhookInbox) -> None:
    try:
        EFFECTS[row.type](row.payload)
    finally:
        erasure.let_go(row)
