"""How far a postpaid account may owe: by the profile's rule from its own history, or as staff decided.

The rule is data (``terms.credit_limit``): paid invoices, age, volume. Every decision is kept; the newest one counts.
A pay-per-use account may owe its spending limit, and nothing while an invoice is overdue beyond its grace.
"""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Sum

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest
from billing.ledger import balances, clock
from billing.models import CreditLimitDecision, Invoice, Payment, SpendingLimit
from billing.services.subscriptions import each, lock_account
from catalog import snapshot
from catalog.pricing.units import from_minor
from catalog.terms import Terms

Source = CreditLimitDecision.Source
Mode = BillingAccount.Mode


@dataclass(frozen=True, slots=True)
class History:
    """What the rule goes by. ``paid_volume`` is everything the account ever paid, micros of the cash currency."""

    paid_invoices: int
    age_days: int
    paid_volume: int
    overdue_invoices: int


def history(account: BillingAccount) -> History:
    """The account's own history at this moment; an invoice is overdue once its grace is over, too."""
    paid = Invoice.objects.filter(account=account, status="paid")
    invoiced = sum(
        from_minor(minor, currency).micros for minor, currency in paid.values_list("due_minor", "currency")
    )
    bought = (
        Payment.objects.filter(account=account, status="succeeded")
        .values("currency")
        .annotate(minor=Sum("cash_minor"))
    )
    back = (
        Payment.objects.filter(account=account, status="succeeded", reversals__transaction_id__isnull=False,
                               reversals__restored_id__isnull=True)
        .values("currency").annotate(minor=Sum("reversals__cash_minor"))
    )  # fmt: skip
    volume = invoiced + _micros(bought) - _micros(back)
    return History(
        paid_invoices=paid.count(),
        age_days=max(0, (clock.now() - account.created_at).days),
        paid_volume=max(0, volume),
        overdue_invoices=overdue(account),
    )


def overdue(account: BillingAccount) -> int:
    """How many of the account's invoices are open beyond their grace."""
    rule = snapshot.current().terms(account.profile).credit_limit
    since = clock.now() - timedelta(days=rule.overdue_grace_days if rule else 0)
    return Invoice.objects.filter(account=account, status="open", due_at__lte=since).count()


def by_rule(terms: Terms, past: History) -> int:
    """The limit in micros that the profile's rule gives; 0 without a rule and while an invoice stays unpaid."""
    if terms.credit_limit is None or past.overdue_invoices:
        return 0
    return terms.credit_limit.limit(
        paid_invoices=past.paid_invoices, age_days=past.age_days, paid_volume=past.paid_volume
    )


def override(account: BillingAccount) -> CreditLimitDecision | None:
    """What staff decided, while it holds."""
    newest = (
        CreditLimitDecision.objects.filter(account=account)
        .exclude(source=Source.RULE)
        .order_by("-id")
        .first()
    )
    if newest is None or newest.source == Source.RELEASE:
        return None
    return newest if newest.expires_at is None or newest.expires_at > clock.now() else None


def limit_of(account: BillingAccount) -> int:
    """How far the account may owe when it is postpaid, micros of its unit."""
    decided = override(account)
    return decided.limit if decided else by_rule(snapshot.current().terms(account.profile), history(account))


@transaction.atomic
def recompute(account_id: uuid.UUID) -> bool:
    """Put the limit that holds now on the balance of an account that pays later; whether it changed.

    Holds stay as they are.
    """
    account = lock_account(account_id)
    if account.mode == Mode.METERED:
        return _recompute_metered(account)
    if account.mode != Mode.POSTPAID:
        return False
    decided, past = override(account), history(account)
    limit = decided.limit if decided else by_rule(snapshot.current().terms(account.profile), past)
    if balances.of(account_id).credit_limit == limit:
        return False
    said = CreditLimitDecision.objects.filter(account=account).order_by("-id").first()
    if decided is None and not (said and said.source == Source.RELEASE and said.limit == limit):
        _note_rule(account, limit, asdict(past))
    balances.set_credit_limit(account_id, limit)
    return True


def _recompute_metered(account: BillingAccount) -> bool:
    """Close the credit of a pay-per-use account with an overdue invoice, and open it again to its spending limit."""
    before, closed = balances.of(account.pk).credit_limit, bool(overdue(account))
    if not closed and before:
        return False
    limit = 0 if closed else _spending_limit(account)
    if limit == before:
        return False
    _note_rule(account, limit, {**asdict(history(account)), "before": before})
    balances.set_credit_limit(account.pk, limit)
    return True


def _spending_limit(account: BillingAccount) -> int:
    """The spending limit as it is set; without one what the account could owe before its credit was closed."""
    hard = balances.of(account.pk).spend_limit
    if hard is not None:
        return hard
    chosen = SpendingLimit.objects.filter(pk=account.pk).first()
    if chosen is not None:
        return chosen.amount
    said = CreditLimitDecision.objects.filter(account=account, facts__before__gt=0).order_by("-id").first()
    return int(said.facts["before"]) if said else 0


def _note_rule(account: BillingAccount, limit: int, facts: dict[str, Any]) -> None:
    CreditLimitDecision.objects.create(
        account=account, source=Source.RULE, limit=limit, facts=facts, created_at=clock.now()
    )


def recompute_all() -> int:
    """Follow the history of every account that pays later; returns for how many the limit changed."""
    later = BillingAccount.objects.filter(mode__in=(Mode.METERED, Mode.POSTPAID), status="active")
    return each(list(later.values_list("pk", flat=True)), recompute)


@transaction.atomic
def set_override(
    account_id: uuid.UUID, *, limit: int, reason: str, by: User, expires_at: datetime | None = None
) -> CreditLimitDecision:
    """Staff decide the limit (micros), with a reason, until it expires or is released. Raises InvalidRequest."""
    if limit < 0:
        raise InvalidRequest("A limit is 0 or more.", [{"field": "limit", "message": "must not be negative"}])
    if expires_at is not None and expires_at <= clock.now():
        raise InvalidRequest(
            "It would be over at once.", [{"field": "expires_at", "message": "must be in the future"}]
        )
    return _decide(account_id, Source.OVERRIDE, limit, reason, by, expires_at)


@transaction.atomic
def release(account_id: uuid.UUID, *, reason: str, by: User) -> CreditLimitDecision:
    """The rule decides again. Raises InvalidRequest without a reason."""
    account = lock_account(account_id)
    limit = by_rule(snapshot.current().terms(account.profile), history(account))
    return _decide(account_id, Source.RELEASE, limit, reason, by, None)


def _decide(
    account_id: uuid.UUID, source: str, limit: int, reason: str, by: User, expires_at: datetime | None
) -> CreditLimitDecision:
    if not reason.strip():
        raise InvalidRequest("Say why; it is kept.", [{"field": "reason", "message": "is required"}])
    account = lock_account(account_id)
    decision = CreditLimitDecision.objects.create(
        account=account, source=source, limit=limit, facts=asdict(history(account)), reason=reason.strip()[:200],
        by=by, expires_at=expires_at, created_at=clock.now(),
    )  # fmt: skip
    recompute(account_id)
    return decision


def _micros(rows: Iterable[Mapping[str, Any]]) -> int:
    """The sum of ``minor`` units of a ``currency`` in micros."""
    return sum(from_minor(int(row["minor"] or 0), str(row["currency"])).micros for row in rows)
