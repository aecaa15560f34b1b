"""Telling an account something once: the row that says so and the e-mails are one transaction.

Amounts among the ``facts`` are decimal texts in the account's unit, as the API writes them.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import BillingAccount, NoticeTopic
from accounts.notices import recipients
from billing import outbox
from billing.models import Notice

log = logging.getLogger(__name__)

Kind = Notice.Kind
Item = TypeVar("Item")

TOPICS: Final[dict[str, str]] = {
    Kind.LIMIT_THRESHOLD: NoticeTopic.LIMITS,
    Kind.LIMIT_STOPPED: NoticeTopic.LIMITS,
    Kind.KEY_LIMIT_STOPPED: NoticeTopic.LIMITS,
    Kind.BALANCE_LOW: NoticeTopic.BALANCE,
    Kind.BALANCE_DEPLETED: NoticeTopic.BALANCE,
    Kind.GRANT_EXPIRING: NoticeTopic.EXPIRY,
}
"""Which choice of its members decides who hears of what."""


@transaction.atomic
def tell(account: BillingAccount, kind: str, subject: str = "", **facts: Any) -> bool:
    """Say it to those who want to hear of it, unless it stands as said; whether it was said now."""
    told = recipients(account, TOPICS[kind])
    notice = _stand(account, kind, subject, facts, told)
    if notice is None:
        return False
    for address in told:
        outbox.put(
            kind=f"email.{kind}",
            key=f"notice:{notice.pk.hex}:{address.lower()}"[:160],
            payload={"account": str(account.pk), "to": address, "facts": facts},
        )
    return True


def note(account: BillingAccount, kind: str, subject: str = "", **facts: Any) -> None:
    """Let it stand as said without writing to anybody: another notice of the same moment says more."""
    _stand(account, kind, subject, facts, [])


def end(account: BillingAccount, which: Q) -> int:
    """What these notices said is over: it may be said again. Returns how many stood."""
    return Notice.objects.filter(which, account=account, ended_at=None).update(ended_at=now())


def standing(account: BillingAccount, kind: str) -> dict[str, Notice]:
    """The notices of a kind that stand, by subject."""
    rows = Notice.objects.filter(account=account, kind=kind, ended_at=None)
    return {notice.subject: notice for notice in rows}


def each(items: Iterable[Item], look: Callable[[Item], int]) -> int:
    """Look at many, each for itself: one that fails is tried again next time and keeps nobody waiting."""
    said = 0
    for item in items:
        try:
            said += look(item)
        except Exception:
            log.exception("the notices of %s could not be written", item)
    return said


def _stand(
    account: BillingAccount, kind: str, subject: str, facts: dict[str, Any], told: list[str]
) -> Notice | None:
    """The new row; None where the same stands already, also where another process said it this moment."""
    notice = Notice(account=account, kind=kind, subject=subject, facts=facts, recipients=told)
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
    return notice if Notice.objects.filter(pk=notice.pk).exists() else None
