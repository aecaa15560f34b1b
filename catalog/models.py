"""Profiles, plans, AI models, operations, price lists and the versions of their price books.

Rows describe; ``catalog.snapshot`` turns them into pure values once and everyone prices from those.
Published price books never change (triggers): a new version is published instead.
"""

from decimal import Decimal

import pgtrigger
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from catalog.fields import MicrosField
from config.ids import new_id

_BUMP = """
INSERT INTO catalog_catalogversion AS v (id, token) VALUES (1, gen_random_uuid())
    ON CONFLICT (id) DO UPDATE SET token = excluded.token;
NOTIFY portal_catalog;
RETURN NULL;
"""


def bump_version() -> pgtrigger.Trigger:
    """After any write, give the catalog a new version token and tell listeners (channel portal_catalog)."""
    return pgtrigger.Trigger(
        name="bump_version",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
        func=_BUMP,
    )


class CatalogVersion(models.Model):
    """One row whose token changes with every change of the catalog; snapshots compare it with theirs."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    token = models.UUIDField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="catalogversion_single_row")]

    def __str__(self) -> str:
        return str(self.token)


class Profile(models.Model):
    """A billing profile: what a company sells in which unit, under which terms (``catalog.terms``)."""

    slug = models.SlugField(primary_key=True, max_length=50)
    name = models.CharField(max_length=80)
    cash_currency = models.CharField(
        max_length=3, help_text="Currency of payments and plan prices, e.g. USD."
    )
    credit_price = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        null=True,
        blank=True,
        help_text="What one credit costs in the cash currency; empty where accounts are counted in money.",
    )
    is_default = models.BooleanField(default=False, help_text="The profile of accounts that sign up.")
    settings = models.JSONField(
        default=dict, help_text="Grants, top-ups, expiry, limits and the other terms."
    )

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.UniqueConstraint("is_default", condition=Q(is_default=True), name="profile_one_default"),
            models.CheckConstraint(
                condition=Q(credit_price=None) | Q(credit_price__gt=0), name="profile_credit_price_positive"
            ),
        ]
        triggers = [bump_version()]

    def __str__(self) -> str:
        return self.name


class Plan(models.Model):
    """A plan of a profile. ``rank`` orders tiers: what needs rank 1 is open to 1 and above."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="plans")
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=80)
    rank = models.PositiveSmallIntegerField(default=0)
    price = MicrosField(default=0, help_text="A month, in the profile's cash currency.")
    credits = MicrosField(default=0, help_text="Granted at the start of each billing cycle.")
    credits_once = MicrosField(default=0, help_text="Granted once, when the plan is first taken.")
    key_slots = models.PositiveIntegerField(null=True, blank=True, help_text="API keys; empty: any number.")
    monthly_limits = models.JSONField(
        default=dict, blank=True, help_text='Monthly counts: {"full-sites": 2}.'
    )
    features = models.JSONField(default=list, blank=True, help_text='Lines of the plan page: ["4 API keys"].')
    trial_days = models.PositiveSmallIntegerField(default=0)
    example = models.BooleanField(default=False, help_text="Some of its figures are examples to be replaced.")
    active = models.BooleanField(default=True, help_text="Offered to customers; who has it keeps it anyway.")

    class Meta:
        ordering = ["profile", "rank"]
        constraints = [
            models.UniqueConstraint(fields=["profile", "slug"], name="plan_slug_unique"),
            models.UniqueConstraint(
                fields=["profile", "rank"], condition=Q(active=True), name="plan_rank_unique"
            ),
            models.CheckConstraint(
                condition=Q(price__gte=0, credits__gte=0, credits_once__gte=0),
                name="plan_amounts_not_negative",
            ),
        ]
        triggers = [bump_version()]

    def __str__(self) -> str:
        return f"{self.profile_id}: {self.name}"


class AIModel(models.Model):
    """A model customers choose by its slug. ``tier`` groups models for balance gates ("budget")."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="ai_models")
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=80)
    tier = models.SlugField(max_length=50, blank=True, help_text="Groups models for balance gates: budget.")
    description = models.CharField(max_length=200, blank=True)
    provider_cost = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(0))],
        help_text="What the provider charges us; derived rates follow it through a new price book version.",
    )
    active = models.BooleanField(default=True, help_text="Off: kept for past charges, no longer priced.")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["profile", "position"]
        verbose_name = "AI model"
        verbose_name_plural = "AI models"
        constraints = [models.UniqueConstraint(fields=["profile", "slug"], name="aimodel_slug_unique")]
        triggers = [bump_version()]

    def __str__(self) -> str:
        return f"{self.profile_id}: {self.name}"


class Operation(models.Model):
    """Something a model does: plain generation, an edit, a processing step."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="operations")
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=80)
    active = models.BooleanField(default=True, help_text="Off: kept for past charges, no longer priced.")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["profile", "position"]
        constraints = [models.UniqueConstraint(fields=["profile", "slug"], name="operation_slug_unique")]
        triggers = [bump_version()]

    def __str__(self) -> str:
        return f"{self.profile_id}: {self.name}"


