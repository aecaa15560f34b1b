"""The monthly spending limit: how much may be accepted in a calendar month (UTC)."""

import uuid

from django.db import transaction

from accounts.models import BillingAccount
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import balances
from catalog import snapshot
from catalog.pricing.rounding import MICRO
from catalog.pricing.units import CREDIT, Amount, micros_to_text
from catalog.terms import Terms

CENT = MICRO // 100


def set_spending_limit(account_id: uuid.UUID, limit: int | None, currency: str | None = None) -> None:
    """Limit what may be accepted a month to ``limit`` micros of the account's unit; None for no limit.

    A pay-per-use account owes at most its limit, so its credit limit moves along (profile ``toon``). Raises
    InvalidRequest where the profile asks for a limit, or for a lower one.
    """
    account = BillingAccount.objects.get(pk=account_id)
    if currency is not None and currency.upper() != account.unit.upper():
        raise _invalid("currency", f"must be {account.unit}, in which this account is counted")
    rule = snapshot.current().terms(account.profile).spending_limit
    if rule is not None and account.unit != CREDIT:
        if limit is None and rule.required and account.mode == "metered":
            raise _invalid("limit", "must be set: this account pays per use")
        if limit is not None and limit > rule.max:
            raise _invalid("limit", f"must be at most {micros_to_text(rule.max)} {account.unit}")
    with transaction.atomic():
        balances.set_spend_limit(account_id, limit)
        if account.mode == "metered" and limit is not None:
            balances.set_credit_limit(account_id, limit)


def stops_at_once(standing: balances.BalanceView, limit: int) -> bool:
    """Whether a lower limit of ``limit`` micros is used up already: what costs something stops with it."""
    lowered = standing.spend_limit is None or limit < standing.spend_limit
    return lowered and limit <= standing.spent


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
