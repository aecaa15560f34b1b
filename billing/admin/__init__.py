"""The admin of the billing side; Django finds it here."""

from billing.admin import delivery, payments

__all__ = ["delivery", "payments"]
