"""Subscriptions: beginning one, its periods, and its end. Changing the plan is in ``plan_changes``.

Who calls decides whether it is paid: here a period begins and its credits are given, once, under the business key
(subscription, period). Locks: account, then balance, then subscription.
"""

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import clock, grants
from billing.ledger.post import lock as lock_balances
from billing.models import Subscription, SubscriptionEvent, SubscriptionPeriod
from billing.services import periods
from catalog import snapshot
from catalog.terms import Plan, Terms
from config.ids import new_id

log = logging.getLogger(__name__)

Status = Subscription.Status
Kind = SubscriptionEvent.Kind
RUNNING: Final = (Status.TRIALING, Status.ACTIVE, Status.PAST_DUE)


def lock_account(account_id: uuid.UUID) -> BillingAccount:
    """The account with its balance, locked in the order all changes of plan and mode keep."""
    account = BillingAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    lock_balances(account_id)
    return account


def live(account_id: uuid.UUID) -> Subscription | None:
    """The account's subscription that has not ended, locked; call it with the account locked."""
    return (
        Subscription.objects.select_for_update()
        .filter(account_id=account_id, status__in=Subscription.LIVE)
        .first()
    )


@transaction.atomic
def start(
    account_id: uuid.UUID, plan: str, *, trial: bool = False, by: User | None = None, reason: str = "",
    event_id: uuid.UUID | None = None,
) -> Subscription:  # fmt: skip
    """Begin a plan now, with its first credits; with ``trial`` for the plan's trial days, where it has some.

    The same plan asked for twice is begun once. Raises InvalidRequest for an unknown plan, InvalidState where
    another one runs.
    """
    account = lock_account(account_id)
    terms = snapshot.current().terms(account.profile)
    chosen = known_plan(terms, plan)
    if (running := live(account_id)) is not None:
        if running.plan == plan:
            return running
        raise InvalidState(f"The account is on plan {running.plan}. Change that one.")
    moment = clock.now().replace(microsecond=0)
    trial_ends = moment + timedelta(days=chosen.trial_days) if trial and chosen.trial_days else None
    subscription = Subscription.objects.create(
        account=account,
        plan=plan,
        status=Status.TRIALING if trial_ends else Status.ACTIVE,
        anchor=moment,
        period_ends_at=trial_ends or periods.period(moment, 0)[1],
        trial_ends_at=trial_ends,
    )
    note(subscription, Kind.STARTED, to_plan=plan, by=by, reason=reason, event_id=event_id)
    set_plan(account, plan)
    _give_once(account, chosen)
    _begin(account, subscription, chosen, terms, 0, moment, subscription.period_ends_at)
    return subscription


def renew_due(at_a_time: int = 500) -> int:
    """Begin every period that is due, each in a transaction of its own; returns how many subscriptions moved on.

    One that fails is tried again next time and keeps nobody waiting: each is taken once, the oldest first.
    """
    due = Subscription.objects.filter(status__in=RUNNING, period_ends_at__lte=clock.now())
    rows = due.order_by("period_ends_at", "pk").values_list("period_ends_at", "pk", "account_id")
    done, rest = 0, rows
    while taken := list(rest[:at_a_time]):
        done += each([account_id for _, _, account_id in taken], renew)
        ended, last, _ = taken[-1]
        rest = rows.filter(Q(period_ends_at__gt=ended) | Q(period_ends_at=ended, pk__gt=last))
    return done


def each(account_ids: list[uuid.UUID], verb: Callable[[uuid.UUID], object]) -> int:
    """Do it for each account, whatever becomes of the others; returns for how many it did something."""
    done = 0
    for account_id in account_ids:
        try:
            done += bool(verb(account_id))
        except Exception:
            log.exception("%s failed for account %s", verb.__name__, account_id)
    return done


