"""What the billing side remembers beside the ledger, one subject per file."""

from billing.models.adjustments import ADJUSTMENT_TRANSITIONS, AdjustmentRequest
from billing.models.blocks import ChargeBlock, HistoryBlock
from billing.models.delivery import OutboxMessage, WebhookInbox
from billing.models.erasure import Erasure
from billing.models.estimates import EstimateAccuracy
from billing.models.history import StatusChange
from billing.models.invoices import INVOICE_TRANSITIONS, ClosedMonth, Invoice, InvoiceCounter, InvoiceLine
from billing.models.limits import BalanceAlert, SpendingLimit
from billing.models.modes import CreditLimitDecision, ModeChange
from billing.models.notices import Notice
from billing.models.offers import Offer, OfferMonth, PriceLock
from billing.models.payments import (
    PAYMENT_TRANSITIONS,
    REVERSAL_TRANSITIONS,
    AutoRecharge,
    Payment,
    PaymentMethod,
    Reversal,
)
from billing.models.price_notices import PriceAnnouncement, PriceNotice
from billing.models.refunds import RefundRequest
from billing.models.statements import ChainCheckpoint, ReconciliationRun, SigningKey, Statement
from billing.models.subscriptions import (
    SUBSCRIPTION_TRANSITIONS,
    Subscription,
    SubscriptionEvent,
    SubscriptionPeriod,
)

__all__ = [
    "ADJUSTMENT_TRANSITIONS",
    "INVOICE_TRANSITIONS",
    "PAYMENT_TRANSITIONS",
    "REVERSAL_TRANSITIONS",
    "SUBSCRIPTION_TRANSITIONS",
    "AdjustmentRequest",
    "AutoRecharge",
    "BalanceAlert",
    "ChainCheckpoint",
    "ChargeBlock",
    "ClosedMonth",
    "CreditLimitDecision",
    "Erasure",
    "EstimateAccuracy",
    "HistoryBlock",
    "Invoice",
    "InvoiceCounter",
    "InvoiceLine",
    "ModeChange",
    "Notice",
    "Offer",
    "OfferMonth",
    "OutboxMessage",
    "Payment",
    "PaymentMethod",
    "PriceAnnouncement",
    "PriceLock",
    "PriceNotice",
    "ReconciliationRun",
    "RefundRequest",
    "Reversal",
    "SigningKey",
    "SpendingLimit",
    "Statement",
    "StatusChange",
    "Subscription",
    "SubscriptionEvent",
    "SubscriptionPeriod",
    "WebhookInbox",
]
