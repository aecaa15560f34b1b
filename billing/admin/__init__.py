"""The admin of the billing side; Django finds it here."""

from billing.admin import delivery, ledger, offers, payments

__all__ = ["delivery", "ledger", "offers", "payments"]
