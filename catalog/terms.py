"""The terms of a billing profile: everything it promises that is not a price.

Read from a profile file, stored as JSON on the profile, edited by staff, used everywhere. Amounts are
integer micros: of the profile's unit for credits, of its cash currency for payments and plan prices.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from catalog.pricing.errors import UnitMismatch
from catalog.pricing.rounding import EXACT, quotient_micros, share_up, to_micros
from catalog.pricing.types import BalanceTier, ChargeOn, Discount
from catalog.pricing.units import CREDIT, Amount, micros_to_decimal
from catalog.values import Currency, Exact, Flag, Money, Name, Price, Section, Slug, UnitCode, Whole, Word

Mode = Literal["prepaid", "subscription", "metered", "postpaid"]
Percent = Annotated[Exact, Field(ge=0, le=100)]


class TrialGrant(Section):
    """A grant for new accounts that staff can change or switch off at any time."""

    amount: Money = 0
    enabled: Flag = False

    @property
    def micros(self) -> int:
        """What a new account gets now: 0 when switched off."""
        return self.amount if self.enabled else 0


class TopUp(Section):
    """What can be bought, in the cash currency. Presets are the amounts the page offers."""

    enabled: Flag = True
    min: Money = 5_000_000
    max: Money = 10_000_000_000
    presets: tuple[Money, ...] = ()


class AutoRechargeDefaults(Section):
    """How auto-recharge is set when it is switched on: below ``threshold`` (unit) buy ``amount`` (cash)."""

    threshold: Money
    amount: Money
    monthly_cap: Money | None = None


class Validity(Section):
    """Credits lapse ``months`` after the last paid top-up, which resets the clock of the whole balance."""

    months: Annotated[Whole, Field(ge=1, le=120)]
    clock: Literal["last_paid_topup"] = "last_paid_topup"


class Refunds(Section):
    """Within ``window_days`` of a purchase its unused part is refunded. ``approval`` says who decides."""

    window_days: Annotated[Whole, Field(le=365)] = 0
    approval: Literal["customer", "staff", "automatic"] = "staff"


class Adjustments(Section):
    """What staff may give or take by hand: above ``approve_above``, in either direction, a second one has to approve.

    By unit, because an account's mode may count in another than its profile; 50 of a unit that is not named.
    """

    approve_above: Mapping[UnitCode, Money] = Field(default_factory=dict)

    def above(self, unit: str) -> int:
        """The most micros of the unit that one person may adjust alone."""
        return self.approve_above.get(unit, 50_000_000)


class Tax(Section):
    """Whether the payment provider calculates and collects tax, and whether prices include it."""

    collected_by: Literal["none", "stripe", "merchant_of_record"] = "none"
    behavior: Literal["exclusive", "inclusive"] = "exclusive"


class Cycle(Section):
    """What happens to plan credits at the start of a billing cycle and at an upgrade within one."""

    reset: Flag = True
    carry_on_upgrade: Flag = False


class SpendingLimit(Section):
    """The monthly limit of pay-per-use accounts, in cash; ``required``: there is always one."""

    default: Money
    max: Money
    required: Flag = False


class LowBalance(Section):
    """When a balance counts as low: below ``cover_hours`` of the usage of the last ``window_days``.

    The threshold is kept between ``floor`` and ``ceiling``. Above it no request waits for a balance check;
    ``overshoot`` bounds what may be spent beyond the balance before the check sets in.
    """

    window_days: Annotated[Whole, Field(ge=1, le=90)]
    cover_hours: Annotated[Whole, Field(ge=1, le=720)]
    floor: Money
    ceiling: Money
    overshoot: Money

    def threshold(self, spent_in_window: int) -> int:
        """The low mark in micros for an account that spent this many micros within the window."""
        covered = spent_in_window * self.cover_hours // (self.window_days * 24)
        return min(max(covered, self.floor), self.ceiling)


class HoldRule(Section):
    """How a hold follows the estimates' accuracy: it grows by the 95th percentile of what work cost above its estimate.

    By at most ``most_percent`` of the estimate, and only where ``least_settled`` requests of that model and operation
    were settled in the last 30 days. The estimate stays the estimate.
    """

    most_percent: Percent = Decimal(50)
    least_settled: Annotated[Whole, Field(ge=1, le=1_000_000)] = 20

    def hold(self, estimate: int, settled: int, excess: int) -> int:
        """The micros to hold for an estimate, where ``excess`` millionths of it is that percentile."""
        if settled < self.least_settled or excess <= 0:
            return estimate
        most = int(self.most_percent.scaleb(4, EXACT))
        return estimate + share_up(estimate, min(excess, most))


class CreditLimitTier(Section):
    """An account that meets all of these from its own history may owe up to ``limit``."""

    paid_invoices: Whole
    age_days: Whole
    paid_volume: Money
    limit: Money


class CreditLimitRule(Section):
    """Postpaid credit limits by history: the highest tier an account meets. Staff can override.

    An invoice that is still open ``overdue_grace_days`` after it was due takes the limit to 0 until it is paid.
    """

    tiers: tuple[CreditLimitTier, ...]
    invoice_due_days: Annotated[Whole, Field(ge=1, le=90)] = 14
    overdue_grace_days: Annotated[Whole, Field(le=90)] = 7

    def limit(self, *, paid_invoices: int, age_days: int, paid_volume: int) -> int:
        """The credit limit in micros for this history; 0 when no tier is met."""
        met = [
            tier.limit
            for tier in self.tiers
            if paid_invoices >= tier.paid_invoices
            and age_days >= tier.age_days
            and paid_volume >= tier.paid_volume
        ]
        return max(met, default=0)


class VolumeTier(Section):
    """From this many a month on, this much off."""

    above: Whole
    percent: Percent


class VolumeOffer(Section):
    """Committed-use discounts for accounts with an offer, by what they generate in a month."""

    name: Name = "Volume offer"
    counts: Name = "requests"
    invoiced: Flag = False
    models: tuple[Slug, ...] = ()
    tiers: tuple[VolumeTier, ...]

    def discount(self, monthly: int) -> Discount | None:
        """The discount for an account committed to this many a month; None below the first tier."""
        reached = [tier for tier in self.tiers if monthly > tier.above]
        if not reached:
            return None
        best = max(reached, key=lambda tier: tier.above)
        return Discount(label=self.name, percent=best.percent, models=frozenset(self.models))


class PlanEntry(Section):
    """A plan customers subscribe to. ``rank`` orders tiers: a gate for rank 1 opens to 1 and above."""

    slug: Slug
    name: Name
    rank: Whole = 0
    price: Money = 0
    credits: Money = 0
    credits_once: Money = 0
    key_slots: Whole | None = None
    monthly_limits: Mapping[Slug, Whole] = Field(default_factory=dict)
    features: tuple[Name, ...] = ()
    trial_days: Annotated[Whole, Field(le=365)] = 0
    example: Flag = False


class Plan(PlanEntry):
    """A plan as stored. One that is no longer ``active`` is not offered; accounts that have it keep it."""

    active: Flag = True


class PriceListTerms(Section):
    """A price list of the profile: its unit and the account modes that pay by it."""

    slug: Slug
    name: Name
    unit: UnitCode
    modes: tuple[Mode, ...]


class BalanceGate(Section):
    """With at least ``available`` the named model tiers are open, where ``when`` holds."""

    available: Money
    tiers: tuple[Slug, ...] = ()
    when: Mapping[Word, tuple[str, ...]] = Field(default_factory=dict)

    def compiled(self) -> BalanceTier:
        return BalanceTier(available=micros_to_decimal(self.available), tiers=self.tiers, when=self.when)


class Settings(Section):
    """What staff can edit of a profile besides plans and prices; stored as JSON on the profile."""

    modes: tuple[Mode, ...] = ("prepaid",)
    default_mode: Mode = "prepaid"
    default_plan: Slug | Literal[""] = ""
    charge_on: ChargeOn = "settlement"
    hold_ttl: Annotated[Whole, Field(ge=30, le=7 * 86400)] = 3600
    results_window: Annotated[Whole, Field(le=365 * 86400)] = 3600
    headline: Mapping[Slug, str] = Field(default_factory=dict)
    key_slots: Whole | None = None
    welcome_bonus: Money = 0
    trial_grant: TrialGrant = TrialGrant()
    topup: TopUp = TopUp()
    auto_recharge: AutoRechargeDefaults | None = None
    validity: Validity | None = None
    refunds: Refunds = Refunds()
    adjustments: Adjustments = Adjustments()
    tax: Tax = Tax()
    cycle: Cycle = Cycle()
    spending_limit: SpendingLimit | None = None
    low_balance: LowBalance | None = None
    hold_follows_estimates: HoldRule | None = None
    credit_limit: CreditLimitRule | None = None
    volume_offer: VolumeOffer | None = None
    balance_gates: tuple[BalanceGate, ...] = ()


class Terms(Settings):
    """The whole terms of one profile: its settings, plans and price lists.

    ``headline`` names the prices shown as pricing constants (``{"static": "static.generate"}``), which
    ``snapshot.headline`` reads from the price book in force. ``unit`` is the unit of the first price list; a
    mode may be paid in another.
    """

    slug: Slug
    name: Name
    unit: UnitCode
    cash_currency: Currency
    credit_price: Price | None = None
    is_default: Flag = False
    plans: tuple[Plan, ...] = ()
    price_lists: tuple[PriceListTerms, ...] = ()

    @property
    def credit_currency(self) -> str:
        return self.cash_currency

    @property
    def refund_window_days(self) -> int:
        return self.refunds.window_days

    def plan(self, slug: str) -> Plan | None:
        """The plan of this slug, or None."""
        return next((plan for plan in self.plans if plan.slug == slug), None)

    def price_list(self, mode: str | None = None) -> PriceListTerms:
        """The price list accounts of this mode pay by; the first one where the mode names none."""
        mine = (item for item in self.price_lists if mode in item.modes)
        return next(mine, self.price_lists[0])

    def unit_for(self, mode: str | None = None) -> str:
        """What an account of this mode is counted in."""
        return self.price_list(mode).unit

    def credits_for(self, cash: Amount, unit: str | None = None) -> int:
        """Micros that a payment buys, linear: of ``unit``, in which an account may be counted otherwise than its
        profile. Raises UnitMismatch.
        """
        if cash.unit != self.cash_currency:
            raise UnitMismatch(cash.unit, self.cash_currency)
        if (unit or self.unit) != CREDIT or self.credit_price is None:
            return cash.micros
        return quotient_micros(cash.decimal, self.credit_price)

    def cash_for(self, micros: int, unit: str | None = None) -> Amount:
        """What this many micros of the unit (the profile's, or the one given) cost, to a micro of the cash currency."""
        if (unit or self.unit) != CREDIT or self.credit_price is None:
            return Amount(micros, self.cash_currency)
        price = EXACT.multiply(micros_to_decimal(micros), self.credit_price)
        return Amount(to_micros(price), self.cash_currency)
