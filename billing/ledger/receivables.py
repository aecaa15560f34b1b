"""A debt leaves the balance when it is invoiced: from then on it is owed under the invoice, and the limit is free again.

Paid, it moves on to the bank. So what stands on ``receivables`` is what the open invoices come to.
"""

import uuid
from typing import Any

from django.db import transaction

from billing.ledger import grants
from billing.ledger.chart import BANK, RECEIVABLES
from billing.ledger.errors import NotEnough
from billing.ledger.models import Balance, Transaction
from billing.ledger.post import Entry, lock, post, post_beside

KIND = "invoice"


@transaction.atomic
def invoice(
    *, account_id: uuid.UUID, micros: int, description: str, key: str, reference: str, details: dict[str, Any]
) -> Transaction:
    """Move ``micros`` of the account's debt to receivables, once per key. Raises NotEnough beyond the debt."""
    row = lock(account_id)[account_id]
    if (first := grants.posted(key)) is not None:
        return first
    if not 0 < micros <= -row.balance:
        raise NotEnough(micros, -row.balance)
    entry = Entry(
        account_id=account_id,
        kind=KIND,
        amount=micros,
        description=description,
        key=key,
        reference=reference,
        details=details,
    )
    post([entry])
    row.refresh_from_db()
    overdraft = max(0, row.held - row.balance - row.credit_limit)
    Balance.objects.filter(pk=account_id).update(overdraft=min(row.overdraft, overdraft))
    return Transaction.objects.get(pk=entry.id)


@transaction.atomic
def pay(
    *,
    account_id: uuid.UUID,
    micros: int,
    unit: str,
    description: str,
    key: str,
    reference: str,
    details: dict[str, Any],
) -> Transaction:
    """Move what was invoiced (micros of the invoice's ``unit``) from receivables to the bank, once per key.

    The customer's history has it as a line of nothing: the balance was relieved when it was invoiced.
    """
    lock(account_id)
    if (first := grants.posted(key)) is not None:
        return first
    entry = Entry(
        account_id=account_id,
        kind=KIND,
        amount=0,
        description=description,
        key=key,
        reference=reference,
        details=details,
    )
    post_beside(entry, source=RECEIVABLES, target=BANK, micros=micros, unit=unit)
    return Transaction.objects.get(pk=entry.id)


def take_back(
    *, account_id: uuid.UUID, micros: int, description: str, key: str, reference: str, details: dict[str, Any]
) -> Transaction:
    """The opposite, for an invoice that is void: the debt is the balance's again, also where it passes the limit."""
    return grants.withdraw(
        account_id=account_id,
        micros=micros,
        kind=KIND,
        description=description,
        key=key,
        reference=reference,
        details=details,
        allow_debt=True,
    )
