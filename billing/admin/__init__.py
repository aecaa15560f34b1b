"""The admin of the billing side; Django finds it here."""

from billing.admin import (
    adjustments,
    books,
    delivery,
    erasure,
    estimates,
    invoices,
    ledger,
    limits,
    offers,
    payments,
    price_books,
    refunds,
    subscriptions,
)

__all__ = [
    "adjustments",
    "books",
    "delivery",
    "erasure",
    "estimates",
    "invoices",
    "ledger",
    "limits",
    "offers",
    "payments",
    "price_books",
    "refunds",
    "subscriptions",
]
