"""The monthly spending limit: how much may be accepted in a calendar month (UTC), or be spent before somebody
hears of it; and the mark below which a balance is low.
"""

import uuid

from django.db import transaction

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import balances, clock
from billing.models import BalanceAlert, SpendingLimit
from billing.services import credit_limits, limit_notices
from catalog import snapshot
from catalog.pricing.rounding import MICRO
from catalog.pricing.units import CREDIT, Amount, micros_to_text
from catalog.terms import Terms

CENT = MICRO // 100

Mode = SpendingLimit.Mode


def set_spending_limit(
    account_id: uuid.UUID,
    limit: int | None,
    currency: str | None = None,
    *,
    mode: str = Mode.HARD,
    changed_by: User | None = None,
) -> None:
    """Set what may be accepted a month to ``limit`` micros of the account's unit; None for no limit.

    A ``hard`` limit stops requests; one that only alerts (``alert``) stops none. A pay-per-use account owes at
    most its limit, so its limit is hard and its credit limit moves along (profile ``toon``), unless an invoice
    is overdue. Notices of this
    month that the new limit is not up to any more may be sent again. Raises InvalidRequest where the profile
    asks for a limit, for a hard one, or for a lower one.
    """
    with transaction.atomic():
        # Locked before it is read: its mode and unit, which decide what the limit means, must not change meanwhile.
        account = BillingAccount.objects.select_for_update(no_key=True).get(pk=account_id)
        if currency is not None and currency.upper() != account.unit.upper():
            raise _invalid("currency", f"must be {account.unit}, in which this account is counted")
        _check(account, limit, mode)
        balances.set_spend_limit(account_id, limit if mode == Mode.HARD else None)
        if account.mode == "metered" and limit is not None:
            balances.set_credit_limit(account_id, 0 if credit_limits.overdue(account) else limit)
        if limit is None:
            SpendingLimit.objects.filter(pk=account_id).delete()
        else:
            chosen = {"mode": mode, "amount": limit, "updated_by": changed_by, "updated_at": clock.now()}
            SpendingLimit.objects.update_or_create(account_id=account_id, defaults=chosen)
        limit_notices.rearm(account, limit)


def _check(account: BillingAccount, limit: int | None, mode: str) -> None:
    rule = snapshot.current().terms(account.profile).spending_limit
    if rule is None or account.unit == CREDIT:
        return
    if rule.required and account.mode == "metered":
        if limit is None:
            raise _invalid("limit", "must be set: this account pays per use")
        if mode != Mode.HARD:
            raise _invalid("mode", "must be hard: this account pays per use")
    if limit is not None and limit > rule.max:
        raise _invalid("limit", f"must be at most {micros_to_text(rule.max)} {account.unit}")


def stops_at_once(standing: balances.BalanceView, limit: int, mode: str = Mode.HARD) -> bool:
    """Whether a lower limit of ``limit`` micros is used up already: what costs something stops with it."""
    lowered = standing.spend_limit is None or limit < standing.spend_limit
    return mode == Mode.HARD and lowered and limit <= standing.spent


def set_low_balance(account_id: uuid.UUID, below: int | None) -> None:
    """Below how many micros the account hears that its balance is low; None: its profile's mark."""
    if below is None:
        BalanceAlert.objects.filter(pk=account_id).delete()
    else:
        BalanceAlert.objects.update_or_create(account_id=account_id, defaults={"below": below})


def micros_of_cents(profile: str, unit: str, cents: int) -> int:
    """The limit that so many cents of the profile's currency are, in micros of the account's unit."""
    if unit != CREDIT:
        return cents * CENT
    terms = _with_credit_price(profile)
    return terms.credits_for(Amount(cents * CENT, terms.cash_currency))


def cents_of_micros(profile: str, unit: str, micros: int) -> int:
    """The limit in whole cents of the profile's currency, rounded down: a limit is never shown too high."""
    if unit != CREDIT:
        return micros // CENT
    return _with_credit_price(profile).cash_for(micros).micros // CENT


def _with_credit_price(profile: str) -> Terms:
    terms = snapshot.current().terms(profile)
    if terms.credit_price is None:
        raise InvalidState("This account's credits have no price in money, so its limit has none either.")
    return terms


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"The {field} {message}.", [{"field": field, "message": message}])
