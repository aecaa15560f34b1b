"""API keys: any well-formed test key is accepted, a live key never is."""

import base64
import binascii
import re

from stripe_simulator.wire.errors import StripeError, unauthenticated

_TEST_KEY = re.compile(r"(sk|rk)_test_[A-Za-z0-9_]{8,}")


def authenticate(header: str | None) -> None:
    """Raises StripeError 401. Bearer and Basic (the key as user name) are both fine."""
    key = _key(header or "")
    if not key:
        raise unauthenticated(
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/."
        )
    if key.startswith(("sk_live_", "rk_live_", "pk_live_")):
        raise unauthenticated(
            f"Live mode key refused: {_masked(key)}. This is the Stripe simulator; it moves no money and "
            "never works with live keys."
        )
    if key.startswith("pk_test_"):
        raise _publishable()
    if not _TEST_KEY.fullmatch(key):
        raise unauthenticated(f"Invalid API Key provided: {_masked(key)}")


def _key(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return "malformed"
    return ""


def _masked(key: str) -> str:
    head = "_".join(key.split("_")[:2]) + "_" if key.count("_") >= 2 else ""
    return f"{head}{'*' * max(len(key) - len(head) - 4, 4)}{key[-4:]}"


def _publishable() -> StripeError:
    return StripeError(
        "This API call cannot be made with a publishable API key. Please use a secret API key. You can find "
        "a list of your API keys at https://dashboard.stripe.com/account/apikeys.",
        status=401,
        code="secret_key_required",
        storable=False,
    )
