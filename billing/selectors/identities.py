"""Who stands behind an API key or account id, with what pricing needs to know of them.

The web server keeps answers in memory for seconds; a change of a key or account is announced by the database and
drops them at once (``forget``). The ledger's call checks the key again, so a revoked key never gets a hold.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from accounts.keys import digest, well_formed
from accounts.models import BillingAccount
from billing.models import Subscription

_ANCHOR: Final = (
    "(SELECT s.anchor FROM billing_subscription s WHERE s.account_id = a.id AND s.status <> 'canceled')"
)
_COLUMNS: Final = f"""
SELECT k.id, k.kind, a.id, a.profile, a.plan, a.mode, a.unit, a.name,
       CASE WHEN k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true) AND a.status IS DISTINCT FROM 'closed'
            THEN coalesce(extract(epoch FROM k.expires_at - now()), 86400)::int ELSE 0 END,
       {_ANCHOR}
"""  # noqa: S608 - no input in it
BY_KEY_SQL: Final = (
    _COLUMNS
    + "FROM accounts_apikey k LEFT JOIN accounts_billingaccount a ON a.id = k.account_id WHERE k.digest = %s"
)
BY_ACCOUNT_SQL: Final = f"""
SELECT NULL::uuid, 'account', a.id, a.profile, a.plan, a.mode, a.unit, a.name, 86400, {_ANCHOR}
  FROM accounts_billingaccount a WHERE a.id = %s AND a.status <> 'closed'
"""  # noqa: S608 - no input in it


@dataclass(frozen=True, slots=True)
class Identity:
    """The bearer of a key (or a named account). ``account_id`` is None for a service key."""

    key_id: uuid.UUID | None
    kind: str
    account_id: uuid.UUID | None
    profile: str
    plan: str
    mode: str
    unit: str
    name: str
    valid_for: int
    """Seconds until the key's own expiry, as far as it was known when it was read; 0: not valid."""
    anchor: datetime | None = None
    """From when the billing periods of the account's subscription are counted; None without one."""


def from_row(row: tuple[Any, ...] | None) -> Identity | None:
    """The identity in a row of BY_KEY_SQL or BY_ACCOUNT_SQL, or None where it opens nothing."""
    if row is None or row[8] <= 0:
        return None
    key_id, kind, account_id, *texts, valid_for, anchor = row
    profile, plan, mode, unit, name = (text or "" for text in texts)
    return Identity(key_id, kind, account_id, profile, plan, mode, unit, name, valid_for, anchor)


class IdentityCache:
    """Identities by key digest or account id, for ``ttl`` seconds. Off until something listens for changes."""

    def __init__(self, ttl: int = 30, size: int = 50_000) -> None:
        self.enabled = False
        self._ttl, self._size = ttl, size
        self._kept: dict[bytes | uuid.UUID, tuple[float, Identity]] = {}

    def get(self, handle: bytes | uuid.UUID) -> Identity | None:
        kept = self._kept.get(handle) if self.enabled else None
        if kept is None or kept[0] < time.monotonic():
            return None
        return kept[1]

    def put(self, handle: bytes | uuid.UUID, identity: Identity) -> None:
        if not self.enabled:
            return
        if len(self._kept) >= self._size:
            self._kept.clear()
        self._kept[handle] = (time.monotonic() + min(self._ttl, identity.valid_for), identity)

    def forget(self, changed: str) -> None:
        """Drop what belongs to this key or account (32 hex digits); anything else drops everything."""
        try:
            gone = uuid.UUID(changed)
        except ValueError:
            self._kept.clear()
            return
        self._kept = {
            handle: kept
            for handle, kept in self._kept.items()
            if gone not in (kept[1].key_id, kept[1].account_id)
        }

    def clear(self) -> None:
        self._kept.clear()


cache = IdentityCache()


def by_key(text: str) -> Identity | None:
    """Who bears this key; None for a mistyped, unknown, expired or revoked one."""
    if not well_formed(text):
        return None
    return _find(digest(text), BY_KEY_SQL)


def by_account(account_id: uuid.UUID) -> Identity | None:
    """The account itself, as the generation service may name it; None where there is no open one."""
    return _find(account_id, BY_ACCOUNT_SQL)


def of_account(account: BillingAccount) -> Identity:
    """A signed-in member's account, as pricing knows it."""
    live = Subscription.objects.filter(account=account).exclude(status="canceled")
    return Identity(
        key_id=None,
        kind="account",
        account_id=account.pk,
        profile=account.profile,
        plan=account.plan,
        mode=account.mode,
        unit=account.unit,
        name=account.name,
        valid_for=0,
        anchor=live.values_list("anchor", flat=True).first(),
    )


def anybody(profile: str, mode: str, unit: str) -> Identity:
    """Nobody in particular, who would pay by this profile's price list for a mode."""
    return Identity(None, "visitor", None, profile, "", mode, unit, "", 0)


def _find(handle: bytes | uuid.UUID, sql: str) -> Identity | None:
    if (kept := cache.get(handle)) is not None:
        return kept
    with connection.cursor() as cursor:
        cursor.execute(sql, [handle])
        identity = from_row(cursor.fetchone())
    if identity is not None:
        cache.put(handle, identity)
    return identity
