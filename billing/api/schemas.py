"""What the API takes: one strict model per request body or query, the same for the lane and the views.

Unknown fields are refused, nothing is converted: a number is not a string, ``true`` is not 1. Amounts are
decimal strings and become integer micros.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from billing.api.problems import of_validation
from catalog.pricing.errors import InvalidAmount
from catalog.pricing.units import parse_micros

LARGEST_BATCH: Final = 500
AMOUNT_PATTERN: Final = r"^-?[0-9]{1,12}(\.[0-9]{1,6})?$"
_AMOUNT_SHAPE: Final = {"type": "string", "pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?$", "examples": ["12.5"]}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# RFC 3339, of which Python's own parser takes more than it should.
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def _amount(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('must be a decimal string such as "12.5"')
    try:
        micros = parse_micros(value)
    except InvalidAmount:
        raise ValueError('must be a decimal string such as "12.5", with at most six decimals') from None
    if value.startswith("-"):
        raise ValueError("must not be negative")
    return micros


def _positive(micros: int) -> int:
    if micros == 0:
        raise ValueError("must be more than 0")
    return micros


def _line(text: str) -> str:
    if _CONTROL.search(text) is not None:
        raise ValueError("must not contain control characters")
    return text


def _instant(value: object) -> object:
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        raise ValueError("must be a time such as 2026-05-01T00:00:00Z")
    try:
        return datetime.fromisoformat(value.upper().replace("Z", "+00:00")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-05-01T00:00:00Z") from None


def _number(value: object) -> object:
    """A query's number: plain digits, none of the other things ``int()`` takes."""
    if isinstance(value, str):
        if re.fullmatch(r"[0-9]{1,9}", value, re.ASCII) is None:
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _switch(value: object) -> object:
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise ValueError("must be true or false")
        return value == "true"
    return value


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


Micros = Annotated[int, PlainValidator(_amount), WithJsonSchema(_AMOUNT_SHAPE)]
PositiveMicros = Annotated[
    int, PlainValidator(_amount), AfterValidator(_positive), WithJsonSchema(_AMOUNT_SHAPE)
]
Line = Annotated[str, AfterValidator(_line)]
Slug = Annotated[Line, Field(min_length=1, max_length=80)]
Reference = Annotated[Line, Field(max_length=255)]
Reason = Annotated[Line, Field(max_length=200)]
Provider = Annotated[Line, Field(min_length=1, max_length=200)]
KeyText = Annotated[Line, Field(min_length=1, max_length=200)]
IdText = Annotated[Line, Field(min_length=1, max_length=80)]
Instant = Annotated[
    datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
PageSize = Annotated[int, Field(ge=1, le=200), BeforeValidator(_number)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Parameters = Annotated[dict[str, Any], Field(max_length=64)]
Type = Literal[
    "topup", "bonus", "trial", "plan_grant", "usage", "refund",
    "expiry", "adjustment", "auto_recharge", "reset", "dispute", "invoice",
]  # fmt: skip


class Body(BaseModel):
    """A request's body: nothing is guessed, nothing is ignored."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class EstimateBody(Body):
    """What a piece of work would cost."""

    model: Slug
    operation: Slug
    parameters: Parameters = {}


class Customer(Body):
    """Who pays: the API key they called with, or the billing account's id."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["api_key"]}, {"required": ["account"]}]},
    )

    api_key: KeyText = Field(default="", json_schema_extra=_without_default)
    account: IdText = Field(default="", json_schema_extra=_without_default)

    @model_validator(mode="after")
    def _one_of_them(self) -> "Customer":
        if bool(self.api_key) == bool(self.account):
            raise ValueError("must have either api_key or account")
        return self


class AuthorizeBody(Body):
    """One piece of work to authorize. ``reference`` is the caller's own id for it."""

    customer: Customer
    model: Slug
    operation: Slug
    parameters: Parameters = {}
    reference: Reference | None = None
    confirm: bool = False


class BatchBody(Body):
    """Up to 500 authorize bodies, each checked and answered for itself."""

    charges: Annotated[
        list[Any],
        Field(min_length=1, max_length=LARGEST_BATCH),
        WithJsonSchema(
            {
                "type": "array",
                "items": {"description": "The body of POST /v1/charges."},
                "minItems": 1,
                "maxItems": LARGEST_BATCH,
            }
        ),
    ]


class SettleBody(Body):
    """What the work turned out to be: outputs for the price book, or a cost that overrides it.

    `partial`: what became of some of its phases (`outputs.phases`), while the rest goes on.
    """

    outputs: Parameters | None = None
    cost: Micros | None = None
    partial: bool = False
    provider: Provider | None = None
    provider_name: Provider | None = None
    executed_model: Provider | None = None
    upstream_id: Provider | None = None


class VoidBody(Body):
    """Why nothing is charged."""

    reason: Reason = ""


class RefundBody(Body):
    """What goes back of a settled charge; without an amount all that is left of it."""

    amount: PositiveMicros | None = None
    reason: Annotated[Reason, Field(min_length=1)]


class VerifyBody(Body):
    """A key somebody presented to the calling service."""

    api_key: Annotated[str, Field(max_length=1000)]


class AutoRechargeBody(Body):
    """``threshold`` in the account's unit; ``amount`` and ``monthly_cap`` in its cash currency."""

    enabled: bool
    threshold: Micros
    amount: PositiveMicros
    monthly_cap: PositiveMicros | None = None


class SpendingLimitBody(Body):
    """The most that may be accepted in a calendar month; null takes the limit away."""

    limit: Micros | None
    currency: Annotated[Line, Field(min_length=1, max_length=8)] | None = None
    mode: Literal["hard", "alert"] | None = None


class KeyLimitsBody(Body):
    """What a key may spend a calendar month and in all; null is no limit."""

    monthly_limit: Micros | None
    total_budget: Micros | None


class TopupBody(Body):
    """A payment to start."""

    amount: PositiveMicros
    currency: Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]


class LimitCentsBody(Body):
    """Profile 3's shape of a spending limit."""

    limitCents: Annotated[int, Field(ge=0, le=100_000_000_000)]  # noqa: N815 - the published name


class Paging(BaseModel):
    """Which page of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cursor: Annotated[str, Field(max_length=200)] | None = None
    limit: PageSize = 50


class UsageQuery(Paging):
    """Which transactions: ``from`` is included, ``to`` is not."""

    type: Type | None = None
    model: Annotated[Line, Field(max_length=80)] | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None


class BalanceQuery(BaseModel):
    """Of when; left out: now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: Instant | None = None


class ChangesQuery(BaseModel):
    """Between when and when; ``to`` left out: now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    from_: Annotated[Instant, Field(alias="from")]
    to: Instant | None = None


class ChargesQuery(Paging):
    """Which charges."""

    reference: Reference | None = None


class AsOfQuery(BaseModel):
    """``as_of``: by the prices of another moment, past or scheduled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    as_of: Instant | None = None


class PricingQuery(AsOfQuery):
    """Whose prices, without a key; a key says so itself."""

    profile: Annotated[Line, Field(min_length=1, max_length=50)] | None = None


class DryRunQuery(AsOfQuery):
    """``dryRun=true`` answers the estimate and writes nothing; ``as_of`` goes with it only."""

    dryRun: Switch = False  # noqa: N815 - the published name


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], data: object) -> Model:
    """The model of strictly parsed data. Raises InvalidRequest with what is wrong where."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise of_validation(error.errors(include_url=False)) from None
