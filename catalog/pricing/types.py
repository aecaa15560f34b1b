"""The values pricing works on: what a price list says (specs) and what a request costs (quotes).

Specs are plain frozen values, so that they can come from a file, from the database or from a test.
Prices and quantities are Decimal in whole units; amounts that are charged are integer micros.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from catalog.pricing.units import decimal_to_text, micros_to_text

MAX_PRICE = Decimal(1_000_000)
"""No figure of a price list is larger, and none is negative."""
GENERATE = "generate"
"""The operation that every model is there for."""

Scalar = str | bool | int | Decimal
ChargeOn = Literal["acceptance", "settlement"]
ParameterType = Literal["integer", "number", "choice", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """An inclusive span of a numeric parameter, for rates that depend on size."""

    min: Decimal | None = None
    max: Decimal | None = None


When = Mapping[str, tuple[Scalar, ...] | Between]


@dataclass(frozen=True, slots=True, kw_only=True)
class Implied:
    """A parameter's value when the request leaves it out: looked up by another parameter's value."""

    by: str
    values: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSpec:
    """One parameter a request may carry and an output may report.

    ``counts`` names what one of it is when it is the quantity of a price ("image", "second").
    """

    name: str
    type: ParameterType
    choices: tuple[str, ...] = ()
    min: Decimal | None = None
    max: Decimal | None = None
    default: Scalar | None = None
    counts: str = ""
    implied: Implied | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Another price for the requests it matches; of several the first that matches is taken."""

    when: When
    price: Decimal
    name: str = ""
    low: Decimal | None = None
    high: Decimal | None = None
    requires: str = ""
    approximate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Modifier:
    """A change of the price for the requests it matches: ``times`` the price, ``add`` per counted thing."""

    name: str
    when: When
    times: Decimal = Decimal(1)
    add: Decimal = Decimal(0)
    requires: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """A phase priced as another item of the same book with fixed parameters."""

    model: str
    operation: str
    parameters: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A price, what it is per, and what changes it. ``price`` None: only variants price it.

    ``low`` and ``high`` bound the price where it is approximate. ``times`` names further parameters that
    multiply the quantity (clips of so many seconds each).
    """

    price: Decimal | None = None
    per: str = "request"
    times: tuple[str, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    approximate: bool = False
    variants: tuple[Variant, ...] = ()
    modifiers: tuple[Modifier, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One step of a pipeline: priced by its own rate or as another item. A failed phase costs nothing.

    ``only_reported``: estimated, but charged only when the outputs say it ran (a reserve for retries).
    """

    id: str
    name: str
    rate: Rate | None = None
    uses: Uses | None = None
    parameters: tuple[ParameterSpec, ...] = ()
    only_reported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One model x operation of a price list, complete. Either ``phases`` or ``rate`` prices it.

    ``description`` says what the model makes.
    """

    model: str
    operation: str
    model_name: str
    operation_name: str
    description: str = ""
    tier: str = ""
    rate: Rate = field(default_factory=Rate)
    phases: tuple[Phase, ...] = ()
    parameters: tuple[ParameterSpec, ...] = ()
    minimum: Decimal = Decimal(0)
    requires: str = ""
    charge_on: ChargeOn = "settlement"
    hold_ttl: int = 3600
    confirm: bool = False
    monthly_limit: str = ""

    @property
    def is_free(self) -> bool:
        """Whether the price list says so itself: no price, no variants, no phases that could cost anything."""
        return self.rate.price == 0 and not self.phases and not self.rate.variants

    @property
    def label(self) -> str:
        """What charges and lines call it: "Static" where it is simply generated, else "Static, upscale"."""
        if self.operation == GENERATE:
            return self.model_name
        return f"{self.model_name}, {self.operation_name[:1].lower()}{self.operation_name[1:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTier:
    """A plan as gates see it: higher ranks include what lower ranks open."""

    slug: str
    name: str
    rank: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceTier:
    """With at least ``available`` the matching requests are open; empty ``tiers`` and ``when`` match all."""

    available: Decimal
    tiers: tuple[str, ...] = ()
    when: When = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """What an account's offer takes off: a percentage of the sum, or a unit price in place of the list's.

    Empty ``models`` or ``operations`` cover all of them.
    """

    label: str
    percent: Decimal = Decimal(0)
    price: Decimal | None = None
    models: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()

    def covers(self, model: str, operation: str) -> bool:
        """Whether this offer applies to the item."""
        return (not self.models or model in self.models) and (
            not self.operations or operation in self.operations
        )


@dataclass(frozen=True, slots=True)
class Gate:
    """What has to be true for the request to be available; billing checks it against the account.

    ``plan_tier`` is the slug of the lowest plan that opens it (None: any account), ``needs_available`` the
    micros that must be available, ``monthly_limit`` the name of the plan's monthly count it draws on.
    """

    plan_tier: str | None = None
    plan_rank: int = -1
    plan_name: str = ""
    needs_available: int = 0
    monthly_limit: str | None = None


OPEN = Gate()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an estimate or charge: quantity x unit price, rounded half up to a micro."""

    what: str
    quantity: Decimal
    unit_price: Decimal
    micros: int

    def as_json(self) -> dict[str, str]:
        return {
            "what": self.what,
            "quantity": decimal_to_text(self.quantity),
            "unit_price": decimal_to_text(self.unit_price),
            "amount": micros_to_text(self.micros),
        }


@dataclass(frozen=True, slots=True)
class Quote:
    """What a request should cost (estimate) or did cost (effective), in micros of the book's unit.

    ``low`` and ``high`` differ from ``micros`` only where the price is approximate. ``lines`` add up to
    ``micros``. ``parameters`` are the request's, checked and with defaults filled in: what ``effective`` takes later.
    """

    micros: int
    low: int
    high: int
    lines: tuple[Line, ...]
    approximate: bool
    charge_on: ChargeOn
    hold_ttl: int
    gate: Gate
    unit: str
    requires_confirmation: bool = False
    parameters: Mapping[str, Scalar] = field(default_factory=dict)

    def lines_json(self) -> list[dict[str, str]]:
        """The lines with decimal strings, as the API shows them and charges keep them."""
        return [line.as_json() for line in self.lines]

    def range_json(self) -> dict[str, str] | None:
        """``{"low", "high"}`` as decimal strings, or None where the price is exact."""
        if self.low == self.high:
            return None
        return {"low": micros_to_text(self.low), "high": micros_to_text(self.high)}
