"""Read a decoded JSON answer field by field, strictly: amounts become ``Decimal``, never ``float``."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from portal_client.errors import BadAnswer

Json = Mapping[str, object]
T = TypeVar("T")


def decode(body: bytes) -> object:
    """JSON text to values, numbers with a point as ``Decimal``. Raises ``BadAnswer`` for anything else."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"The answer is not JSON: {error}") from None


def decode_object(body: bytes) -> Json:
    value = decode(body)
    if not isinstance(value, dict):
        raise BadAnswer("The answer is not a JSON object.")
    return value


def text(source: Json, name: str) -> str:
    value = source.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a text", value)
    return value


def optional_text(source: Json, name: str) -> str | None:
    return None if source.get(name) is None else text(source, name)


def flag(source: Json, name: str) -> bool:
    value = source.get(name)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", value)
    return value


def amount(source: Json, name: str) -> Decimal:
    """A decimal string (or a whole or decimal JSON number, as the two ``/api`` endpoints send)."""
    value = source.get(name)
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise _wrong(name, "an amount", value)
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        raise _wrong(name, "an amount", value) from None
    if not parsed.is_finite():
        raise _wrong(name, "an amount", value)
    return parsed


def optional_amount(source: Json, name: str) -> Decimal | None:
    return None if source.get(name) is None else amount(source, name)


def moment(source: Json, name: str) -> datetime:
    """An RFC 3339 time; aware."""
    value = text(source, name)
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise _wrong(name, "a time", value) from None
    if parsed.tzinfo is None:
        raise _wrong(name, "a time with its offset", value)
    return parsed


def optional_moment(source: Json, name: str) -> datetime | None:
    return None if source.get(name) is None else moment(source, name)


def child(source: Json, name: str) -> Json:
    value = source.get(name)
    if not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    return value


def optional_child(source: Json, name: str, build: Callable[[Json], T]) -> T | None:
    return None if source.get(name) is None else build(child(source, name))


def children(source: Json, name: str) -> Iterator[Json]:
    value = source.get(name)
    if not isinstance(value, list):
        raise _wrong(name, "a list", value)
    for item in value:
        if not isinstance(item, dict):
            raise _wrong(name, "a list of objects", item)
        yield item


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _wrong(name: str, wanted: str, got: object) -> BadAnswer:
    return BadAnswer(f"The answer's field {name!r} should be {wanted}, not {got!r:.80}.")
