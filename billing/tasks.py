"""Background work: a name, an id, one service call. A lost task only delays: the sweeps find what is left."""

import uuid
from datetime import timedelta

from celery import shared_task
from django.utils.timezone import now

from billing import outbox
from billing.ledger import usage_days
from billing.services import auto_recharge, charges, expiry, idempotency, inbox, payments


@shared_task(name="billing.recharge", ignore_result=True)
def recharge(account_id: str) -> None:
    """Recharge one account if it is below its threshold."""
    auto_recharge.recharge_now(uuid.UUID(account_id))


@shared_task(name="billing.sweep_recharges", ignore_result=True)
def sweep_recharges() -> None:
    auto_recharge.run_due()


@shared_task(name="billing.sweep_payments", ignore_result=True)
def sweep_payments() -> None:
    payments.reconcile_unknown()
    auto_recharge.ask_waiting_customers()


@shared_task(name="billing.compare_with_stripe", ignore_result=True)
def compare_with_stripe() -> None:
    payments.compare_recent(since=now() - timedelta(hours=24))


@shared_task(name="billing.sweep_inbox", ignore_result=True)
def sweep_inbox() -> None:
    inbox.sweep()


@shared_task(name="billing.relay_outbox", ignore_result=True)
def relay_outbox() -> None:
    outbox.relay()


@shared_task(name="billing.expire_charges", ignore_result=True)
def expire_charges() -> None:
    """Give back what is held for requests that nobody has settled in time."""
    charges.expire_all_due()


@shared_task(name="billing.expire_credits", ignore_result=True)
def expire_credits() -> None:
    """Post the credits that have lapsed."""
    expiry.expire_credits()


@shared_task(name="billing.fold_usage", ignore_result=True)
def fold_usage() -> None:
    """Sum up by day what was posted since the last time, so that charts read days and not transactions."""
    usage_days.fold_all()


@shared_task(name="billing.forget_answers", ignore_result=True)
def forget_answers() -> None:
    """Let go of answers to requests that nobody may repeat any more."""
    idempotency.forget_old()
