"""The `Stripe-Signature` header: HMAC-SHA256 of the time stamp, a full stop and the raw body."""

import hmac
from hashlib import sha256


def header(payload: bytes, secret: str, at: int) -> str:
    """`at` is in Unix seconds of the real clock: receivers compare it with theirs."""
    signed = f"{at}.".encode() + payload
    digest = hmac.new(secret.encode(), signed, sha256).hexdigest()
    return f"t={at},v1={digest}"
