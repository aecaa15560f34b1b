"""API keys: how they are made, recognised, rotated and taken back.

A key is ``bpk_`` (customer) or ``bps_`` (service), 32 random base62 digits and 6 base62 digits of
CRC-32 over all that, so that a mistyped key is refused without a look-up. Only the SHA-256 of the text is
stored: the text has 190 random bits, so a slow hash would add nothing.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.errors import KeyNotUsable, NoFreeSlot
from accounts.models import ApiKey, BillingAccount, User
from config.ids import new_id

KIND_PREFIX: dict[str, str] = {"customer": "bpk_", "service": "bps_"}
OVERLAP = timedelta(hours=24)
USE_NOTED_EVERY = timedelta(minutes=1)

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM = 32
_CHECK = 6
_PAIRS = [first + second for first in _BASE62 for second in _BASE62]
_SHOWN = 6
_FORM = re.compile(rf"(?:bpk_|bps_)[0-9A-Za-z]{{{_RANDOM + _CHECK}}}", re.ASCII)


def generate(kind: str) -> str:
    """A fresh key text of this kind. The caller shows it once and keeps only ``digest(text)``."""
    body = KIND_PREFIX[kind] + "".join(secrets.choice(_BASE62) for _ in range(_RANDOM))
    return body + _checksum(body)


def well_formed(text: str) -> bool:
    """Whether the text has a key's form and a right checksum. Says nothing about whether it exists."""
    return _FORM.fullmatch(text) is not None and text[-_CHECK:] == _checksum(text[:-_CHECK])


def digest(text: str) -> bytes:
    """What is stored and looked up: SHA-256, 32 bytes."""
    return hashlib.sha256(text.encode()).digest()


def create_key(
    *,
    account: BillingAccount,
    name: str,
    created_by: User | None = None,
    slots: int | None = None,
    key_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    """A new customer key and its text, which exists nowhere else. ``slots=None`` means no maximum.

    ``key_id`` is the id the caller chose for it, so that a repeated request cannot make two.

    Raises NoFreeSlot when the account already has ``slots`` keys. The account's row is locked while counting,
    so that parallel calls cannot pass the maximum together.
    """
    with transaction.atomic():
        BillingAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if slots is not None:
            _require_slot(account, slots)
        return _store("customer", name, account=account, created_by=created_by, key_id=key_id)


def create_service_key(name: str) -> tuple[ApiKey, str]:
    """A key for the company's own generation service, which may charge every account."""
    return _store("service", name)


def rotate(key: ApiKey, overlap: timedelta = OVERLAP, created_by: User | None = None) -> tuple[ApiKey, str]:
    """A successor with the same name; the old key keeps working for ``overlap`` and takes no slot meanwhile.

    Both spend the same limits, set before or after.

    Rotating the successor again ends the first key at once, so that a slot never stands for more than
    two working keys. Raises KeyNotUsable for a key that is revoked, expired or already replaced.
    """
    moment = now()
    with transaction.atomic():
        old = ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)
        if old.revoked_at is not None or old.expires_at is not None:
            raise KeyNotUsable(f"“{old.name}” is not in use any more and cannot be rotated.")
        if old.replaces_id is not None:
            ApiKey.objects.filter(pk=old.replaces_id, revoked_at=None).update(revoked_at=moment)
        successor, text = _store(old.kind, old.name, account=old.account, created_by=created_by, replaces=old)
        ApiKey.objects.filter(pk=old.pk).update(expires_at=moment + overlap)
    key.refresh_from_db()
    return successor, text


def revoke(key: ApiKey) -> None:
    """The key opens nothing from now on. Revoking twice keeps the first moment."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now())
    key.refresh_from_db(fields=["revoked_at"])


def verify(text: str) -> ApiKey | None:
    """The usable key with this text, with its account, or None. A wrong checksum costs no query.

    Its use is noted after the surrounding transaction, at most once a minute.
    """
    if not well_formed(text):
        return None
    key = ApiKey.objects.select_related("account").filter(digest=digest(text)).first()
    moment = now()
    if key is None or not key.usable_at(moment) or _closed(key.account):
        return None
    if key.last_used_at is None or key.last_used_at <= moment - USE_NOTED_EVERY:
        transaction.on_commit(partial(record_use, [key.pk]), robust=True)
    return key


def record_use(key_ids: Iterable[UUID]) -> int:
    """Notes that these keys were used just now, except those noted a minute ago or less; how many."""
    moment = now()
    with connection.cursor() as cursor:  # one array, where pk__in would write out thousands of parameters
        cursor.execute(
            "UPDATE accounts_apikey SET last_used_at = %s"
            " WHERE id = ANY (%s) AND coalesce(last_used_at <= %s, true)",
            [moment, list(key_ids), moment - USE_NOTED_EVERY],
        )
        return int(cursor.rowcount)


def in_slots(account: BillingAccount) -> list[ApiKey]:
    """The keys that take a slot, oldest first: not revoked, and not being replaced by a rotation."""
    return list(
        ApiKey.objects.filter(account=account, revoked_at=None, expires_at=None).order_by("created_at", "pk")
    )


def _require_slot(account: BillingAccount, slots: int) -> None:
    taken = in_slots(account)
    if len(taken) >= slots:
        raise NoFreeSlot(slots, [key.name for key in taken])


def _store(
    kind: str,
    name: str,
    *,
    account: BillingAccount | None = None,
    created_by: User | None = None,
    replaces: ApiKey | None = None,
    key_id: UUID | None = None,
) -> tuple[ApiKey, str]:
    text = generate(kind)
    key = ApiKey.objects.create(
        id=key_id or new_id(),
        kind=kind,
        account=account,
        name=name,
        prefix=text[: len(KIND_PREFIX[kind]) + _SHOWN],
        last4=text[-4:],
        digest=digest(text),
        created_by=created_by,
        replaces=replaces,
        limited_as=replaces.limit_id if replaces else None,
    )
    return key, text


def _closed(account: BillingAccount | None) -> bool:
    return account is not None and account.status == BillingAccount.Status.CLOSED


def _checksum(body: str) -> str:
    """CRC-32 in base62, padded to six digits (62^6 > 2^32)."""
    rest, low = divmod(zlib.crc32(body.encode()), len(_PAIRS))
    high, middle = divmod(rest, len(_PAIRS))
    return _PAIRS[high] + _PAIRS[middle] + _PAIRS[low]
