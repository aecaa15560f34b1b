"""Plain values used everywhere: JSON objects, Stripe-like identifiers, object kinds."""

import secrets
import string
from typing import Any

Json = dict[str, Any]

_ALPHABET = string.ascii_letters + string.digits

ACCOUNT_ID = "acct_1SimulatorAccount00"

# What leads the random part, and how long that is: `pi_3…` has a version digit, `cus_…` none.
_SHAPES: dict[str, tuple[str, int]] = {
    "cus": ("", 14),
    "prod": ("", 14),
    "req": ("", 14),
    "pi": ("3", 23),
    "ch": ("3", 23),
    "re": ("3", 23),
    "txn": ("3", 23),
    "cs": ("test_a1", 58),
    "whsec": ("", 32),
}


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def random_digits(length: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(length))


def new_id(prefix: str) -> str:
    """An identifier of the form Stripe gives this kind of object."""
    lead, length = _SHAPES.get(prefix, ("1", 23))
    return f"{prefix}_{lead}{random_text(length)}"


def client_secret(object_id: str) -> str:
    return f"{object_id}_secret_{random_text(25)}"
