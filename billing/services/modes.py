"""Changing how an account pays: prepaid, by a plan, per use under a limit, or by invoice.

Holds are never touched: they settle at their own price in the unit they were placed in. Where both ways count in the same
unit, the change is at once and open holds go on in the same balance. Where the unit changes (profile ``toon``: plans count
credits, pay-per-use dollars), it waits until nothing is held; what is left is set aside in its grants and is there
again when the account comes back. Leaving a way that pays afterwards invoices what was used so far.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Sum

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import balances, clock, grants, key_limits, units
from billing.ledger.models import Balance, Charge, GrantUse, Transaction
from billing.models import (
    AutoRecharge,
    BalanceAlert,
    Invoice,
    ModeChange,
    SpendingLimit,
    Subscription,
)
from billing.services import credit_limits, invoicing, limits, plan_changes, subscriptions
from billing.services.subscriptions import Kind, Status, lock_account, note, set_plan
from catalog import snapshot
from catalog.pricing.units import micros_to_text
from catalog.terms import Terms
from config.ids import new_id

Mode = BillingAccount.Mode
PAY_LATER: Final = invoicing.PAY_LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A change as it was asked for. ``limit``: the monthly spending limit of pay-per-use, micros of its unit.

    ``arranged``: staff ask, who answer for what it costs.
    """

    mode: str
    limit: int | None = None
    by: User | None = None
    reason: str = ""
    arranged: bool = False
    id: uuid.UUID | None = None


@transaction.atomic
def switch(account_id: uuid.UUID, asked: Asked) -> ModeChange | None:
    """Let an account pay another way from now on; None where it does already. The same ``asked.id`` switches once.

    Raises InvalidRequest for a way the profile does not have, InvalidState with what has to be done first.
    """
    account = lock_account(account_id)
    if asked.id is not None and (first := ModeChange.objects.filter(pk=asked.id).first()) is not None:
        return first
    terms = snapshot.current().terms(account.profile)
    known_mode(terms, asked.mode)
    if account.mode == asked.mode:
        return None
    refuse(account, terms, asked)
    change = ModeChange(
        id=asked.id or new_id(), account=account, from_mode=account.mode, to_mode=asked.mode, from_unit=account.unit,
        to_unit=terms.unit_for(asked.mode), by=asked.by, reason=asked.reason.strip()[:200], at=clock.now(),
    )  # fmt: skip
    _leave(account, change, asked)
    change.save(force_insert=True)
    account.mode, account.unit = change.to_mode, change.to_unit
    account.save(update_fields=["mode", "unit"])
    _enter(account, terms, change, asked)
    return change


def known_mode(terms: Terms, mode: str) -> None:
    """Raises InvalidRequest for a way to pay that the profile does not have."""
    if mode not in terms.modes:
        raise InvalidRequest(f"{terms.name} has no mode {mode!r}; it has {', '.join(terms.modes)}.")


def refuse(account: BillingAccount, terms: Terms, asked: Asked) -> None:
    """Raises InvalidState with what has to be done first, before anything is changed."""
    if account.status != BillingAccount.Status.ACTIVE:
        raise InvalidState("This account is closed.")
    if terms.unit_for(asked.mode) != account.unit:
        _refuse_work_under_way(account)
    if asked.mode in PAY_LATER and not asked.arranged:
        overdue = Invoice.objects.filter(account=account, status="open", due_at__lte=clock.now()).first()
        if overdue is not None:
            raise InvalidState(f"{overdue.number_text} is overdue. Pay it first.")
    if asked.mode == Mode.POSTPAID and not asked.arranged:
        # The credit limit is free again once work is invoiced: leaving and coming back must not open it twice.
        unpaid = Invoice.objects.filter(account=account, status="open").order_by("due_at").first()
        if unpaid is not None:
            raise InvalidState(f"{unpaid.number_text} is not paid yet. Pay it first, or ask us.")
    if asked.mode == Mode.POSTPAID and credit_limits.limit_of(account) == 0:
        raise InvalidState(_what_postpaid_needs(terms))
    if asked.mode == Mode.METERED and terms.spending_limit is None and asked.limit is None:
        raise InvalidRequest(
            "Pay-per-use needs a spending limit.", [{"field": "limit", "message": "is required"}]
        )
    if asked.mode == Mode.SUBSCRIPTION:
        plan_to_return_to(account, terms)


