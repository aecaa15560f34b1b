"""Closing an account for good: only when nothing is open, nothing is owed either way and no bought credits are left.

What was given and not used stays in the books, where nobody can spend it any more.
"""

import uuid

from django.db import transaction
from django.db.models import Sum
from django.utils.timezone import now

from accounts.models import ApiKey, BillingAccount, Invitation, User
from billing.errors import InvalidState
from billing.ledger import balances, clock
from billing.ledger.models import Charge, Grant
from billing.models import (
    AdjustmentRequest,
    AutoRecharge,
    Invoice,
    Payment,
    RefundRequest,
    Reversal,
    Subscription,
)
from billing.models.payments import OPEN_DISPUTE
from billing.money_text import parts
from billing.services import modes, subscriptions
from catalog import snapshot


def obstacles(account: BillingAccount) -> list[str]:
    """What has to be done before the account can be closed, each a sentence; empty when it can be."""
    found = (*_under_way(account), *_owed(account), *_paid_for(account))
    return [sentence for sentence in found if sentence]


@transaction.atomic
def close(account_id: uuid.UUID, *, by: User) -> BillingAccount:
    """Close the account: keys open nothing, nothing is charged or recharged, nobody can join. Closing twice closes once.

    Raises InvalidState with all that has to be done first.
    """
    account = subscriptions.lock_account(account_id)
    if account.status == BillingAccount.Status.CLOSED:
        return account
    if found := obstacles(account):
        raise InvalidState(" ".join(found))
    if (running := subscriptions.live(account_id)) is not None:
        subscriptions.end(account, running, reason="The account was closed", at=clock.now(), by=by)
    ApiKey.objects.filter(account=account, revoked_at=None).update(revoked_at=now())
    Invitation.objects.filter(account=account, accepted_at=None).delete()
    AutoRecharge.objects.filter(account=account).update(enabled=False)
    balances.close_row(account_id)
    account.status = BillingAccount.Status.CLOSED
    account.save(update_fields=["status"])
    return account


def _under_way(account: BillingAccount) -> tuple[str, ...]:
    """Work, payments and decisions that have not ended."""
    holds = Charge.objects.filter(account_id=account.pk, status="authorized").count()
    payment = Payment.objects.filter(account=account, status__in=Payment.OPEN).first()
    refunds = RefundRequest.objects.filter(payment__account=account, status__in=("asked", "sent"))
    disputes = Reversal.objects.filter(payment__account=account, kind="dispute", status__in=OPEN_DISPUTE)
    waiting = AdjustmentRequest.objects.filter(account=account, status="pending")
    running = "1 request is" if holds == 1 else f"{holds} requests are"
    return (
        f"{running} still running; wait until that has finished." if holds else "",
        f"A payment of {parts(payment.total.micros, payment.total.unit)} is not finished; finish it, or wait a day until"
        " its page closes."
        if payment
        else "",
        "A refund is on its way; wait until it is decided and paid." if refunds.exists() else "",
        "The bank still looks into a payment; wait for its decision." if disputes.exists() else "",
        "An adjustment waits for approval; it has to be decided first." if waiting.exists() else "",
    )


def _owed(account: BillingAccount) -> tuple[str, ...]:
    """A debt, and invoices that are not paid."""
    view = balances.of(account.pk)
    unpaid = Invoice.objects.filter(account=account, status="open").order_by("number").first()
    owed = parts(-view.balance, view.unit)
    later = account.mode in ("metered", "postpaid")
    debt = (
        f"Work of {owed} is not invoiced yet; the invoice comes after the month's end. Pay it, then close."
        if later
        else f"The account owes {owed}; add funds first."
    )
    return (
        f"{unpaid.number_text} is not paid yet; pay it first." if unpaid else "",
        debt if view.balance < 0 else "",
    )


def _paid_for(account: BillingAccount) -> tuple[str, ...]:
    """A plan that still runs, and bought credits that are not used."""
    running = Subscription.objects.filter(account=account, status__in=Subscription.LIVE).first()
    aside = modes.bought_and_set_aside(account)
    plan = snapshot.current().terms(account.profile).plan(running.plan) if running else None
    bought = Grant.objects.filter(account_id=account.pk, source="topup", is_spent=False)
    left = bought.exclude(expires_at__lte=clock.now()).values("unit").annotate(micros=Sum("remaining"))
    return (
        f"Plan {plan.name} runs until {running.period_ends_at:%d %B %Y}; cancel it, and close the account when it has ended."
        if running and plan and plan.price
        else "",
        *(
            f"{parts(row['micros'], row['unit'])} paid for and not used; spend that, ask for a refund on the"
            " purchase's own page, or ask us."
            for row in left
        ),
        *(
            f"{parts(micros, unit)} paid for are set aside since the account pays another way; change back and spend"
            " them, or ask us."
            for unit, micros in aside.items()
        ),
    )
