"""What the billing side remembers of payments: attempts, reversals, auto-recharge and saved cards.

Stripe's ids are text, never a foreign key to a mirrored table: a customer deleted at Stripe must not take a
payment along. Cash is counted in the currency's smallest unit (``…_minor``: cents; yen for JPY), credits in
micros of ``unit``.
"""

from datetime import datetime

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from billing.models.history import notes_status
from catalog.pricing.units import Amount, from_minor
from config.ids import new_id, public_id

PAYMENT_TRANSITIONS: dict[str, tuple[str, ...]] = {
    "created": ("submitted", "failed", "canceled"),
    "submitted": ("unknown", "requires_action", "succeeded", "failed", "canceled", "quarantined"),
    "unknown": ("submitted", "requires_action", "succeeded", "failed", "canceled", "quarantined"),
    "requires_action": ("succeeded", "failed", "canceled", "quarantined"),
    "failed": ("succeeded", "quarantined"),
    "canceled": ("succeeded", "quarantined"),
    "succeeded": (),
    "quarantined": (),
}
"""Status of a payment → where it may go. Money that arrives late still counts: a failed or canceled attempt
may yet succeed, never the other way round. A database trigger enforces the same table."""

OPEN_DISPUTE = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")
CLOSED_DISPUTE = ("warning_closed", "won", "lost", "prevented")
REVERSAL_TRANSITIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "refund": {
        "pending": ("requires_action", "succeeded", "failed", "canceled"),
        "requires_action": ("pending", "succeeded", "failed", "canceled"),
        "succeeded": ("failed", "canceled"),
        "failed": (),
        "canceled": (),
    },
    "dispute": {
        **dict.fromkeys(OPEN_DISPUTE, (*OPEN_DISPUTE, *CLOSED_DISPUTE)),
        **dict.fromkeys(("warning_closed", "won", "prevented"), (*OPEN_DISPUTE, "won", "lost")),
        "lost": (),
    },
}
"""Kind and status of a reversal at Stripe → where it may go. News of an earlier standing that come late change nothing."""


class Payment(models.Model):
    """One attempt to move money from a customer's card to us, committed before Stripe hears of it.

    ``cash_minor`` is the price without tax, ``tax_minor`` what Stripe added to it; ``credits`` is what the
    customer gets once it has ``succeeded``, which it has exactly when ``transaction_id`` names the ledger
    transaction that credited it. ``quarantined``: Stripe took something else than was asked for (amount,
    currency or customer differ); nothing is credited and a person has to look.
    """

    class Purpose(models.TextChoices):
        TOPUP = "topup", "Top-up"
        AUTO_RECHARGE = "auto_recharge", "Auto-recharge"

    class Route(models.TextChoices):
        """Where the customer pays: on Stripe's hosted page, with a saved card while present, or absent."""

        CHECKOUT = "checkout", "Stripe Checkout"
        SAVED_CARD = "saved_card", "Saved card"
        OFF_SESSION = "off_session", "Saved card, customer absent"

    class Status(models.TextChoices):
        CREATED = "created"
        SUBMITTED = "submitted"
        UNKNOWN = "unknown"
        REQUIRES_ACTION = "requires_action", "Needs the customer"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"
        QUARANTINED = "quarantined"

    IN_FLIGHT = ("created", "submitted", "unknown")
    OPEN = (*IN_FLIGHT, "requires_action")

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey("accounts.BillingAccount", on_delete=models.PROTECT, related_name="payments")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    route = models.CharField(max_length=12, choices=Route.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.CREATED)
    cash_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    credits = models.BigIntegerField()
    unit = models.CharField(max_length=8)
    request_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - null is not unique
    created_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    success_url = models.CharField(max_length=2000, blank=True)
    cancel_url = models.CharField(max_length=2000, blank=True)

    stripe_customer_id = models.CharField(max_length=255, blank=True)
    stripe_method_id = models.CharField(max_length=255, blank=True)
    stripe_checkout_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_intent_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    stripe_charge_id = models.CharField(max_length=255, null=True, blank=True, unique=True)
    action_url = models.TextField(blank=True)
    receipt_url = models.TextField(blank=True)
    card = models.CharField(max_length=40, blank=True)

    failure_code = models.CharField(max_length=80, blank=True)
    failure_message = models.CharField(max_length=500, blank=True)
    transaction_id = models.UUIDField(null=True, blank=True, unique=True)
    next_check_at = models.DateTimeField(null=True, blank=True)
    checks = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=now, editable=False)
    submitted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(cash_minor__gt=0, credits__gt=0, tax_minor__gte=0),
                name="payment_amounts_positive",
            ),
            models.CheckConstraint(
                condition=Q(status="succeeded", transaction_id__isnull=False)
                | (~Q(status="succeeded") & Q(transaction_id__isnull=True)),
                name="payment_credited_when_succeeded",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=["created", "submitted", "unknown", "requires_action"],
                    finished_at__isnull=True,
                )
                | Q(status__in=["succeeded", "failed", "canceled", "quarantined"], finished_at__isnull=False),
                name="payment_finished_when_final",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(purpose="auto_recharge", status__in=["created", "submitted", "unknown"]),
                name="payment_one_live_recharge",
            ),
            models.UniqueConstraint(
                fields=["account", "request_key"],
                condition=Q(request_key__isnull=False),
                name="payment_request_key_once",
            ),
        )
        indexes = (
            models.Index(fields=["account", "-id"], name="payment_account"),
            models.Index(
                fields=["next_check_at"], condition=Q(next_check_at__isnull=False), name="payment_to_check"
            ),
            models.Index(
                fields=["created_at"],
                condition=Q(status__in=("submitted", "unknown")),
                name="payment_in_doubt",
            ),
        )
        triggers = (
            pgtrigger.FSM(
                name="payment_transitions",
                field="status",
                transitions=[(old, new) for old, ways in PAYMENT_TRANSITIONS.items() for new in ways],
            ),
            notes_status("'payment'"),
        )

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"

    @property
    def public_id(self) -> str:
        return public_id("pay", self.id)

    @property
    def cash(self) -> Amount:
        """The price without tax."""
        return from_minor(self.cash_minor, self.currency)

    @property
    def total(self) -> Amount:
        """What the card is charged, tax included."""
        return from_minor(self.cash_minor + self.tax_minor, self.currency)

    @property
    def is_given_back(self) -> bool:
        """Whether all that was paid went back, by refunds or lost disputes."""
        back = sum(reversal.cash_minor for reversal in self.reversals.all() if reversal.went_back)
        return back >= self.cash_minor + self.tax_minor

    @property
    def checkout_url(self) -> str:
        """Where the customer pays; empty when there is nothing for them to do."""
        return self.action_url


