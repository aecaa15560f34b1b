"""Strict JSON: what a request's body must be before anything looks at its meaning, and how answers are written.

RFC 8259 leaves room that has cost others money (duplicate names, lone surrogates, numbers without bounds).
None of it is left here: whatever is unclear is refused with the reason.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson

from billing.errors import InvalidRequest

LARGEST: Final = 256 * 1024
LARGEST_BATCH: Final = 2 * 1024 * 1024
DEEPEST: Final = 20
LONGEST_NUMBER: Final = 40
LARGEST_EXPONENT: Final = 30
LARGEST_WHOLE: Final = 2**63

_ESCAPE: Final = re.compile(r"[\x00\ud800-\udfff]")


class _Refused(ValueError):
    """Why the text is not taken; the scanner's own ValueErrors say where."""


def parse(raw: bytes, limit: int = LARGEST) -> dict[str, Any]:
    """The JSON object in a request's body, of at most ``limit`` bytes.

    Numbers with a fraction become Decimal. Raises InvalidRequest.
    """
    if len(raw) > limit:
        raise invalid_body(f"is larger than {limit // 1024} KiB")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise invalid_body("is not UTF-8") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise invalid_body(f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise invalid_body(_TOO_DEEP) from None
    except _Refused as error:
        raise invalid_body(str(error)) from None
    if not isinstance(value, dict):
        raise invalid_body("is not a JSON object")
    escaped = "\\u" in text
    if escaped or text.count("{") + text.count("[") > DEEPEST:
        _walk(value, escaped)
    return value


def encode(value: object) -> bytes:
    """JSON of an answer; a Decimal that a caller once sent goes back digit for digit."""
    return orjson.dumps(value, default=_digits)


def _digits(value: object) -> orjson.Fragment:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not part of an answer")
    return orjson.Fragment(format(value, "f"))


def invalid_body(message: str) -> InvalidRequest:
    """A refusal of the body as a whole."""
    return InvalidRequest(f"The body {message}.", [{"field": "body", "message": message}])


def _walk(value: object, escaped: bool) -> None:
    """Refuse what only shows in the whole: depth, and where there are escapes NUL and half surrogate pairs."""
    waiting: list[tuple[object, int]] = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, str) and escaped and _ESCAPE.search(item) is not None:
            raise invalid_body("contains a NUL character or half of a surrogate pair")
        if not isinstance(item, dict | list):
            continue
        if depth > DEEPEST:
            raise invalid_body(_TOO_DEEP)
        parts = item.values() if isinstance(item, dict) else item
        waiting.extend((part, depth + 1) for part in parts if escaped or isinstance(part, dict | list))
        if escaped and isinstance(item, dict):
            waiting.extend((name, depth + 1) for name in item)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        again = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise _Refused(f"names {again[:80]!r} twice")
    return value


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise _Refused(f"contains a number of more than {LONGEST_NUMBER} digits")
    value = int(text)
    if not -LARGEST_WHOLE <= value < LARGEST_WHOLE:
        raise _Refused("contains a number that is out of range")
    return value


def _fraction(text: str) -> Decimal:
    if len(text) > LONGEST_NUMBER:
        raise _Refused(f"contains a number of more than {LONGEST_NUMBER} digits")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise _Refused("contains a number that is out of range") from None
    _, _, exponent = value.as_tuple()
    if not isinstance(exponent, int) or abs(exponent) > LARGEST_EXPONENT:
        raise _Refused("contains a number that is out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise _Refused(f"contains {name}, which is not a JSON number")


_TOO_DEEP: Final = f"is nested deeper than {DEEPEST} levels"
_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_fraction, parse_constant=_constant
)