def _refuse_work_under_way(account: BillingAccount) -> None:
    row = Balance.objects.get(pk=account.pk)
    open_holds = Charge.objects.filter(account_id=account.pk, status="authorized")
    if row.held or open_holds.exists():
        count, last = open_holds.count(), open_holds.order_by("-expires_at").first()
        running, done = ("1 request is", "it has") if count == 1 else (f"{count} requests are", "they have")
        which = "It" if count == 1 else "The last one"
        until = f" {which} ends by {last.expires_at:%H:%M} UTC at the latest." if last else ""
        raise InvalidState(
            f"{running} still running and will be settled in {_counted(account.unit)}. "
            f"Switch once {done} finished.{until}",
            open_requests=count,
        )
    if row.balance < 0 and account.mode not in PAY_LATER:
        raise InvalidState(
            f"The account owes {micros_to_text(-row.balance)} {account.unit}. Add funds first."
        )


def _what_postpaid_needs(terms: Terms) -> str:
    if terms.credit_limit is None or not terms.credit_limit.tiers:
        return "Postpaid is agreed with us for this account. Ask us, and we set its credit limit."
    least = min(terms.credit_limit.tiers, key=lambda tier: tier.limit)
    return (
        f"Postpaid opens when the account is {least.age_days} days old and has paid {micros_to_text(least.paid_volume)} "
        f"{terms.cash_currency} in all, with no invoice overdue. Until then add funds, or ask us."
    )


def _leave(account: BillingAccount, change: ModeChange, asked: Asked) -> None:
    """Settle what the old way leaves behind: its debt on an invoice, its plan at rest, its unit set aside."""
    if account.mode in PAY_LATER:
        invoicing.issue(account, change.at)
    if account.mode == Mode.SUBSCRIPTION:
        _rest_plan(account, asked)
    if change.to_unit != change.from_unit:
        _change_unit(account, change)
    elif account.mode in PAY_LATER and change.to_mode not in PAY_LATER:
        balances.set_credit_limit(account.pk, 0)


def _change_unit(account: BillingAccount, change: ModeChange) -> None:
    """Through an empty balance into the other unit, and what was set aside in that one comes back."""
    owed = -balances.of(account.pk).balance
    if owed > 0:
        grants.add(
            account_id=account.pk, micros=owed, source="admin", kind="adjustment", key=f"waived:{change.pk.hex}",
            description="Less than the smallest coin: not invoiced",
        )  # fmt: skip
    put_by = units.set_aside(
        account.pk, description=f"Set aside while the account is counted in {_counted(change.to_unit)}",
        key=f"set_aside:{change.pk.hex}",
    )  # fmt: skip
    change.set_aside_id = put_by.pk if put_by else None
    # Their amounts are in the unit that is left.
    AutoRecharge.objects.filter(account=account).update(enabled=False)
    SpendingLimit.objects.filter(account=account).delete()
    BalanceAlert.objects.filter(account=account).delete()
    for api_key_id in key_limits.of(account.pk):
        key_limits.set_limit(api_key_id=api_key_id, account_id=account.pk, monthly=None, budget=None)
    units.change(account.pk, change.to_unit)
    last = last_left(account, change.to_unit)
    if last is not None and last.set_aside_id is not None:
        units.bring_back(
            Transaction.objects.get(pk=last.set_aside_id), description="What was set aside is back",
            key=back_key(last),
        )  # fmt: skip


