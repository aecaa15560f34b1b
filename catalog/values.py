"""The value types profile files, stored settings and admin forms share: exact numbers, slugs, codes.

A number may be written bare (``0.054``: the TOML reader keeps it exact) or, in stored JSON, as a decimal
string. Booleans, binary floats, NaN and infinities are refused everywhere.
"""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel as PydanticModel
from pydantic import BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from catalog.pricing.errors import InvalidAmount
from catalog.pricing.types import MAX_PRICE
from catalog.pricing.units import decimal_to_micros, decimal_to_text, micros_to_text

_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,12})?", re.ASCII)
_WRITTEN_OUT = 24
"""1e999999999 is never written out to be refused."""
MAX_MONEY = Decimal(1_000_000_000)


def exact(value: Any) -> Decimal:
    """A finite decimal with at most 12 digits on either side of the point. Raises ValueError."""
    if isinstance(value, Decimal) and value.is_finite():
        text = format(value, "f") if abs(value.adjusted()) <= _WRITTEN_OUT else ""
    elif type(value) is int:
        text = str(value) if abs(value) < 10**12 else ""
    elif isinstance(value, str):
        text = value
    else:
        raise ValueError("must be a number")
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError("must be a number with at most 12 digits before and 12 after the point")
    return Decimal(text)


def _price(value: Any) -> Decimal:
    number = exact(value)
    if number < 0:
        raise ValueError("must not be negative")
    if number > MAX_PRICE:
        raise ValueError(f"must be at most {decimal_to_text(MAX_PRICE)}")
    return number


def _micros(value: Any) -> int:
    number = exact(value)
    if number < 0:
        raise ValueError("must not be negative")
    if number > MAX_MONEY:
        raise ValueError(f"must be at most {decimal_to_text(MAX_MONEY)}")
    try:
        return decimal_to_micros(number)
    except InvalidAmount as error:
        raise ValueError("must have at most six decimals") from error


def _strict_int(value: Any) -> int:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _strict_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


_NUMBER_SCHEMA = {
    "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,12})?$"}]
}

Exact = Annotated[
    Decimal,
    BeforeValidator(exact),
    PlainSerializer(decimal_to_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "number"}),
]
Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    PlainSerializer(decimal_to_text, return_type=str, when_used="json"),
    WithJsonSchema(_NUMBER_SCHEMA),
]
"""A price in whole units, at least 0; may be finer than a micro (per token)."""

Money = Annotated[
    int,
    BeforeValidator(_micros),
    PlainSerializer(micros_to_text, return_type=str, when_used="json"),
    WithJsonSchema(_NUMBER_SCHEMA),
]
"""An amount written in whole units ("25.00"), held as integer micros."""

Whole = Annotated[int, BeforeValidator(_strict_int), Field(ge=0, le=1_000_000_000)]
Flag = Annotated[bool, BeforeValidator(_strict_bool)]
_SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_NAME = r"^[^\x00-\x1f]+$"
_WORD = r"^[a-z][a-z0-9_]*$"
_CURRENCY = r"^[A-Z]{3}$"
_UNIT = r"^(credit|[A-Z]{3})$"
SPELLINGS = {
    _SLUG: "must be lower-case letters and digits with single hyphens between, such as seedream-4-5.",
    _NAME: "must be one line of text.",
    _WORD: "must be lower-case letters, digits and underscores, such as hero_model.",
    _CURRENCY: "must be a currency code of three capitals, such as USD.",
    _UNIT: "must be credit or a currency code of three capitals, such as USD.",
}
"""What each pattern asks for, in words."""

Slug = Annotated[str, Field(strict=True, pattern=_SLUG, max_length=50)]
Name = Annotated[str, Field(strict=True, min_length=1, max_length=80, pattern=_NAME)]
Word = Annotated[str, Field(strict=True, pattern=_WORD, max_length=30)]
Currency = Annotated[str, Field(strict=True, pattern=_CURRENCY)]
UnitCode = Annotated[str, Field(strict=True, pattern=_UNIT)]


class Section(PydanticModel):
    """A part of a profile: unknown keys are refused, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)