class PriceList(models.Model):
    """A line of price books in one unit, and the account modes that pay by it."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="price_lists")
    slug = models.SlugField(max_length=50)
    name = models.CharField(max_length=80)
    unit = models.CharField(max_length=6)
    modes = models.JSONField(default=list, help_text='Account modes that pay by it: ["prepaid"].')
    active = models.BooleanField(default=True)
    markup = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        null=True,
        blank=True,
        help_text="Derived rate = provider cost × this.",
    )
    round_to = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        null=True,
        blank=True,
        help_text="Derived rates are rounded half up to it.",
    )
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["profile", "position"]
        constraints = [models.UniqueConstraint(fields=["profile", "slug"], name="pricelist_slug_unique")]
        triggers = [bump_version()]

    def __str__(self) -> str:
        return f"{self.profile_id}: {self.name}"


_HISTORY = """
IF TG_OP = 'UPDATE' AND NEW.status = 'withdrawn' AND OLD.status = 'published'
    AND OLD.effective_at > clock_timestamp()
    AND (to_jsonb(NEW) - '{status,withdrawn_at,withdrawn_by,withdrawn_because}'::text[])
      = (to_jsonb(OLD) - '{status,withdrawn_at,withdrawn_by,withdrawn_because}'::text[])
THEN
    RETURN NEW;
END IF;
RAISE EXCEPTION 'Published price books never change; publish a new version.'
    USING ERRCODE = 'restrict_violation';
"""


class PriceBook(models.Model):
    """A version of a price list. Drafts are edited; published ones are history and never change.

    One that is not in force yet may be withdrawn, and is history then too. ``plans`` are the profile's plans as
    they were when it was published, so that versions can be compared whole.
    """

    class Status(models.TextChoices):
        DRAFT = "draft"
        PUBLISHED = "published"
        WITHDRAWN = "withdrawn"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    price_list = models.ForeignKey(PriceList, on_delete=models.PROTECT, related_name="books")
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    effective_at = models.DateTimeField(null=True, blank=True, help_text="When it comes into force (UTC).")
    note = models.CharField(max_length=200, blank=True, help_text="Why; shown in the list of versions.")
    source = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="copies"
    )
    plans = models.JSONField(default=dict, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    published_by = models.CharField(max_length=254, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    withdrawn_by = models.CharField(max_length=254, blank=True, editable=False)
    withdrawn_because = models.CharField(max_length=200, blank=True, editable=False)

    class Meta:
        ordering = ["price_list", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["price_list", "version"], name="pricebook_version_unique"),
            models.UniqueConstraint(
                fields=["price_list"], condition=Q(status="draft"), name="pricebook_one_draft"
            ),
            models.UniqueConstraint(
                fields=["price_list", "effective_at"],
                condition=Q(status="published"),
                name="pricebook_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(status="draft") | Q(effective_at__isnull=False, published_at__isnull=False),
                name="pricebook_published_is_dated",
            ),
        ]
        triggers = [
            bump_version(),
            pgtrigger.Trigger(
                name="published_is_history",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                condition=~pgtrigger.Q(old__status="draft"),
                func=_HISTORY,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.price_list}, version {self.version}"

    @property
    def profile_id(self) -> str:
        return self.price_list.profile_id


class Price(models.Model):
    """One model x operation of a book. ``rules`` is the rest of its ``catalog.pricing.types.Item``."""

    book = models.ForeignKey(PriceBook, on_delete=models.CASCADE, related_name="prices")
    model = models.ForeignKey(AIModel, on_delete=models.PROTECT, related_name="prices")
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, related_name="prices")
    amount = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        null=True,
        blank=True,
        help_text="Empty: priced by variants or phases.",
    )
    per = models.CharField(max_length=30, default="request")
    approximate = models.BooleanField(default=False)
    requires = models.SlugField(max_length=50, blank=True, help_text="Lowest plan that opens it; empty: all.")
    provider_cost = models.DecimalField(
        max_digits=24,
        decimal_places=12,
        null=True,
        blank=True,
        help_text="The cost a derived rate came from.",
    )
    rules = models.JSONField(default=dict, blank=True, help_text="Variants, modifiers, phases, parameters.")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["book", "position"]
        constraints = [
            models.UniqueConstraint(fields=["book", "model", "operation"], name="price_item_unique"),
            models.CheckConstraint(
                condition=Q(amount=None) | Q(amount__gte=0, amount__lte=1_000_000), name="price_amount_sane"
            ),
        ]
        triggers = [
            bump_version(),
            pgtrigger.Trigger(
                name="published_is_history",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                declare=[("row_book", "uuid")],
                func="""
                IF TG_OP = 'INSERT' THEN row_book := NEW.book_id; ELSE row_book := OLD.book_id; END IF;
                IF EXISTS (
                    SELECT 1 FROM catalog_pricebook b WHERE b.id = row_book AND b.status <> 'draft'
                ) THEN
                    RAISE EXCEPTION 'Prices of a published price book never change; publish a new version.'
                        USING ERRCODE = 'restrict_violation';
                END IF;
                IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model.name}, {self.operation.name}"
