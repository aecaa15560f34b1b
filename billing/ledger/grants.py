"""Credits coming in and lapsing: grants (lots), their expiry, and taking credits back."""

import uuid
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Min, Sum

from billing.ledger import clock
from billing.ledger.errors import KeyReused, NotEnough
from billing.ledger.models import Balance, Grant, GrantUse, Transaction
from billing.ledger.post import Entry, lock, post


def posted(key: str) -> Transaction | None:
    """The transaction that already has this business key."""
    return Transaction.objects.filter(key=key).first()


def _repeat(key: str, account_id: uuid.UUID, micros: int) -> Transaction | None:
    first = posted(key)
    if first is not None and (first.account_id != account_id or first.amount != micros):
        raise KeyReused(key)
    return first


@transaction.atomic
def add(
    *,
    account_id: uuid.UUID,
    micros: int,
    source: str,
    kind: str,
    description: str,
    key: str,
    expires_at: datetime | None = None,
    priority: int = 50,
    reference: str = "",
    details: dict[str, Any] | None = None,
) -> Transaction:
    """Grant credits once per business key; a repeat returns the first transaction.

    ``micros`` is in the account's unit and positive. A debt (an account below zero) is covered first, the rest
    of the grant can be spent until ``expires_at``. Raises NoSuchAccount, KeyReused.
    """
    if micros <= 0:
        raise ValueError("a grant is positive")
    balance = lock(account_id)[account_id]
    if (first := _repeat(key, account_id, micros)) is not None:
        return first
    entry = Entry(
        account_id=account_id,
        kind=kind,
        amount=micros,
        description=description,
        key=key,
        reference=reference,
        details=details or {},
    )
    post([entry])
    create_lot(balance, entry, source=source, expires_at=expires_at, priority=priority, reference=reference)
    return Transaction.objects.get(pk=entry.id)


def create_lot(
    balance: Balance,
    entry: Entry,
    *,
    source: str,
    expires_at: datetime | None,
    micros: int | None = None,
    priority: int = 50,
    reference: str = "",
) -> None:
    """Open the grant that a posted credit brings; what covers a debt is spent from the start."""
    amount = entry.amount if micros is None else micros
    balance.refresh_from_db()
    debt = lots_total(balance.account_id) + amount - balance.balance
    remaining = amount - min(amount, max(0, debt))
    Grant.objects.create(
        account_id=balance.account_id,
        unit=balance.unit,
        source=source,
        amount=amount,
        remaining=remaining,
        is_spent=remaining == 0,
        priority=priority,
        expires_at=expires_at,
        transaction_id=entry.id,
        reference=reference,
        created_at=clock.now(),
    )
    note_next_expiry(balance.account_id)


def lots_total(account_id: uuid.UUID) -> int:
    """Everything the account's grants still hold, micros."""
    total = Grant.objects.filter(account_id=account_id, is_spent=False).aggregate(total=Sum("remaining"))
    return int(total["total"] or 0)


def note_next_expiry(account_id: uuid.UUID) -> None:
    """Tell the balance row when the account's credits next lapse; until then no request looks at grants."""
    soonest = Grant.objects.filter(account_id=account_id, is_spent=False).aggregate(at=Min("expires_at"))[
        "at"
    ]
    Balance.objects.filter(account_id=account_id).update(next_expiry=soonest)


@transaction.atomic
def extend_all(account_id: uuid.UUID, expires_at: datetime | None) -> None:
    """Give everything the account still has this expiry (profile ``images``: a paid top-up resets the clock); None: no end.

    What has lapsed already stays lapsed: it is posted as expired first. A top-up that was given back takes its reset
    along, so the new expiry may be the earlier one.
    """
    lock(account_id)
    expire(account_id)
    Grant.objects.filter(account_id=account_id, is_spent=False).exclude(expires_at__lte=clock.now()).update(
        expires_at=expires_at
    )
    note_next_expiry(account_id)


@transaction.atomic
def expire(account_id: uuid.UUID) -> int:
    """Post what has lapsed, one transaction per grant; returns the micros that went.

    Credits an open hold stands on stay until that hold ends: the hold was placed while they were good.
    """
    lock(account_id)
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_expire(%s, ledger_now())", [account_id])
        gone: int = cursor.fetchone()[0]
    return gone


@transaction.atomic
def withdraw(
    *,
    account_id: uuid.UUID,
    micros: int,
    kind: str,
    description: str,
    key: str,
    counterpart: str | None = None,
    grant_id: uuid.UUID | None = None,
    reference: str = "",
    details: dict[str, Any] | None = None,
    allow_debt: bool = False,
) -> Transaction:
    """Take credits back once per business key: an adjustment, a refunded purchase, a lost dispute.

    ``micros`` is positive. With ``grant_id`` only that grant is used. ``allow_debt`` records what is not there as
    overdraft (dispute debt). What has lapsed is posted as expired first: it is not there to be taken.
    Raises NotEnough, NoSuchAccount, KeyReused.
    """
    if micros <= 0:
        raise ValueError("a withdrawal is given as a positive amount")
    lock(account_id)
    if (first := _repeat(key, account_id, -micros)) is not None:
        return first
    expire(account_id)
    balance = Balance.objects.get(pk=account_id)
    available = balance.balance - balance.held
    if grant_id is not None:
        available = min(available, Grant.objects.get(pk=grant_id, account_id=account_id).remaining)
    if available < micros and not allow_debt:
        raise NotEnough(micros, available)
    debt = max(0, micros - (balance.balance - balance.held + balance.credit_limit))
    if debt > balance.overdraft:
        Balance.objects.filter(account_id=account_id).update(overdraft=debt)
    entry = Entry(
        account_id=account_id,
        kind=kind,
        amount=-micros,
        description=description,
        key=key,
        counterpart=counterpart,
        grant_id=grant_id,
        reference=reference,
        details=details or {},
    )
    post([entry])
    note_next_expiry(account_id)
    return Transaction.objects.get(pk=entry.id)


@transaction.atomic
def give_back(
    taken: Transaction,
    *,
    kind: str,
    description: str,
    key: str,
    counterpart: str | None = None,
    reference: str = "",
    details: dict[str, Any] | None = None,
) -> Transaction:
    """Give back what a withdrawal took, once per business key: to the grants it came from, good as long as those are.

    A debt is covered first. The account must be counted in the unit that it was counted in then. Raises KeyReused.
    """
    balance = lock(taken.account_id)[taken.account_id]
    if (first := _repeat(key, taken.account_id, -taken.amount)) is not None:
        return first
    entry = Entry(
        account_id=taken.account_id,
        kind=kind,
        amount=-taken.amount,
        description=description,
        key=key,
        counterpart=counterpart,
        reference=reference,
        details=details or {},
    )
    post([entry])
    balance.refresh_from_db()
    left = min(entry.amount, max(0, balance.balance - lots_total(taken.account_id)))
    for use in GrantUse.objects.filter(transaction_id=taken.pk, amount__gt=0).order_by("-grant_id"):
        back = min(left, use.amount)
        if back > 0:
            Grant.objects.filter(pk=use.grant_id).update(remaining=F("remaining") + back, is_spent=False)
            GrantUse.objects.create(transaction_id=entry.id, grant_id=use.grant_id, amount=-back)
        left -= back
    note_next_expiry(taken.account_id)
    return Transaction.objects.get(pk=entry.id)
