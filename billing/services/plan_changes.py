"""Changing a plan: what it would do, at once upwards, at the period's end downwards, and undoing that.

Upwards the new allowance is given at once. What is left of the old one lapses with it (profile ``toon``), or is carried
along until the period ends (profile ``sites``, ``terms.cycle.carry_on_upgrade``). A plan that cost nothing, or a
trial, is followed by a new subscription whose periods count from now; other upgrades keep the running period.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db import transaction

from accounts.models import BillingAccount, User
from billing.errors import InvalidState
from billing.ledger import clock, plan_credits
from billing.models import Subscription, SubscriptionEvent, SubscriptionPeriod
from billing.selectors import keys
from billing.services import periods, subscriptions
from billing.services.subscriptions import Kind, Status, known_plan, lock_account, note, set_plan
from catalog import snapshot
from catalog.terms import Plan, Terms

Way = Literal["same", "now", "at_end"]


@dataclass(frozen=True, slots=True)
class Preview:
    """What taking a plan would do. ``carried`` and ``lapses``: micros of the allowance that is left.

    ``way``: at once, at the period's end (``at``), or nothing at all. ``pays``: it costs something that has to be
    arranged first. ``trial_days``: it can be tried for so long instead. ``too_many`` names the keys beyond its slots.
    """

    plan: Plan
    current: Plan | None
    way: Way
    at: datetime
    credits: int
    carried: int
    lapses: int
    pays: bool
    trial_days: int
    too_many: tuple[str, ...]
    slots: int | None
    ends_at: datetime
    restarts: bool


def preview(account: BillingAccount, plan: str) -> Preview:
    """What the account's taking this plan would do now. Raises InvalidRequest for an unknown plan."""
    terms = snapshot.current().terms(account.profile)
    chosen = known_plan(terms, plan)
    running = Subscription.objects.filter(account=account, status__in=subscriptions.RUNNING).first()
    current = terms.plan(running.plan) if running else None
    way = _way(current, chosen, running)
    moment = clock.now()
    restarts = way == "now" and _restarts(current, running)
    left = plan_credits.left(account.pk) if way == "now" else 0
    trial = chosen.trial_days if restarts and chosen.price and not _had_trial(account) else 0
    return Preview(
        plan=chosen,
        current=current,
        way=way,
        at=running.period_ends_at if running and way == "at_end" else moment,
        credits=chosen.credits,
        carried=left if terms.cycle.carry_on_upgrade else 0,
        lapses=0 if terms.cycle.carry_on_upgrade else left,
        pays=way == "now" and chosen.price > 0 and not trial,
        trial_days=trial,
        too_many=over_slots(account, chosen),
        slots=chosen.key_slots,
        ends_at=running.period_ends_at if running and not restarts else periods.period(moment, 0)[1],
        restarts=restarts,
    )


@transaction.atomic
def change(
    account_id: uuid.UUID, plan: str, *, by: User | None = None, reason: str = "", arranged: bool = False,
    event_id: uuid.UUID | None = None,
) -> Subscription:  # fmt: skip
    """Take a plan: at once when it is a higher one or the first, else from the period's end.

    ``arranged``: whoever asks has seen to the price; without it only what costs nothing now is done, or a trial
    begun. Raises InvalidState with what to do instead, InvalidRequest for an unknown plan. The same ``event_id``
    changes once.
    """
    account = lock_account(account_id)
    subscriptions.renew(account_id)
    account.refresh_from_db()
    running = subscriptions.live(account_id)
    if (
        event_id is not None
        and SubscriptionEvent.objects.filter(pk=event_id).exists()
        and running is not None
    ):
        return running
    terms = snapshot.current().terms(account.profile)
    chosen = known_plan(terms, plan)
    _refuse(account, chosen, running, arranged=arranged)
    current = terms.plan(running.plan) if running else None
    if _way(current, chosen, running) == "at_end":
        assert running is not None
        return _schedule(running, chosen, by=by, reason=reason, event_id=event_id)
    trial = not arranged and chosen.price > 0
    if running is None or _restarts(current, running):
        return _restart(account, running, chosen, terms, trial=trial, by=by, reason=reason, event_id=event_id)
    return _upgrade(account, running, chosen, terms, by=by, reason=reason, event_id=event_id)


@transaction.atomic
def cancel(account_id: uuid.UUID, *, by: User | None = None, reason: str = "") -> Subscription:
    """End the plan with its period; until then it can be undone. Raises InvalidState without one."""
    lock_account(account_id)
    running = _running(account_id)
    if not running.cancel_at_end:
        running.next_plan, running.cancel_at_end = "", True
        running.save()
        note(running, Kind.CANCELING, from_plan=running.plan, by=by, reason=reason)
    return running


@transaction.atomic
def undo(account_id: uuid.UUID, *, by: User | None = None) -> Subscription:
    """Keep the plan after all; nothing happens at the period's end. Twice is once. Raises InvalidState without a plan."""
    lock_account(account_id)
    running = _running(account_id)
    if running.next_plan or running.cancel_at_end:
        note(running, Kind.UNDONE, from_plan=running.next_plan, to_plan=running.plan, by=by)
        running.next_plan, running.cancel_at_end = "", False
        running.save()
    return running


