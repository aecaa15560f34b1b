"""How many API keys an account may have, and how each one stands."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.timezone import now

from accounts import keys
from accounts.models import ApiKey, BillingAccount
from catalog import snapshot


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
class KeyRow:
    """One key with its state: active, ending (replaced by a rotation), expired or revoked."""

    key: ApiKey
    state: str

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
    found = [KeyRow(key, _state(key, moment)) for key in listed.order_by("-created_at", "-pk")]
    return sorted(found, key=lambda row: not row.can_revoke)


def _state(key: ApiKey, moment: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "active"
    return "ending" if moment < key.expires_at else "expired"
