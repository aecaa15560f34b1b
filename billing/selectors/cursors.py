"""Keyset cursors: where a list goes on, as an opaque text. Callers pass it back and do not read it."""

import base64
import binascii
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from billing.errors import InvalidRequest

Row = TypeVar("Row")
_LARGEST = 2**63 - 1


def page(
    rows: Sequence[Row], limit: int, cursor: Callable[[Row], str], show: Callable[[Row], dict[str, Any]]
) -> dict[str, Any]:
    """``{"data", "next_cursor"}`` of up to ``limit`` rows; the caller read one more to see if it goes on."""
    shown = rows[:limit]
    more = len(rows) > limit
    return {"data": [show(row) for row in shown], "next_cursor": cursor(shown[-1]) if more else None}


def of_number(kind: str, value: int) -> str:
    """A cursor after the row with this number; ``kind`` keeps the cursors of two lists apart."""
    return _text(f"{kind}:{value}")


def of_id(kind: str, value: uuid.UUID) -> str:
    """A cursor after the row with this id."""
    return _text(f"{kind}:{value.hex}")


def number(kind: str, cursor: str) -> int:
    """The number in a cursor of this kind. Raises InvalidRequest."""
    rest = _rest(kind, cursor)
    if not (rest.isascii() and rest.isdigit()) or len(rest) > 19 or int(rest) > _LARGEST:
        raise _unknown()
    return int(rest)


def identifier(kind: str, cursor: str) -> uuid.UUID:
    """The id in a cursor of this kind. Raises InvalidRequest."""
    rest = _rest(kind, cursor)
    if len(rest) != 32 or not set(rest) <= set("0123456789abcdef"):
        raise _unknown()
    return uuid.UUID(rest)


def _text(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _rest(kind: str, cursor: str) -> str:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode(
            "ascii"
        )
    except (binascii.Error, ValueError):
        raise _unknown() from None
    head, _, rest = plain.partition(":")
    if head != kind:
        raise _unknown()
    return rest


def _unknown() -> InvalidRequest:
    message = "is not a cursor of this list; pass next_cursor on as it came"
    return InvalidRequest(f"The cursor {message}.", [{"field": "cursor", "message": message}])