def over_slots(account: BillingAccount, plan: Plan) -> tuple[str, ...]:
    """The names of all keys, where the account has more than the plan's slots; () where they fit."""
    if plan.key_slots is None:
        return ()
    names = tuple(
        f"{row.key.name} ({row.key.prefix}…{row.key.last4})"
        for row in keys.rows(account)
        if row.state == "active"
    )
    return names if len(names) > plan.key_slots else ()


def refuse_keys(account: BillingAccount, plan: Plan) -> None:
    """Raises InvalidState that names the keys of which some have to be revoked before the plan fits."""
    if names := over_slots(account, plan):
        assert plan.key_slots is not None
        raise InvalidState(
            f"{plan.name} has {plan.key_slots or 'no'} API key{'' if plan.key_slots == 1 else 's'}. "
            f"Revoke {len(names) - plan.key_slots} of these first: {', '.join(names)}.",
            keys=list(names),
        )


def _way(current: Plan | None, chosen: Plan, running: Subscription | None) -> Way:
    if current is None or running is None:
        return "now"
    if running.status == Status.TRIALING:
        return "same" if running.plan == chosen.slug else "now"
    if current.slug == chosen.slug:
        return "same"
    return "now" if chosen.rank > current.rank else "at_end"


def _restarts(current: Plan | None, running: Subscription | None) -> bool:
    return running is None or current is None or current.price == 0 or running.status == Status.TRIALING


def _refuse(account: BillingAccount, chosen: Plan, running: Subscription | None, *, arranged: bool) -> None:
    if running is not None and running.status == Status.PAUSED:
        raise InvalidState("The account pays per use. Switch that off first; then the plan can be changed.")
    if account.mode == BillingAccount.Mode.METERED:
        raise InvalidState("The account pays per use. Switch that off first; then a plan can be taken.")
    if (
        running is not None
        and running.plan == chosen.slug
        and not (arranged and running.status == Status.TRIALING)
    ):
        raise InvalidState(f"{chosen.name} is the current plan. Nothing has to be changed.")
    if not chosen.active:
        raise InvalidState(f"{chosen.name} is no longer offered. Choose another plan.")
    refuse_keys(account, chosen)
    shown = preview(account, chosen.slug)
    if shown.pays and not arranged:
        raise InvalidState(f"{chosen.name} has to be paid for before it begins. Ask us, and we arrange it.")


def _had_trial(account: BillingAccount) -> bool:
    return Subscription.objects.filter(account=account, trial_ends_at__isnull=False).exists()


def _running(account_id: uuid.UUID) -> Subscription:
    subscriptions.renew(account_id)
    running = subscriptions.live(account_id)
    if running is None or running.status not in subscriptions.RUNNING:
        raise InvalidState("There is no plan that runs.")
    return running


def _schedule(
    running: Subscription, chosen: Plan, *, by: User | None, reason: str, event_id: uuid.UUID | None
) -> Subscription:
    if running.next_plan != chosen.slug:
        running.next_plan, running.cancel_at_end = chosen.slug, False
        running.save()
        note(
            running, Kind.SCHEDULED, from_plan=running.plan, to_plan=chosen.slug, by=by, reason=reason,
            event_id=event_id,
        )  # fmt: skip
    return running


def _restart(
    account: BillingAccount, running: Subscription | None, chosen: Plan, terms: Terms, *, trial: bool,
    by: User | None, reason: str, event_id: uuid.UUID | None,
) -> Subscription:  # fmt: skip
    if running is not None:
        subscriptions.end(account, running, reason=f"Followed by {chosen.name}", at=clock.now(), by=by)
    if not terms.cycle.carry_on_upgrade:
        plan_credits.end(account.pk)
    begun = subscriptions.start(account.pk, chosen.slug, trial=trial, by=by, reason=reason, event_id=event_id)
    if terms.cycle.carry_on_upgrade:
        plan_credits.carry(account.pk, begun.period_ends_at)
    return begun


def _upgrade(
    account: BillingAccount, running: Subscription, chosen: Plan, terms: Terms, *, by: User | None, reason: str,
    event_id: uuid.UUID | None,
) -> Subscription:  # fmt: skip
    """Within the period: its end stays, the new allowance is given at once, the next period is the new plan's."""
    if not terms.cycle.carry_on_upgrade:
        plan_credits.end(account.pk)
    before = running.plan
    running.plan, running.next_plan, running.cancel_at_end = chosen.slug, "", False
    running.save()
    set_plan(account, chosen.slug)
    period = SubscriptionPeriod.objects.filter(subscription=running).latest("number")
    step = running.events.filter(kind=Kind.UPGRADED).count() + 1
    note(
        running, Kind.UPGRADED, from_plan=before, to_plan=chosen.slug, by=by, reason=reason, event_id=event_id
    )
    if chosen.credits:
        subscriptions.give(
            account, chosen, key=f"plan:{running.pk.hex}:{period.number}:upgrade:{step}",
            description=f"{chosen.name} plan credits",
            expires_at=period.ends_at if terms.cycle.reset else None,
        )  # fmt: skip
    return running
