"""``Authorization: Bearer …`` → who is calling."""

from accounts.keys import well_formed
from billing.errors import Unauthorized
from billing.selectors import identities
from billing.selectors.identities import Identity
from billing.services.refusals import unknown_key


def bearer(header: str | None) -> str:
    """The well-formed key in an Authorization header. Raises Unauthorized without looking anything up."""
    scheme, _, text = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        raise Unauthorized("Send your API key in the header: Authorization: Bearer bpk_…")
    if not well_formed(text.strip()):
        raise Unauthorized(
            "This is not an API key: it is mistyped or cut off. Copy it again from the place you keep it."
        )
    return text.strip()


def identify(header: str | None) -> Identity:
    """The bearer of the request's key. Raises Unauthorized."""
    identity = identities.by_key(bearer(header))
    if identity is None:
        raise unknown_key()
    return identity