class Reversal(models.Model):
    """Money of a payment that went back, or may: one row per refund or dispute at Stripe.

    ``withdrawn`` credits were taken back by ledger transaction ``transaction_id``: for a refund as soon as it
    is under way, for a dispute when it is lost. A refund that fails later gives them again (``restored_id``).
    """

    class Kind(models.TextChoices):
        REFUND = "refund"
        DISPUTE = "dispute"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="reversals")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    stripe_id = models.CharField(max_length=255, unique=True)
    status = models.CharField(max_length=40)
    reason = models.CharField(max_length=80, blank=True)
    cash_minor = models.BigIntegerField()
    withdrawn = models.BigIntegerField(default=0)
    transaction_id = models.UUIDField(null=True, blank=True, unique=True)
    restored_id = models.UUIDField(null=True, blank=True, unique=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(cash_minor__gt=0, withdrawn__gte=0), name="reversal_amounts_positive"
            ),
            models.CheckConstraint(
                condition=Q(restored_id__isnull=True) | Q(transaction_id__isnull=False),
                name="reversal_restored_after_withdrawn",
            ),
        )
        triggers = (notes_status("NEW.kind"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.stripe_id} {self.status}"

    def may_become(self, status: str) -> bool:
        """Whether a standing can follow the one known; one that Stripe invents later always can."""
        ways = REVERSAL_TRANSITIONS[self.kind].get(self.status)
        return ways is None or status in ways

    @property
    def went_back(self) -> bool:
        """Whether the money is with the customer again, or on its way: not while a dispute is open."""
        if self.kind == self.Kind.DISPUTE:
            return self.status == "lost"
        return self.status not in ("failed", "canceled")


class AutoRecharge(models.Model):
    """An account's wish to be topped up by itself: when the balance is under ``threshold``, charge a card.

    ``failures`` counts failed attempts in a row. While ``paused_at`` is set nothing is charged until the
    customer switches it on again. The ledger's balance row carries the same threshold for the hot path.
    """

    class Pause(models.TextChoices):
        FAILURES = "failures", "The card was declined three times in a row"
        ACTION_REQUIRED = "action_required", "The bank asks the customer to confirm"
        NO_CARD = "no_card", "There is no saved card"

    account = models.OneToOneField(
        "accounts.BillingAccount", on_delete=models.PROTECT, primary_key=True, related_name="auto_recharge"
    )
    enabled = models.BooleanField(default=False)
    threshold = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    monthly_cap_minor = models.BigIntegerField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    failures = models.PositiveSmallIntegerField(default=0)
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=16, choices=Pause.choices, blank=True)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        "accounts.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=Q(threshold__gte=0, amount_minor__gt=0), name="autorecharge_amounts_positive"
            ),
            models.CheckConstraint(
                condition=Q(monthly_cap_minor__isnull=True) | Q(monthly_cap_minor__gte=F("amount_minor")),
                name="autorecharge_cap_covers_amount",
            ),
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True, pause_reason="")
                | (Q(paused_at__isnull=False) & ~Q(pause_reason="")),
                name="autorecharge_pause_has_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.account_id} {'on' if self.enabled else 'off'}"


class PaymentMethod(models.Model):
    """A saved card as the customer recognises it. The number itself is at Stripe only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.CASCADE, related_name="payment_methods"
    )
    stripe_id = models.CharField(max_length=255, unique=True)
    brand = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ("-is_default", "-id")
        constraints = (
            models.UniqueConstraint(
                fields=["account"], condition=Q(is_default=True), name="method_one_default"
            ),
        )

    def __str__(self) -> str:
        return self.label

    @property
    def public_id(self) -> str:
        return public_id("pm", self.id)

    @property
    def label(self) -> str:
        """``Visa •••• 4242``."""
        return f"{self.brand.replace('_', ' ').title()} •••• {self.last4}"

    def expired_at(self, moment: datetime) -> bool:
        """Whether the card's last month is over (cards are good until the end of it, UTC)."""
        return (moment.year, moment.month) > (self.exp_year, self.exp_month)
