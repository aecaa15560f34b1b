"""The admin of the billing side; Django finds it here."""

from billing.admin import delivery, invoices, ledger, offers, payments, price_books, subscriptions

__all__ = ["delivery", "invoices", "ledger", "offers", "payments", "price_books", "subscriptions"]
