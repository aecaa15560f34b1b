"""What the billing side remembers beside the ledger, one subject per file."""

from billing.models.delivery import OutboxMessage, WebhookInbox
from billing.models.payments import PAYMENT_TRANSITIONS, AutoRecharge, Payment, PaymentMethod, Reversal

__all__ = [
    "PAYMENT_TRANSITIONS",
    "AutoRecharge",
    "OutboxMessage",
    "Payment",
    "PaymentMethod",
    "Reversal",
    "WebhookInbox",
]
