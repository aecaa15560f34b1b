"""The admin of the billing side; Django finds it here."""

from billing.admin import delivery, ledger, payments

__all__ = ["delivery", "ledger", "payments"]
