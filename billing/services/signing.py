"""The key that signs statements: Ed25519, its private half in the settings only, its public half kept for good.

To change the key, set another one: what the old one signed is still checked with its public half, which stays listed.
"""

import base64
import binascii
import hashlib
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from billing.models import SigningKey

KEY_BYTES = 32


def key_id(public: bytes) -> str:
    """A public key's short name: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def current() -> SigningKey:
    """The public half of the key that signs now, listed from its first use on."""
    public = _private(settings.STATEMENT_SIGNING_KEY).public_key().public_bytes_raw()
    return SigningKey.objects.get_or_create(pk=key_id(public), defaults={"public": public})[0]


def sign(content: str) -> bytes:
    """The current key's signature (64 bytes) over the text's UTF-8."""
    return _private(settings.STATEMENT_SIGNING_KEY).sign(content.encode())


def listed() -> list[dict[str, Any]]:
    """Every public key there ever was, newest first, as JSON Web Keys (RFC 8037)."""
    current()
    return [
        {
            "kty": "OKP",
            "crv": "Ed25519",
            "use": "sig",
            "alg": "EdDSA",
            "kid": key.pk,
            "x": base64.urlsafe_b64encode(bytes(key.public)).rstrip(b"=").decode(),
        }
        for key in SigningKey.objects.all()
    ]


@lru_cache(maxsize=4)
def _private(text: str) -> Ed25519PrivateKey:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES:
        raise ImproperlyConfigured("STATEMENT_SIGNING_KEY is not the base64 text of 32 random bytes.")
    return Ed25519PrivateKey.from_private_bytes(raw)
