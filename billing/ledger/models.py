"""The ledger's tables. Amounts are integers of one millionth of the account's unit ("micros").

The big tables carry account ids without a database foreign key: its check would lock the account's row
once more for every charge. ``manage.py reconcile`` looks for strays instead.
"""

from typing import Final

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.utils.timezone import now

from billing.ledger import exact_json
from billing.ledger.limit_changes import LimitChange as LimitChange
from billing.ledger.usage_days import UsageDay as UsageDay
from billing.ledger.usage_days import UsageFold as UsageFold
from config.ids import new_id, public_id


class Balance(models.Model):
    """What an account has, and what of it is set aside. One row per billing account, locked by every movement.

    ``balance`` is the sum of the account's postings; ``held`` the sum of its open holds but those still in UnfoldedHold;
    ``balance - held + credit_limit`` is what a request may still use, less what lapsed (``next_expiry``).
    While that is above ``comfort_above`` requests of up to ``comfort_share`` skip the lock (``sql/comfort.sql``).
    ``head`` is the hash of the last transaction (``sql/chain.sql``), ``posted_at`` its time: none is earlier than the last.
    """

    account = models.OneToOneField(
        "accounts.BillingAccount", on_delete=models.PROTECT, primary_key=True, related_name="balance"
    )
    unit = models.CharField(max_length=8)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    credit_limit = models.BigIntegerField(default=0)
    overdraft = models.BigIntegerField(default=0)
    is_open = models.BooleanField(default=True)
    seq = models.BigIntegerField(default=0)
    next_expiry = models.DateTimeField(null=True, blank=True)
    recharge_below = models.BigIntegerField(null=True, blank=True)
    recharge_after = models.DateTimeField(null=True, blank=True)
    spend_limit = models.BigIntegerField(null=True, blank=True)
    spend_month = models.DateField(null=True, blank=True)
    spend_accepted = models.BigIntegerField(default=0)
    comfort_above = models.BigIntegerField(null=True, blank=True)
    comfort_share = models.BigIntegerField(null=True, blank=True)
    head = models.BinaryField(default=bytes(32), max_length=32)
    posted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0), name="balance_held_not_negative"),
            models.CheckConstraint(
                condition=Q(balance__gte=models.F("held") - models.F("credit_limit") - models.F("overdraft")),
                name="balance_covers_holds",
            ),
            models.CheckConstraint(
                condition=Q(credit_limit__gte=0, overdraft__gte=0), name="balance_limits_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return str(self.account)


class Kind(models.TextChoices):
    """What a transaction is, as customers read it."""

    TOPUP = "topup", "Top-up"
    BONUS = "bonus", "Bonus"
    TRIAL = "trial", "Trial"
    PLAN_GRANT = "plan_grant", "Plan credits"
    USAGE = "usage", "Usage"
    REFUND = "refund", "Refund"
    EXPIRY = "expiry", "Expiry"
    ADJUSTMENT = "adjustment", "Adjustment"
    AUTO_RECHARGE = "auto_recharge", "Auto-recharge"
    RESET = "reset", "Reset"
    DISPUTE = "dispute", "Dispute"
    INVOICE = "invoice", "Invoice"


class Transaction(models.Model):
    """One balanced set of postings, as one line of the customer's history. Append-only.

    ``amount`` is the customer's side, signed. ``seq`` counts the account's transactions without gaps.
    ``key`` is the business key: at most one transaction ever has it. ``hash`` covers the row and the hash before
    it (``sql/chain.sql``).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    seq = models.BigIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    amount = models.BigIntegerField()
    balance_after = models.BigIntegerField()
    unit = models.CharField(max_length=8)
    description = models.CharField(max_length=200)
    charge = models.ForeignKey(
        "Charge",
        null=True,
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="transactions",
    )
    reference = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=80, blank=True)
    api_key_id = models.UUIDField(null=True)
    key = models.CharField(max_length=120, null=True)  # noqa: DJ001 - unique where there is one
    details = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    hash = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["account", "-seq"]
        constraints = [
            models.UniqueConstraint(fields=["account", "seq"], name="transaction_seq_unique"),
            models.UniqueConstraint(
                fields=["key"], condition=Q(key__isnull=False), name="transaction_key_unique"
            ),
            models.UniqueConstraint(
                fields=["charge"], condition=Q(kind="usage"), name="transaction_usage_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["account", "kind", "-seq"], condition=~Q(kind="usage"), name="transaction_kind_seq"
            ),
            models.Index(fields=["charge"], condition=Q(kind="refund"), name="transaction_charge_refund"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.kind}"

    @property
    def public_id(self) -> str:
        return public_id("txn", self.id)


class Posting(models.Model):
    """One line of a transaction: an amount on one ledger account. Append-only; each transaction adds up to zero."""

    pk = models.CompositePrimaryKey("transaction_id", "line")
    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="postings"
    )
    line = models.SmallIntegerField()
    ledger_account = models.CharField(max_length=20)
    account_id = models.UUIDField(null=True)
    unit = models.CharField(max_length=8)
    amount = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.ledger_account} {self.amount} {self.unit}"


BURN_ORDER: Final = RawSQL("ledger_burn_rank(ledger_grant)", [])
"""``Grant.objects.order_by(BURN_ORDER)``: those that are used first come first."""


class Grant(models.Model):
    """Credits that came in together (a lot): what is left of them, and until when they can be spent.

    In which order they are used is fixed in ``ledger_burn_rank`` (``sql/post.sql``); BURN_ORDER asks it.
    """

    class Source(models.TextChoices):
        TOPUP = "topup"
        PLAN = "plan"
        BONUS = "bonus"
        TRIAL = "trial"
        ADMIN = "admin"
        REFUND = "refund"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount", on_delete=models.PROTECT, db_index=False, related_name="grants"
    )
    unit = models.CharField(max_length=8)
    source = models.CharField(max_length=6, choices=Source.choices)
    amount = models.BigIntegerField()
    remaining = models.BigIntegerField()
    is_spent = models.BooleanField(default=False)
    priority = models.SmallIntegerField(default=50)
    expires_at = models.DateTimeField(null=True, blank=True)
    transaction = models.ForeignKey(Transaction, on_delete=models.PROTECT, related_name="grants")
    reference = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, remaining__gte=0, remaining__lte=models.F("amount")),
                name="grant_remaining_in_range",
            ),
            models.CheckConstraint(
                condition=Q(is_spent=True, remaining=0) | Q(is_spent=False, remaining__gt=0),
                name="grant_spent_when_empty",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "id"], name="grant_account"),
            models.Index(fields=["account"], condition=Q(is_spent=False), name="grant_account_open"),
            models.Index(fields=["expires_at"], condition=Q(is_spent=False), name="grant_expiry_open"),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.source}"

    @property
    def public_id(self) -> str:
        return public_id("grant", self.id)


class GrantUse(models.Model):
    """How much of which grant a transaction took; negative when a refund puts it back."""

    pk = models.CompositePrimaryKey("transaction_id", "grant_id")
    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="grant_uses"
    )
    grant = models.ForeignKey(
        Grant, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="uses"
    )
    amount = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.grant_id} {self.amount}"


class Charge(models.Model):
    """The billing record of one piece of work; while ``authorized`` it is the hold of ``amount``.

    ``authorized → settled`` or ``voided``; ``settled → refunded``. ``cost`` is what was charged,
    ``uncollected`` what the work cost beyond the hold and the account's means (the company bears it),
    ``refunded`` what came back since. ``count_scope`` names what a plan counts by the month; ``estimate`` is what the
    work should cost where the hold is another amount.
    Estimate and cost lines explain both, by price book ``price_book_id``. ``reports``: what was reported of its phases
    before its end (``billing.ledger.reports``); ``amount``, ``outputs`` and cost lines are then as of the last one.
    """

    class Status(models.TextChoices):
        AUTHORIZED = "authorized"
        SETTLED = "settled"
        VOIDED = "voided"
        REFUNDED = "refunded"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    account = models.ForeignKey(
        "accounts.BillingAccount",
        on_delete=models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    api_key_id = models.UUIDField(null=True)
    status = models.CharField(max_length=10, choices=Status.choices)
    unit = models.CharField(max_length=8)
    amount = models.BigIntegerField()
    estimate = models.BigIntegerField(null=True)
    cost = models.BigIntegerField(null=True)
    uncollected = models.BigIntegerField(default=0)
    refunded = models.BigIntegerField(default=0)
    model = models.CharField(max_length=80)
    operation = models.CharField(max_length=80)
    description = models.CharField(max_length=200)
    parameters = models.JSONField(default=dict, decoder=exact_json.Decoder)
    outputs = models.JSONField(null=True, decoder=exact_json.Decoder)
    routing = models.JSONField(default=dict)
    estimate_lines = models.JSONField(default=list)
    cost_lines = models.JSONField(null=True)
    reports = models.JSONField(null=True, decoder=exact_json.Decoder)
    price_book_id = models.UUIDField(null=True)
    reference = models.CharField(max_length=255, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    count_scope = models.CharField(max_length=80, null=True)  # noqa: DJ001 - null keeps it out of the index
    authorized_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gte=0, uncollected__gte=0), name="charge_amounts_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(refunded__gte=0) & (Q(refunded=0) | Q(refunded__lte=models.F("cost"))),
                name="charge_refund_in_range",
            ),
            models.CheckConstraint(
                condition=Q(status="authorized", cost__isnull=True, finished_at__isnull=True)
                | Q(status="voided", cost=0, finished_at__isnull=False)
                | Q(status__in=["settled", "refunded"], cost__gte=0, finished_at__isnull=False),
                name="charge_status_fits",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-id"], name="charge_account"),
            models.Index(fields=["expires_at"], condition=Q(status="authorized"), name="charge_open_expiry"),
            models.Index(fields=["account"], condition=Q(status="authorized"), name="charge_account_open"),
            models.Index(fields=["reference"], condition=~Q(reference=""), name="charge_reference"),
            models.Index(
                fields=["account", "count_scope", "authorized_at"],
                condition=Q(count_scope__isnull=False),
                name="charge_counted",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} {self.status}"

    @property
    def public_id(self) -> str:
        return public_id("ch", self.id)


class UnfoldedHold(models.Model):
    """A hold placed without its account's lock, until somebody with the lock adds it to the balance row."""

    charge_id = models.UUIDField(primary_key=True)
    account_id = models.UUIDField(db_index=True)
    amount = models.BigIntegerField()
    month = models.DateField()

    def __str__(self) -> str:
        return f"{self.charge_id} {self.amount}"


class KeyLimit(models.Model):
    """How much one API key may spend: ``monthly`` per calendar month (UTC) and ``budget`` in all, micros; null: no limit.

    Counted like the account's own spending limit: what is accepted, less what came back. Its account's lock covers it.
    """

    api_key_id = models.UUIDField(primary_key=True)
    account_id = models.UUIDField(db_index=True)
    monthly = models.BigIntegerField(null=True, blank=True)
    budget = models.BigIntegerField(null=True, blank=True)
    month = models.DateField(null=True, blank=True)
    month_accepted = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(monthly__gte=0, budget__isnull=True)
                | Q(monthly__isnull=True, budget__gte=0)
                | Q(monthly__gte=0, budget__gte=0),
                name="key_limit_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(month_accepted__gte=0, accepted__gte=0), name="key_spend_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return str(self.api_key_id)


class IdempotencyRecord(models.Model):
    """The first answer to a request with an ``Idempotency-Key``, kept at least 24 hours.

    ``result`` is the answer; while the first call runs it is null and ``created_at`` says since when.
    """

    pk = models.CompositePrimaryKey("owner", "key")
    owner = models.UUIDField()
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.key
