"""What a transaction's story leads to: its link in the chain, its prices, its payment, invoice or reversal."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Q

from billing.ledger.models import Transaction
from billing.models import Invoice, Payment, Reversal
from catalog.models import PriceBook
from config.ids import public_id


@dataclass(frozen=True, slots=True)
class Link:
    """The transaction's place in the account's chain; ``intact``: its hash is that of its columns and the one before."""

    number: int
    hash: str
    before: str
    intact: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """The version of the price list a charge was priced by."""

    version: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Undone:
    """Money of a payment that went back: the refund or dispute, and the payment it is of."""

    kind: str
    status: str
    reason: str
    cash_minor: int
    currency: str
    payment: str
    topup: str
    """The transaction that the payment had credited."""


LINK_SQL = """
SELECT t.seq, t.hash, before.hash, t.hash = sha256(before.hash || convert_to(ledger_text(t), 'UTF8'))
  FROM ledger_transaction t
  LEFT JOIN ledger_transaction p ON p.account_id = t.account_id AND p.seq = t.seq - 1
 CROSS JOIN LATERAL (SELECT coalesce(p.hash, decode(repeat('00', 32), 'hex')) AS hash) before
 WHERE t.id = %s
"""


def link(transaction_id: uuid.UUID) -> Link:
    """The transaction's link, computed again from its columns."""
    with connection.cursor() as cursor:
        cursor.execute(LINK_SQL, [transaction_id])
        number, digest, before, intact = cursor.fetchone()
    return Link(number, bytes(digest).hex(), bytes(before).hex(), intact)


def prices(price_book_id: uuid.UUID | None) -> Prices | None:
    """The price list's version of that id."""
    book = PriceBook.objects.filter(pk=price_book_id).first() if price_book_id else None
    return None if book is None else Prices(book.version, book.effective_at)


def payment(row: Transaction) -> Payment | None:
    """The payment that brought these credits."""
    return Payment.objects.filter(transaction_id=row.pk, account_id=row.account_id).first()


def undone(row: Transaction) -> Undone | None:
    """The reversal that took these credits back, or gave them again when it failed."""
    found = (
        Reversal.objects.select_related("payment")
        .filter(Q(transaction_id=row.pk) | Q(restored_id=row.pk), payment__account_id=row.account_id)
        .first()
    )
    if found is None:
        return None
    paid = found.payment
    return Undone(
        kind=found.get_kind_display(),
        status=found.status,
        reason=found.reason,
        cash_minor=found.cash_minor,
        currency=paid.currency,
        payment=paid.public_id,
        topup=public_id("txn", paid.transaction_id) if paid.transaction_id else "",
    )


def invoice(row: Transaction) -> Invoice | None:
    """The invoice that moved this out of the balance, back when it was voided, or on to the bank when it was paid."""
    mine = Q(transaction_id=row.pk) | Q(void_transaction_id=row.pk) | Q(paid_transaction_id=row.pk)
    return Invoice.objects.filter(mine, account_id=row.account_id).first()
