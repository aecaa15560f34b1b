"""Who may call what: the keys' kinds, and how often one caller may."""

from collections.abc import Hashable
from typing import Final

from django.http import HttpRequest
from ninja.security.base import AuthBase

from billing import throttle
from billing.api import calls
from billing.api.auth import identify
from billing.errors import Forbidden, Unauthorized
from billing.selectors.identities import Identity

_NAMES: Final = {
    "customer": "a customer's key (bpk_…)",
    "service": "the generation service's key (bps_…)",
}


class KeyAuth(AuthBase):
    """A bearer key of one of these kinds. Cookies and sessions mean nothing here."""

    openapi_type = "http"
    openapi_scheme = "bearer"
    kinds: tuple[str, ...] = ("customer", "service")

    def __call__(self, request: HttpRequest) -> Identity:
        return of_kind(admit(request), self.kinds)


class AnyKey(KeyAuth):
    """A customer's key sees what is its own account's, the service's key sees all."""


class CustomerAuth(KeyAuth):
    """A customer's key: everything it reads and changes is its own account's."""

    kinds = ("customer",)


class ServiceAuth(KeyAuth):
    """The key of the company's own generation service."""

    kinds = ("service",)


def of_kind(identity: Identity, kinds: tuple[str, ...]) -> Identity:
    """The identity, if its key is of one of these kinds. Raises Forbidden."""
    if identity.kind not in kinds:
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        raise Forbidden(f"This address takes {wanted}.")
    return identity


def admit(request: HttpRequest) -> Identity:
    """The bearer of the request's key, counted against its rate. Raises Unauthorized, RateLimited."""
    try:
        identity = identify(request.headers.get("Authorization"))
    except Unauthorized:
        count(request, "anonymous", request.META.get("REMOTE_ADDR"))
        raise
    count(request, identity.kind, identity.key_id)
    calls.about(identity.account_id)
    return identity


def visitor(request: HttpRequest) -> Identity | None:
    """The bearer of the key, or None for a request that brings none. Raises Unauthorized, RateLimited."""
    if "Authorization" in request.headers:
        return admit(request)
    count(request, "anonymous", request.META.get("REMOTE_ADDR"))
    return None


def count(request: HttpRequest, kind: str, caller: Hashable, cost: int = 1) -> None:
    """Take from the caller's bucket; the response will tell what is left. Raises RateLimited."""
    request.META["portal.rate"] = throttle.check(kind, caller, cost)


def caller(request: HttpRequest) -> Identity:
    """Who passed one of the classes above."""
    identity: Identity = request.auth  # type: ignore[attr-defined]  # ninja puts it there
    return identity