@transaction.atomic
def renew(account_id: uuid.UUID) -> bool:
    """Move an account's subscription into the period of this moment; whether anything was due.

    After days off the missed periods are skipped: their credits would have lapsed with them. What was scheduled
    for the period's end happens; a trial ends. A plan that is paused waits.
    """
    account = lock_account(account_id)
    subscription = live(account_id)
    moment = clock.now()
    if subscription is None or subscription.status not in RUNNING or subscription.period_ends_at > moment:
        return False
    if subscription.cancel_at_end or subscription.status == Status.TRIALING:
        reason = (
            "The trial ended"
            if subscription.status == Status.TRIALING
            else "As it was canceled for the period's end"
        )
        end(account, subscription, reason=reason, at=subscription.period_ends_at)
        fall_back(account)
        return True
    terms = snapshot.current().terms(account.profile)
    before = subscription.plan
    plan = terms.plan(subscription.next_plan or subscription.plan)
    if plan is None:
        raise InvalidState(f"Plan {subscription.next_plan or subscription.plan} is no longer known.")
    number = periods.number_at(subscription.anchor, moment)
    starts_at, ends_at = periods.period(subscription.anchor, number)
    subscription.plan, subscription.next_plan, subscription.period_ends_at = plan.slug, "", ends_at
    subscription.save()
    set_plan(account, plan.slug)
    note(subscription, Kind.RENEWED, from_plan=before, to_plan=plan.slug)
    _begin(account, subscription, plan, terms, number, starts_at, ends_at)
    return True


def end(
    account: BillingAccount, subscription: Subscription, *, reason: str, at: datetime, by: User | None = None
) -> None:
    """The subscription is over; the account has no plan. Its credits lapse with their period."""
    before = subscription.plan
    subscription.status, subscription.ended_at = Status.CANCELED, at
    subscription.next_plan, subscription.cancel_at_end = "", False
    subscription.save()
    note(subscription, Kind.ENDED, from_plan=before, reason=reason, by=by)
    set_plan(account, "")


def fall_back(account: BillingAccount) -> None:
    """Onto the profile's default plan where that costs nothing, else onto none."""
    terms = snapshot.current().terms(account.profile)
    plan = terms.plan(terms.default_plan) if terms.default_plan else None
    if plan is not None and plan.price == 0 and plan.active:
        start(account.pk, plan.slug, reason="The plan that costs nothing")


def known_plan(terms: Terms, slug: str) -> Plan:
    """The plan. Raises InvalidRequest for one the profile does not have."""
    plan = terms.plan(slug)
    if plan is None:
        offered = ", ".join(item.slug for item in terms.plans) or "none"
        raise InvalidRequest(f"{terms.name} has no plan {slug!r}; it has {offered}.")
    return plan


def set_plan(account: BillingAccount, plan: str) -> None:
    """What gates and key slots go by."""
    if account.plan != plan:
        account.plan = plan
        account.save(update_fields=["plan"])


def note(
    subscription: Subscription, kind: str, *, from_plan: str = "", to_plan: str = "", reason: str = "",
    by: User | None = None, event_id: uuid.UUID | None = None,
) -> None:  # fmt: skip
    """Write down what was decided."""
    SubscriptionEvent.objects.create(
        id=event_id or new_id(), subscription=subscription, kind=kind, from_plan=from_plan, to_plan=to_plan,
        reason=reason[:200], by=by, at=clock.now(),
    )  # fmt: skip


def give(
    account: BillingAccount, plan: Plan, *, key: str, description: str, expires_at: datetime | None
) -> None:
    """The plan's credits, once per key."""
    grants.add(
        account_id=account.pk, micros=plan.credits, source="plan", kind="plan_grant", description=description,
        key=key, expires_at=expires_at, details={"plan": plan.slug},
    )  # fmt: skip


def _begin(
    account: BillingAccount, subscription: Subscription, plan: Plan, terms: Terms, number: int,
    starts_at: datetime, ends_at: datetime,
) -> None:  # fmt: skip
    """The period's row and its credits: both once, whoever else tries. They lapse when it ends (``terms.cycle``)."""
    SubscriptionPeriod.objects.create(
        subscription=subscription, number=number, plan=plan.slug, price=plan.price, currency=terms.cash_currency,
        credits=plan.credits, starts_at=starts_at, ends_at=ends_at,
    )  # fmt: skip
    if plan.credits:
        give(
            account, plan, key=f"plan:{subscription.pk.hex}:{number}", description=f"{plan.name} plan credits",
            expires_at=ends_at if terms.cycle.reset else None,
        )  # fmt: skip


def _give_once(account: BillingAccount, plan: Plan) -> None:
    """What a plan gives once, when an account first takes it (profile ``toon``, Free); it does not lapse."""
    if plan.credits_once:
        key = f"plan:once:{account.pk.hex}"
        if grants.posted(key) is None:
            grants.add(
                account_id=account.pk, micros=plan.credits_once, source="plan", kind="plan_grant",
                description=f"{plan.name} plan, once at sign-up", key=key,
            )  # fmt: skip
