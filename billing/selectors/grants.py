"""An account's credits as they lie: grant by grant in the order in which they are used, and why in that order."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from billing.ledger import clock
from billing.ledger.models import BURN_ORDER, Grant
from billing.selectors.stories import SOURCES

MOST: Final = 200
SOON: Final = timedelta(days=30)
"""An expiry this near is shown as a number of days and warned of."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Credits that came in together. ``why`` says why they are used here in the order."""

    grant: Grant
    why: str
    days_left: int | None

    @property
    def source(self) -> str:
        return SOURCES.get(self.grant.source, self.grant.source)

    @property
    def percent(self) -> int:
        """What is left of what came in, in whole percent, at least 1."""
        return max(1, self.grant.remaining * 100 // self.grant.amount)

    @property
    def is_soon(self) -> bool:
        return self.days_left is not None and self.days_left <= SOON.days


def lots(account_id: uuid.UUID, most: int = MOST, moment: datetime | None = None) -> list[Lot]:
    """What can be used now, next first; at most so many grants. Lapsed credits are left out."""
    moment = moment or clock.now()
    usable = Q(expires_at__isnull=True) | Q(expires_at__gt=moment)
    found = Grant.objects.filter(usable, account_id=account_id, is_spent=False).order_by(BURN_ORDER)
    listed: list[Lot] = []
    for grant in found[:most]:
        before = listed[-1].grant if listed else None
        listed.append(Lot(grant, _why(grant, before), _days_left(grant.expires_at, moment)))
    return listed


def _why(grant: Grant, before: Grant | None) -> str:
    """The first of the rules of the order (``ledger_burn_rank``) that puts a grant behind the one before."""
    if before is None:
        return "Used next"
    if grant.priority != before.priority:
        return "Kept for later"
    if grant.expires_at != before.expires_at:
        return "Does not expire" if grant.expires_at is None else "Expires later"
    if (grant.source == Grant.Source.TOPUP) != (before.source == Grant.Source.TOPUP):
        return "Bought, so after what was given"
    return "Came in later"


def _days_left(expires_at: datetime | None, moment: datetime) -> int | None:
    """Whole days until then; 0 on the last one."""
    return None if expires_at is None else (expires_at - moment).days
