"""Who stands behind an API key or account id, with what pricing needs to know of them.

The web server keeps answers in memory for seconds; a change of a key or account is announced by the database and
drops them at once (``forget``). The ledger's call checks the key again, so a revoked key never gets a hold.
"""

import time
import uuid
from collections.abc import Iterable
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
BY_KEYS_SQL: Final = f"""
SELECT k.digest, k.id, k.kind, a.id, a.profile, a.plan, a.mode, a.unit, a.name,
       CASE WHEN k.revoked_at IS NULL AND coalesce(k.expires_at > now(), true) AND a.status IS DISTINCT FROM 'closed'
            THEN coalesce(extract(epoch FROM k.expires_at - now()), 86400)::int ELSE 0 END,
       {_ANCHOR}
  FROM accounts_apikey k LEFT JOIN accounts_billingaccount a ON a.id = k.account_id WHERE k.digest = ANY (%s)
"""  # noqa: S608 - no input in it
BY_ACCOUNTS_SQL: Final = f"""
SELECT a.id, NULL::uuid, 'account', a.id, a.profile, a.plan, a.mode, a.unit, a.name, 86400, {_ANCHOR}
  FROM accounts_billingaccount a WHERE a.id = ANY (%s) AND a.status <> 'closed'
"""  # noqa: S608 - no input in it
Handle = bytes | uuid.UUID
"""What somebody is found by: the digest of a key, or an account's id."""


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


def from_rows(rows: Iterable[tuple[Any, ...]]) -> dict[Handle, Identity]:
    """Who is behind each handle, from rows of BY_KEYS_SQL or BY_ACCOUNTS_SQL; without those that open nothing."""
    return {row[0]: _identity(row) for row in rows if row[9] > 0}


def _identity(row: tuple[Any, ...]) -> Identity:
    _, key_id, kind, account_id, *texts, valid_for, anchor = row
    profile, plan, mode, unit, name = (text or "" for text in texts)
    return Identity(key_id, kind, account_id, profile, plan, mode, unit, name, valid_for, anchor)


class IdentityCache:
    """Identities by key digest or account id, for ``ttl`` seconds. Off until something listens for changes."""

    def __init__(self, ttl: int = 30, size: int = 50_000) -> None:
        self.enabled = False
        self._ttl, self._size = ttl, size
        self._kept: dict[Handle, tuple[float, Identity]] = {}

    def get(self, handle: Handle) -> Identity | None:
        kept = self._kept.get(handle) if self.enabled else None
        if kept is None or kept[0] < time.monotonic():
            return None
        return kept[1]

    def put(self, handle: Handle, identity: Identity) -> None:
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


def key_handle(text: str) -> bytes | None:
    """What a key is found by; None for a mistyped one."""
    return digest(text) if well_formed(text) else None


def by_key(text: str) -> Identity | None:
    """Who bears this key; None for a mistyped, unknown, expired or revoked one."""
    handle = key_handle(text)
    return None if handle is None else find([handle]).get(handle)


def by_account(account_id: uuid.UUID) -> Identity | None:
    """The account itself, as the generation service may name it; None where there is no open one."""
    return find([account_id]).get(account_id)


def find(handles: Iterable[Handle]) -> dict[Handle, Identity]:
    """Who is behind each of these, as far as there is somebody."""
    found, missing = remembered(handles)
    for sql, unknown in missing:
        with connection.cursor() as cursor:
            cursor.execute(sql, [unknown])
            found.update(remember(cursor.fetchall()))
    return found


def remembered(handles: Iterable[Handle]) -> tuple[dict[Handle, Identity], list[tuple[str, list[Handle]]]]:
    """Who of these is in memory, and the queries that find the others, each with its argument."""
    found: dict[Handle, Identity] = {}
    digests: list[Handle] = []
    accounts: list[Handle] = []
    for handle in handles:
        if (kept := cache.get(handle)) is not None:
            found[handle] = kept
        else:
            (digests if isinstance(handle, bytes) else accounts).append(handle)
    return found, [(sql, some) for sql, some in ((BY_KEYS_SQL, digests), (BY_ACCOUNTS_SQL, accounts)) if some]


def remember(rows: Iterable[tuple[Any, ...]]) -> dict[Handle, Identity]:
    """The identities in rows of those queries, kept in memory from here on."""
    found = from_rows(rows)
    for handle, identity in found.items():
        cache.put(handle, identity)
    return found


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
