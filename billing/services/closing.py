"""Closing an account for good: only when nothing is open, nothing is owed either way and no bought credits are left.

What was given and not used stays in the books, where nobody can spend it any more.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

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
from config.ids import public_id


class Way(StrEnum):
    """What is in the way, by name: pages know where each is resolved."""

    RUNNING = "running"
    PAYMENT = "payment"
    REFUND = "refund"
    DISPUTE = "dispute"
    ADJUSTMENT = "adjustment"
    INVOICE = "invoice"
    NOT_INVOICED = "not_invoiced"
    DEBT = "debt"
    PLAN = "plan"
    BOUGHT = "bought"
    SET_ASIDE = "set_aside"
    MEMBERS = "members"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing that has to be done first. ``about`` is the public id of the one row it is about, if there is one."""

    way: Way
    sentence: str
    about: str = ""
    account: uuid.UUID | None = None

    def __str__(self) -> str:
        return self.sentence


def obstacles(account: BillingAccount) -> list[Obstacle]:
    """What has to be done before the account can be closed; empty when it can be."""
    found = (*_under_way(account), *_asked(account), *_owed(account), *_paid_for(account))
    return [replace(obstacle, account=account.pk) for obstacle in found]


@transaction.atomic
def close(account_id: uuid.UUID, *, by: User) -> BillingAccount:
    """Close the account: keys open nothing, nothing is charged or recharged, nobody can join. Closing twice closes once.

    Raises InvalidState with all that has to be done first.
    """
    account = subscriptions.lock_account(account_id)
    if account.status == BillingAccount.Status.CLOSED:
        return account
    if found := obstacles(account):
        raise InvalidState(" ".join(map(str, found)))
    if (running := subscriptions.live(account_id)) is not None:
        subscriptions.end(account, running, reason="The account was closed", at=clock.now(), by=by)
    ApiKey.objects.filter(account=account, revoked_at=None).update(revoked_at=now())
    Invitation.objects.filter(account=account, accepted_at=None).delete()
    AutoRecharge.objects.filter(account=account).update(enabled=False)
    balances.close_row(account_id)
    account.status = BillingAccount.Status.CLOSED
    account.save(update_fields=["status"])
    return account


def _under_way(account: BillingAccount) -> Iterator[Obstacle]:
    """Work and payments that have not ended."""
    holds = Charge.objects.filter(account_id=account.pk, status="authorized").count()
    if holds == 1:
        yield Obstacle(Way.RUNNING, "1 request is still running; wait until it has finished.")
    elif holds:
        yield Obstacle(Way.RUNNING, f"{holds} requests are still running; wait until they have finished.")
    payment = Payment.objects.filter(account=account, status__in=Payment.OPEN).first()
    if payment is not None:
        text = (
            f"A payment of {parts(payment.total.micros, payment.total.unit)} is not finished; finish it, or wait a day until"
            " its page closes."
        )
        yield Obstacle(Way.PAYMENT, text, payment.public_id)


def _asked(account: BillingAccount) -> Iterator[Obstacle]:
    """What somebody else has to decide."""
    refund = RefundRequest.objects.filter(payment__account=account, status__in=("asked", "sent")).first()
    if refund is not None:
        text = "A refund is on its way; wait until it is decided and paid."
        yield Obstacle(Way.REFUND, text, _credited(refund.payment))
    disputes = Reversal.objects.filter(payment__account=account, kind="dispute", status__in=OPEN_DISPUTE)
    if (dispute := disputes.first()) is not None:
        text = "The bank still looks into a payment; wait for its decision."
        yield Obstacle(Way.DISPUTE, text, _credited(dispute.payment))
    if AdjustmentRequest.objects.filter(account=account, status="pending").exists():
        yield Obstacle(Way.ADJUSTMENT, "An adjustment waits for approval; it has to be decided first.")


def _owed(account: BillingAccount) -> Iterator[Obstacle]:
    """Invoices that are not paid, and a debt."""
    unpaid = list(Invoice.objects.filter(account=account, status="open").order_by("number"))
    if len(unpaid) == 1:
        text = f"{unpaid[0].number_text} is not paid yet; pay it first."
        yield Obstacle(Way.INVOICE, text, unpaid[0].public_id)
    elif unpaid:
        yield Obstacle(Way.INVOICE, f"{len(unpaid)} invoices are not paid yet; pay them first.")
    view = balances.of(account.pk)
    if view.balance >= 0:
        return
    owed = parts(-view.balance, view.unit)
    if account.mode in ("metered", "postpaid"):
        text = f"Work of {owed} is not invoiced yet; the invoice comes after the month's end. Pay it, then close."
        yield Obstacle(Way.NOT_INVOICED, text)
    else:
        yield Obstacle(Way.DEBT, f"The account owes {owed}; add funds first.")


def _paid_for(account: BillingAccount) -> Iterator[Obstacle]:
    """A plan that still runs, and bought credits that are not used."""
    running = Subscription.objects.filter(account=account, status__in=Subscription.LIVE).first()
    plan = snapshot.current().terms(account.profile).plan(running.plan) if running else None
    if running and plan and plan.price:
        text = (
            f"Plan {plan.name} runs until {running.period_ends_at:%d %B %Y}; cancel it, and close the account when it"
            " has ended."
        )
        yield Obstacle(Way.PLAN, text)
    bought = Grant.objects.filter(account_id=account.pk, source="topup", is_spent=False)
    left = bought.exclude(expires_at__lte=clock.now()).values("unit").annotate(micros=Sum("remaining"))
    for row in left:
        text = (
            f"{parts(row['micros'], row['unit'])} paid for and not used; spend that, ask for a refund on the"
            " purchase's own page, or ask us."
        )
        yield Obstacle(Way.BOUGHT, text)
    for unit, micros in modes.bought_and_set_aside(account).items():
        text = (
            f"{parts(micros, unit)} paid for are set aside since the account pays another way; change back and spend"
            " them, or ask us."
        )
        yield Obstacle(Way.SET_ASIDE, text)


def _credited(payment: Payment) -> str:
    """The transaction that a payment was credited with."""
    return public_id("txn", payment.transaction_id) if payment.transaction_id else ""