def last_left(account: BillingAccount, unit: str) -> ModeChange | None:
    """The last change that took the account out of this unit."""
    left = ModeChange.objects.filter(account=account, from_unit=unit).exclude(to_unit=unit)
    return left.order_by("-at", "-id").first()


def bought_and_set_aside(account: BillingAccount) -> dict[str, int]:
    """Micros, by unit, that were paid for and put by when the account changed its unit, and are not back."""
    found: dict[str, int] = {}
    for change in ModeChange.objects.filter(account=account, set_aside_id__isnull=False):
        if grants.posted(back_key(change)) is None:
            taken = GrantUse.objects.filter(transaction=change.set_aside_id, grant__source="topup")
            alive = taken.exclude(grant__expires_at__lte=clock.now())
            micros = alive.aggregate(sum=Sum("amount"))["sum"]
            if micros:
                found[change.from_unit] = found.get(change.from_unit, 0) + micros
    return found


def back_key(change: ModeChange) -> str:
    """The business key under which what a change set aside comes back."""
    return f"brought_back:{change.pk.hex}"


def _enter(account: BillingAccount, terms: Terms, change: ModeChange, asked: Asked) -> None:
    """What the new way goes by: its limit, or its plan."""
    if change.to_mode == Mode.METERED:
        limit = asked.limit
        if limit is None and terms.spending_limit is not None:
            limit = terms.spending_limit.default
        limits.set_spending_limit(account.pk, limit, changed_by=asked.by)
    elif change.to_mode == Mode.POSTPAID:
        credit_limits.recompute(account.pk)
    elif change.to_mode == Mode.SUBSCRIPTION:
        _wake_plan(account, terms, asked)


def _rest_plan(account: BillingAccount, asked: Asked) -> None:
    """The plan pauses; its period goes on, and with it the time its credits are good for."""
    running = subscriptions.live(account.pk)
    if running is not None and running.status == Status.TRIALING:
        subscriptions.end(
            account, running, reason="The account pays another way", at=clock.now(), by=asked.by
        )
    elif running is not None:
        running.status, running.next_plan, running.cancel_at_end = Status.PAUSED, "", False
        running.save()
        note(running, Kind.PAUSED, from_plan=running.plan, by=asked.by, reason=asked.reason)
    set_plan(account, "")


def plan_to_return_to(account: BillingAccount, terms: Terms) -> str | None:
    """The plan that rests, while its period lasts; else the default one if it costs nothing; None: no plan then.

    Raises InvalidState where the account has more API keys than that plan has slots.
    """
    resting = Subscription.objects.filter(account=account, status=Status.PAUSED).first()
    slug = terms.default_plan
    if resting is not None and (resting.period_ends_at > clock.now() or _costs_nothing(terms, resting.plan)):
        slug = resting.plan
    plan = terms.plan(slug) if slug else None
    if plan is None or (resting is None and plan.price):
        return None
    plan_changes.refuse_keys(account, plan)
    return plan.slug


def _wake_plan(account: BillingAccount, terms: Terms, asked: Asked) -> None:
    slug = plan_to_return_to(account, terms)
    resting = subscriptions.live(account.pk)
    if resting is not None and resting.plan == slug:
        resting.status = Status.ACTIVE
        resting.save()
        note(resting, Kind.RESUMED, to_plan=resting.plan, by=asked.by, reason=asked.reason)
        set_plan(account, resting.plan)
        subscriptions.renew(account.pk)
        return
    if resting is not None:
        subscriptions.end(
            account, resting, reason="Its period ended while it was paused", at=clock.now(), by=asked.by
        )
    if slug is not None and _costs_nothing(terms, slug):
        subscriptions.start(account.pk, slug, by=asked.by, reason=asked.reason)


def _costs_nothing(terms: Terms, slug: str) -> bool:
    plan = terms.plan(slug)
    return plan is not None and plan.price == 0


def _counted(unit: str) -> str:
    return "credits" if unit == "credit" else unit
