"""What each end of an automatic recharge means for the next one: go on, wait, or pause and say so.

The rule also sits on the ledger's balance row, where authorize reads it; both change in one transaction.
Locks: balance, then settings.
"""

import uuid
from datetime import datetime, timedelta
from typing import Final

from django.utils.timezone import now

from billing import outbox
from billing.ledger import balances
from billing.ledger.post import lock as lock_balances
from billing.models import AutoRecharge, Payment

WAITS: Final = (timedelta(minutes=1), timedelta(minutes=10))
"""How long after the first and the second failure in a row nothing is tried; the third one pauses."""
UNKNOWN_WAIT: Final = timedelta(minutes=1)

Status = Payment.Status
Pause = AutoRecharge.Pause


def locked(account_id: uuid.UUID) -> AutoRecharge | None:
    """The account's settings, locked in the order every path keeps: balance first."""
    lock_balances(account_id)
    return AutoRecharge.objects.select_for_update().filter(pk=account_id).first()


def arm(settings: AutoRecharge) -> None:
    """Save the settings and put the rule they amount to on the balance row."""
    settings.save()
    live = settings.enabled and settings.paused_at is None
    balances.set_recharge_rule(
        settings.account_id,
        below=settings.threshold if live else None,
        after=settings.next_attempt_at if live else None,
    )


def pause(settings: AutoRecharge, reason: "AutoRecharge.Pause") -> None:
    settings.paused_at = now()
    settings.pause_reason = reason
    settings.next_attempt_at = None
    arm(settings)


def resume(settings: AutoRecharge) -> None:
    settings.paused_at = None
    settings.pause_reason = ""
    settings.failures = 0
    settings.next_attempt_at = None
    arm(settings)


def wait(settings: AutoRecharge, until: datetime) -> None:
    settings.next_attempt_at = until
    arm(settings)


def after(payment: Payment) -> None:
    """Draw the conclusion from an attempt that just changed its state, inside the same transaction."""
    settings = locked(payment.account_id)
    if settings is None:
        return
    if payment.status == Status.SUCCEEDED:
        settings.failures = 0
        settings.next_attempt_at = None
        arm(settings)
    elif payment.status == Status.FAILED:
        _after_failure(settings, payment)
    elif payment.status == Status.REQUIRES_ACTION and settings.paused_at is None:
        pause(settings, Pause.ACTION_REQUIRED)
    elif payment.status == Status.QUARANTINED and settings.paused_at is None:
        pause(settings, Pause.FAILURES)


def _after_failure(settings: AutoRecharge, payment: Payment) -> None:
    settings.failures += 1
    if settings.failures > len(WAITS):
        pause(settings, Pause.FAILURES)
        kind = "email.recharge_paused"
    else:
        wait(settings, now() + WAITS[settings.failures - 1])
        kind = "email.recharge_failed"
    outbox.put(
        kind=kind,
        key=f"{kind}:{payment.public_id}",
        payload={"account": str(payment.account_id), "payment": str(payment.pk)},
    )
