"""Identifiers of public things: time-ordered UUIDs (RFC 9562, version 7), shown with a prefix.

``acct_0199b7c0…`` is the prefix, an underscore and the 32 hexadecimal digits of the UUID.
"""

import random
import re
import time
import uuid
from datetime import datetime

_LOW = (1 << 62) - 1
_HEX = re.compile(r"[0-9a-f]{32}")


def new_id() -> uuid.UUID:
    """A fresh UUIDv7: 48 bits of Unix milliseconds, then 74 random bits, so that new rows sort last."""
    # An id opens nothing, so it need not be unguessable, only never twice: a forked process starts elsewhere.
    chance = random.getrandbits(74)
    milliseconds = time.time_ns() // 1_000_000
    return uuid.UUID(int=milliseconds << 80 | 7 << 76 | chance >> 62 << 64 | 2 << 62 | chance & _LOW)


def first_id(moment: datetime) -> uuid.UUID:
    """The smallest id that ``new_id`` may make at this moment: later rows are those from it on."""
    milliseconds = int(moment.timestamp() * 1000)
    return uuid.UUID(bytes=milliseconds.to_bytes(6, "big") + b"\x70\x00\x80" + bytes(7))


def public_id(prefix: str, value: uuid.UUID) -> str:
    """The identifier as customers see it: ``public_id("ch", charge.id)``."""
    return f"{prefix}_{value.hex}"


def parse_id(prefix: str, text: str) -> uuid.UUID | None:
    """The UUID behind a shown identifier, or None when the text is not one of this prefix."""
    head, _, digits = text.partition("_")
    if head != prefix or _HEX.fullmatch(digits) is None:
        return None
    return uuid.UUID(digits)
