"""Background work: a name, an id, one service call. A lost task only delays: the sweeps find what is left."""

import uuid
from datetime import timedelta

from celery import shared_task
from django.utils.timezone import now

from billing import outbox
from billing.ledger import balances, usage_days
from billing.models import ReconciliationRun
from billing.services import (
    auto_recharge,
    balance_notices,
    charges,
    comfort,
    commitments,
    credit_limits,
    estimate_accuracy,
    expiry,
    expiry_notices,
    history_blocks,
    idempotency,
    inbox,
    invoicing,
    limit_notices,
    offers,
    payments,
    price_notices,
    refunds,
    statements,
    subscriptions,
)
from billing.services.reconciliation import runs


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
    refunds.finish_sent()


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
    """End the holds that nobody has settled in time: given back, but for what was reported of their phases."""
    charges.expire_all_due()


@shared_task(name="billing.expire_credits", ignore_result=True)
def expire_credits() -> None:
    """Post the credits that have lapsed."""
    expiry.expire_credits()


@shared_task(name="billing.fold_usage", ignore_result=True)
def fold_usage() -> None:
    """Sum up by day what was posted since the last time, so that charts read days and not transactions."""
    usage_days.fold_all()


@shared_task(name="billing.keep_blocks", ignore_result=True)
def keep_blocks() -> None:
    """Note what long histories are searched by."""
    history_blocks.keep_up()


@shared_task(name="billing.fold_holds", ignore_result=True)
def fold_holds() -> None:
    """Add up what is held without a lock, so that balance rows say it too."""
    balances.fold_holds()


@shared_task(name="billing.follow_usage", ignore_result=True)
def follow_usage() -> None:
    """Let each account's low mark follow its recent usage."""
    comfort.follow_usage()


@shared_task(name="billing.count_offers", ignore_result=True)
def count_offers() -> None:
    """Soon after a month began, count the one before: for tiers that follow it, and what commitments lack."""
    offers.count_months()
    commitments.bill_due()


@shared_task(name="billing.measure_estimates", ignore_result=True)
def measure_estimates() -> None:
    """Hold the estimates of the last 30 days against what the work did cost."""
    estimate_accuracy.measure()


@shared_task(name="billing.forget_answers", ignore_result=True)
def forget_answers() -> None:
    """Let go of answers to requests that nobody may repeat any more."""
    idempotency.forget_old()


@shared_task(name="billing.watch_limit", ignore_result=True)
def watch_limit(account_id: str) -> None:
    """Tell one account how far its month is, right after the request that passed a level."""
    limit_notices.watch(uuid.UUID(account_id))


@shared_task(name="billing.limit_stopped", ignore_result=True)
def limit_stopped(account_id: str, required: str) -> None:
    """Tell one account that its limit refused a request of so many micros."""
    limit_notices.stopped(uuid.UUID(account_id), int(required))


@shared_task(name="billing.key_limit_stopped", ignore_result=True)
def key_limit_stopped(account_id: str, key_id: str, required: str) -> None:
    """Tell one account that a key's own limit refused a request of so many micros."""
    limit_notices.key_stopped(uuid.UUID(account_id), uuid.UUID(key_id), int(required))


@shared_task(name="billing.sweep_notices", ignore_result=True)
def sweep_notices() -> None:
    """Tell customers what they have not been told yet: limits, balances, credits about to expire."""
    limit_notices.sweep()
    balance_notices.sweep()
    expiry_notices.sweep()


@shared_task(name="billing.tell_prices", ignore_result=True)
def tell_prices() -> None:
    """Tell customers of the prices that were announced to them."""
    price_notices.tell_all()


@shared_task(name="billing.look_at_books", ignore_result=True)
def look_at_books(everything: bool = False) -> None:
    """Check the promises of the books: on what is new, or (once a night) on everything."""
    runs.record(ReconciliationRun.Asked.SCHEDULE, everything=everything)
    runs.forget_old()


@shared_task(name="billing.run_looks", ignore_result=True)
def run_looks() -> None:
    """Do the looks at the books that staff asked for."""
    runs.run_waiting()


@shared_task(name="billing.seal_statements", ignore_result=True)
def seal_statements() -> None:
    """Sign last month's statements, and those of months before that are missing."""
    statements.seal_due()


@shared_task(name="billing.renew_plans", ignore_result=True)
def renew_plans() -> None:
    """Begin the billing periods that are due, with their credits."""
    subscriptions.renew_due()


@shared_task(name="billing.close_months", ignore_result=True)
def close_months() -> None:
    """Invoice the months that are over, of accounts that pay afterwards."""
    invoicing.close_due()


@shared_task(name="billing.follow_credit_limits", ignore_result=True)
def follow_credit_limits() -> None:
    """Let credit limits follow their accounts' history."""
    credit_limits.recompute_all()
