"""How many API keys an account may have, how each one stands, what it has spent and what it may."""

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db import connection
from django.utils.timezone import now

from accounts import keys
from accounts.models import ApiKey, BillingAccount
from billing.ledger import clock, key_limits
from billing.ledger.models import KeyLimit
from billing.selectors.limits import meter
from catalog import snapshot

# What came off the balance through each key less what came back of it, and what its open holds set aside.
SPENT_SQL: Final = """
SELECT api_key_id, coalesce(sum(micros) FILTER (WHERE day >= %(month)s), 0)::bigint, sum(micros)::bigint
  FROM (SELECT api_key_id, day, -amount AS micros
          FROM ledger_days(%(account)s, DATE '2000-01-01', %(until)s) AS past
         WHERE kind IN ('usage', 'refund') AND api_key_id IS NOT NULL
         UNION ALL
        SELECT api_key_id, (authorized_at AT TIME ZONE 'UTC')::date, amount
          FROM ledger_charge
         WHERE account_id = %(account)s AND status = 'authorized' AND api_key_id IS NOT NULL) AS all_of_it
 GROUP BY 1
"""


@dataclass(frozen=True, slots=True)
class Slots:
    """Keys in use, and the maximum the plan gives; None is no maximum."""

    used: int
    allowed: int | None

    @property
    def full(self) -> bool:
        return self.allowed is not None and self.used >= self.allowed

    @property
    def percent(self) -> int:
        """Whole percent in use, 100 at most; for the meter."""
        return min(100, self.used * 100 // self.allowed) if self.allowed else 100


@dataclass(frozen=True, slots=True)
class Spent:
    """Micros that a key has spent this month (UTC) and in all, running jobs included."""

    month: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class KeyMeter:
    """One limit of a key: how much of it is used, with the meter's percent and tone."""

    label: str
    limit: int
    spent: int

    @property
    def percent(self) -> int:
        return meter(self.spent, self.limit)[0]

    @property
    def tone(self) -> str:
        return meter(self.spent, self.limit)[1]


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key with its state: active, ending (replaced by a rotation), expired or revoked.

    ``together``: the other keys of its rotation, newest first, which spend the same limits.
    """

    key: ApiKey
    state: str
    spent: Spent = Spent()
    limit: KeyLimit | None = None
    together: tuple[ApiKey, ...] = ()

    @property
    def meters(self) -> list[KeyMeter]:
        """What the key may spend and has spent, for each limit it is under."""
        if self.limit is None:
            return []
        both = (
            ("a month", self.limit.monthly, self.spent.month),
            ("in all", self.limit.budget, self.spent.total),
        )
        return [KeyMeter(label, limit, spent) for label, limit, spent in both if limit is not None]

    @property
    def can_rotate(self) -> bool:
        return self.state == "active"

    @property
    def can_revoke(self) -> bool:
        return self.state in ("active", "ending")


def allowed(account: BillingAccount) -> int | None:
    """Key slots of the account's plan; of its profile where it pays per use or has no plan. None: no maximum."""
    terms = snapshot.current().terms(account.profile)
    plan = terms.plan(account.plan) if account.mode != BillingAccount.Mode.METERED else None
    return plan.key_slots if plan else terms.key_slots


def slots(account: BillingAccount) -> Slots:
    """Slots used and allowed. Keys being replaced by a rotation take none."""
    return Slots(used=len(keys.in_slots(account)), allowed=allowed(account))


def rows(account: BillingAccount) -> list[KeyRow]:
    """Every key of the account, working ones first, newest first among them."""
    moment = now()
    listed = ApiKey.objects.filter(account=account).select_related("created_by", "replaced_by")
    used, limits = spent(account.pk), key_limits.of(account.pk)
    rotations: dict[uuid.UUID, list[ApiKey]] = defaultdict(list)
    for key in listed.order_by("-created_at", "-pk"):
        rotations[key.limit_id].append(key)
    found = [
        KeyRow(
            key, _state(key, moment), used[key.pk], limits.get(key.pk),
            tuple(other for other in rotations[key.limit_id] if other.pk != key.pk),
        )
        for key in listed.order_by("-created_at", "-pk")
    ]  # fmt: skip
    return sorted(found, key=lambda row: not row.can_revoke)


def spent(account_id: uuid.UUID) -> dict[uuid.UUID, Spent]:
    """What each key has spent; a key under a limit as that limit counts it, with the keys that share it."""
    today = clock.now().date()
    month = today.replace(day=1)
    found: dict[uuid.UUID, Spent] = defaultdict(Spent)
    with connection.cursor() as cursor:
        cursor.execute(SPENT_SQL, {"account": account_id, "month": month, "until": date.max})
        found.update({key_id: Spent(in_month, total) for key_id, in_month, total in cursor.fetchall()})
    for key_id, row in key_limits.of(account_id).items():
        found[key_id] = Spent(row.month_accepted if row.month == month else 0, row.accepted)
    return found


def _state(key: ApiKey, moment: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "ending" if moment < key.expires_at else "expired"
