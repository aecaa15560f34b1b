"""What the API answers about prices, as models for its OpenAPI document: the list and the estimate."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from billing.api.answers import Amount, Answer, Moment, Unit
from billing.api.charge_answers import Line, Range


class MonthlyCount(Answer):
    """What the plan counts of this a month; ``limit`` null: any number."""

    count: str
    limit: int | None
    used: int
    resets_at: Moment


class Opens(Answer):
    """What would open a closed gate: a plan, a balance, or waiting."""

    plan: str | None = None
    available: Amount = ""
    resets_at: Moment | None = None


class Gate(Answer):
    """Whether the account may have it now; ``reason`` and ``opens`` say why not and what opens it.

    ``plan``, ``needs_available`` and ``monthly`` are what it takes in general, ``confirmation`` asks for ``confirm: true``.
    """

    open: bool
    reason: str | None
    opens: Opens | None
    plan: str | None
    needs_available: Amount | None
    monthly: MonthlyCount | None
    confirmation: bool


class BookVersion(Answer):
    """The version of the price list; ``locked_until``: the account keeps it whatever is published meanwhile."""

    version: int
    effective_at: Moment | None
    locked_until: Moment | None


class Estimate(Answer):
    """What the work should cost; ``closed`` says which gate keeps this account from it, ``gate`` all about it."""

    cost_estimate: Amount
    range: Range | None
    unit: Unit
    lines: list[Line]
    approximate: bool
    requires_confirmation: bool
    sufficient: bool
    available_after: Amount
    closed: str | None
    gate: Gate
    as_of: Moment
    price_book: BookVersion


class PhasePrice(BaseModel):
    """A part of a pipeline: its own price, and in ``estimate`` what it is expected to cost in this pipeline.

    ``uses``: it is another model's operation. With ``only_reported`` it is kept in reserve and charged where it was used.
    """

    id: str
    name: str
    price: Amount | None
    per: str
    range: Range | None
    approximate: bool
    estimate: Amount | None
    only_reported: bool
    uses: dict[str, str] | None = None


class OperationPrice(BaseModel):
    """``price`` for each ``per``, null where it depends on the request; ``requires``: a plan.

    Where an offer of the account changes it, ``list_price`` is everybody's and ``offers`` names what was agreed.
    ``phases``: it is a pipeline, whose price is the sum of them (before offers).
    """

    model_config = ConfigDict(extra="allow")

    operation: str
    name: str
    price: str | None
    per: str
    range: dict[str, str] | None
    modifiers: list[dict[str, Any]]
    requires: dict[str, Any] | None
    approximate: bool
    free: bool
    unit: Unit
    list_price: str = ""
    offers: list[str] = []
    phases: list[PhasePrice] = []


class ModelPrices(BaseModel):
    """One model and what its operations cost."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    operations: list[OperationPrice]


class Agreement(BaseModel):
    """An offer that counts for this account; empty ``models`` or ``operations`` cover all."""

    name: str
    percent: str
    price: str | None
    models: list[str]
    operations: list[str]


class Pricing(BaseModel):
    """The price list; with a key, what this account pays and may use.

    ``as_of`` is the moment asked for, else ``effective_at``: since when these prices are in force. ``next_change_at``
    is when the next published version takes over. ``locked_until`` and ``agreements`` come with a customer's key.
    """

    model_config = ConfigDict(extra="allow")

    profile: str
    unit: Unit
    as_of: Moment
    effective_at: Moment
    next_change_at: Moment | None
    approximate: bool
    models: list[ModelPrices]
    locked_until: Moment | None = None
    agreements: list[Agreement] = []
