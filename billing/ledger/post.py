"""The only writer of the ledger. Grants, holds, refunds and adjustments all end here or in ``sql/post.sql``."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from psycopg.types.json import Jsonb

from billing.ledger.chart import COUNTERPART
from billing.ledger.errors import NoSuchAccount
from billing.ledger.models import Balance, Posting
from config.ids import new_id


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One transaction to post: the customer's side in micros, signed; the other side follows from the kind.

    ``key`` is the business key that can be posted only once. ``grant_id`` takes a debit from that grant alone.
    """

    account_id: uuid.UUID
    kind: str
    amount: int
    description: str
    key: str | None = None
    charge_id: uuid.UUID | None = None
    reference: str = ""
    model: str = ""
    api_key_id: uuid.UUID | None = None
    details: dict[str, Any] = field(default_factory=dict)
    counterpart: str | None = None
    grant_id: uuid.UUID | None = None
    id: uuid.UUID = field(default_factory=new_id)


def lock(*account_ids: uuid.UUID) -> dict[uuid.UUID, Balance]:
    """Lock the balance rows in ascending id order, inside the caller's transaction, and read them.

    Raises NoSuchAccount when one of them was never opened.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock(%s)", [list(account_ids)])
    found = Balance.objects.in_bulk(account_ids)
    for account_id in account_ids:
        if account_id not in found:
            raise NoSuchAccount(str(account_id))
    return found


def post(entries: Sequence[Entry]) -> None:
    """Post balanced transactions in one statement; the caller holds the locks of all accounts concerned."""
    rows = [
        {
            "id": str(entry.id),
            "account_id": str(entry.account_id),
            "kind": entry.kind,
            "amount": entry.amount,
            "counterpart": entry.counterpart or COUNTERPART[entry.kind],
            "description": entry.description,
            "charge_id": entry.charge_id and str(entry.charge_id),
            "reference": entry.reference,
            "model": entry.model,
            "api_key_id": entry.api_key_id and str(entry.api_key_id),
            "key": entry.key,
            "details": entry.details,
            "grant_id": entry.grant_id and str(entry.grant_id),
        }
        for entry in entries
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_post(ARRAY(SELECT e FROM jsonb_populate_recordset(NULL::ledger_entry, %s) AS e))",
            [Jsonb(rows)],  # type: ignore[list-item]  # the stubs know only the plainest parameters
        )


def post_beside(entry: Entry, *, source: str, target: str, micros: int, unit: str) -> None:
    """Post a movement between two accounts of the company that an entry of nothing stands for in a customer's history."""
    if entry.amount:
        raise ValueError("what moves a customer's balance has its own other side")
    post([entry])
    sides = ((1, source, micros), (2, target, -micros))
    Posting.objects.bulk_create(
        Posting(transaction_id=entry.id, line=line, ledger_account=name, unit=unit, amount=amount)
        for line, name, amount in sides
    )
