"""The shape of a profile file: what ``load_profile`` reads and docs/profiles.md explains.

Pydantic checks each value; ``catalog.profile_checks`` checks what only the whole file shows. Parameters,
modifiers and pipelines are declared once and named by the prices that use them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from catalog.pricing.types import ChargeOn
from catalog.terms import Mode, PlanEntry, Settings
from catalog.values import Currency, Exact, Flag, Name, Price, Section, Slug, UnitCode, Whole, Word, exact


def _scalar(value: Any) -> Any:
    if isinstance(value, bool | int | str):
        return value
    raise ValueError("must be a text, a whole number, or true/false")


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple | dict) else [value]


def _default(value: Any) -> Any:
    return value if isinstance(value, bool | str) else exact(value)


ScalarValue = Annotated[bool | int | str, BeforeValidator(_scalar)]
Default = Annotated[bool | Decimal | str, BeforeValidator(_default), WithJsonSchema({})]


class Span(Section):
    """From ``min`` to ``max``, both included; either may be left out."""

    min: Exact | None = None
    max: Exact | None = None

    @model_validator(mode="after")
    def _not_empty(self) -> "Span":
        if self.min is None and self.max is None:
            raise ValueError("needs min or max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min is above max")
        return self


Alternatives = Annotated[tuple[ScalarValue, ...], Field(min_length=1)]
Condition = Annotated[Alternatives | Span, BeforeValidator(_listed, json_schema_input_type=Any)]
Conditions = Annotated[Mapping[Word, Condition], Field(min_length=1)]


class ImpliedBy(Section):
    """The value when a request leaves the parameter out, looked up by another parameter's value."""

    by: Word
    values: Annotated[Mapping[str, Exact], Field(min_length=1)]


class Parameter(Section):
    """Something a request may say and an output may report. ``counts``: what one of it is in a price."""

    name: Word
    type: Literal["integer", "number", "choice", "flag"]
    choices: tuple[Annotated[str, Field(strict=True, min_length=1, max_length=40)], ...] = ()
    min: Exact | None = None
    max: Exact | None = None
    default: Default | None = None
    counts: Word | Literal[""] = ""
    implied: ImpliedBy | None = None


class Priced(Section):
    """A price, per what, and its bounds where it is approximate. ``price`` may be left to ``high``."""

    price: Price | None = None
    low: Price | None = None
    high: Price | None = None
    approximate: Flag = False


class VariantEntry(Priced):
    """Another price for the requests that match ``when``; the first match counts."""

    name: Name | Literal[""] = ""
    when: Conditions
    requires: Slug | Literal[""] = ""


class ModifierEntry(Section):
    """A change of price under a name: ``times`` it, or ``add`` to it per counted thing."""

    id: Slug
    name: Name
    when: Conditions
    times: Price | None = None
    add: Price | None = None
    requires: Slug | Literal[""] = ""


class LimitEntry(Section):
    """What one price narrows of a parameter: other choices, bounds or default."""

    choices: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    min: Exact | None = None
    max: Exact | None = None
    default: Default | None = None


class UsesEntry(Section):
    """Another item of the same list with fixed parameters."""

    model: Slug
    operation: Slug
    parameters: Mapping[Word, ScalarValue] = Field(default_factory=dict)


class RateEntry(Priced):
    """How something is priced: per request or per counted parameter, with variants and modifiers."""

    per: Word | None = None
    times: tuple[Word, ...] = ()
    variants: tuple[VariantEntry, ...] = ()
    modifiers: tuple[Slug, ...] = ()
    parameters: tuple[Word, ...] | None = None
    limits: Mapping[Word, LimitEntry] = Field(default_factory=dict)


class PhaseEntry(RateEntry):
    """One step of a pipeline: its own rate, or ``uses`` another item."""

    id: Slug
    name: Name
    uses: UsesEntry | None = None
    only_reported: Flag = False


class PipelineEntry(Section):
    """Phases priced together, by a name prices refer to."""

    id: Slug
    phases: Annotated[tuple[PhaseEntry, ...], Field(min_length=1)]


class OperationEntry(Section):
    """Something models do. Its ``per`` and ``parameters`` hold for prices that say nothing else."""

    id: Slug
    name: Name
    per: Word = "request"
    parameters: tuple[Word, ...] = ()


class PriceEntry(RateEntry):
    """One cell of the price list: this model's price for an operation, in one list (the first by default)."""

    operation: Slug
    price_list: Slug | None = None
    free: Flag = False
    derived: Flag = False
    pipeline: Slug | None = None
    minimum: Price | None = None
    requires: Slug | Literal[""] = ""
    charge_on: ChargeOn | None = None
    hold_ttl: Annotated[Whole, Field(ge=30, le=7 * 86400)] | None = None
    confirm: Flag = False
    monthly_limit: Slug | Literal[""] = ""


class ModelEntry(Section):
    """A model, its tier for balance gates, what the provider charges, and its prices."""

    id: Slug
    name: Name
    tier: Slug | Literal[""] = ""
    description: Annotated[str, Field(strict=True, max_length=200)] = ""
    provider_cost: Price | None = None
    prices: tuple[PriceEntry, ...] = ()


class PriceListEntry(Section):
    """A list of prices in one unit for the account modes that pay by it; how its derived rates come about."""

    id: Slug
    name: Name
    unit: UnitCode
    modes: Annotated[tuple[Mode, ...], Field(min_length=1)]
    markup: Price | None = None
    round_to: Price | None = None


class ProfileHead(Section):
    """Who the profile is: its id, its name and its money."""

    id: Slug
    name: Name
    cash_currency: Currency
    credit_price: Price | None = None


class ProfileFile(Section):
    """A whole profile file."""

    format: Literal[1]
    profile: ProfileHead
    terms: Settings
    plan: tuple[PlanEntry, ...] = ()
    price_list: Annotated[tuple[PriceListEntry, ...], Field(min_length=1)]
    parameter: tuple[Parameter, ...] = ()
    operation: tuple[OperationEntry, ...] = ()
    modifier: tuple[ModifierEntry, ...] = ()
    pipeline: tuple[PipelineEntry, ...] = ()
    model: Annotated[tuple[ModelEntry, ...], Field(min_length=1)]
