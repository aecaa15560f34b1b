"""Telling customers of new prices before they are in force: each affected account once for each version.

An announcement is a row; the telling goes through the accounts some at a time and remembers how far it came, so it
may be interrupted anywhere. An account is affected when its last 30 days would have cost something else, or
when something it used would be refused.
"""

import logging
import uuid
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, Membership, Role
from billing import outbox
from billing.models import PriceAnnouncement, PriceNotice
from billing.nudges import nudge
from billing.services import price_impact
from billing.services.price_impact import Impact, Tally
from billing.services.repricing import Repricing
from catalog.models import PriceBook

log = logging.getLogger(__name__)

BATCH: Final = 100
TASK: Final = "billing.tell_prices"
TOLD_ROLES: Final = (Role.OWNER, Role.BILLING)


def announce(book: PriceBook, *, by: str) -> PriceAnnouncement:
    """Have the accounts that this version affects told; asking again changes nothing."""
    row, _ = PriceAnnouncement.objects.get_or_create(book=book, defaults={"created_by": by})
    transaction.on_commit(lambda: nudge(TASK))
    return row


def withdrawn(book: PriceBook) -> bool:
    """Have those who were told of a version told that it does not come. Whether it had been announced."""
    ended = PriceAnnouncement.objects.filter(book=book, ended_at=None).update(
        ended_at=now(), last_account=None, done_at=None
    )
    transaction.on_commit(lambda: nudge(TASK))
    return bool(ended)


def tell_all() -> int:
    """Go on with every announcement that is not through; returns how many accounts were told something."""
    told = 0
    for row in PriceAnnouncement.objects.filter(done_at=None).select_related("book__price_list"):
        try:
            pricing = None if row.ended_at is not None else Repricing(row.book, row.created_at)
            while (more := _tell_some(row.pk, pricing)) is not None:
                told += more
        except Exception:
            log.exception("the price change of %s could not be told; the next sweep goes on", row.pk)
    return told


@transaction.atomic
def _tell_some(book_id: uuid.UUID, pricing: Repricing | None) -> int | None:
    """One batch of accounts; None when there is nothing left, or another process is at it.

    ``pricing`` serves all batches of a version that comes; None: of one that was withdrawn.
    """
    row = (
        PriceAnnouncement.objects.select_for_update(skip_locked=True).filter(pk=book_id, done_at=None).first()
    )
    if row is None:
        return None
    accounts = _next_accounts(row)
    if not accounts:
        row.done_at = now()
        row.save(update_fields=["done_at"])
        return None
    comes = pricing if row.ended_at is None else None
    told = _tell_end(row, accounts) if comes is None else _tell_change(row, accounts, comes)
    row.last_account = accounts[-1].pk
    row.save(update_fields=["last_account"])
    return told


def _next_accounts(row: PriceAnnouncement) -> list[BillingAccount]:
    price_list = row.book.price_list
    accounts = BillingAccount.objects.filter(profile=price_list.profile_id, mode__in=price_list.modes)
    if row.ended_at is not None:
        accounts = BillingAccount.objects.filter(price_notices__announcement=row)
    if row.last_account is not None:
        accounts = accounts.filter(pk__gt=row.last_account)
    return list(accounts.filter(status="active").order_by("pk")[:BATCH])


def _tell_change(row: PriceAnnouncement, accounts: list[BillingAccount], pricing: Repricing) -> int:
    impact = price_impact.measured(pricing, accounts=[account.pk for account in accounts])
    affected = 0
    for account in accounts:
        tally = impact.accounts.get(account.pk)
        if tally is not None and (tally.difference or tally.refused):
            affected += _tell(row, account, tally, impact)
    return affected


def _tell(row: PriceAnnouncement, account: BillingAccount, tally: Tally, impact: Impact) -> bool:
    notice = PriceNotice(
        announcement=row,
        account=account,
        unit=impact.unit,
        charges=tally.charges,
        refused=tally.refused,
        before=tally.before,
        after=tally.after,
        since=impact.since,
        until=impact.until,
        recipients=recipients(account),
    )
    PriceNotice.objects.bulk_create([notice], ignore_conflicts=True)
    if not PriceNotice.objects.filter(pk=notice.pk).exists():
        return False
    _mail("price_change", notice)
    return True


def _tell_end(row: PriceAnnouncement, accounts: list[BillingAccount]) -> int:
    notices = PriceNotice.objects.filter(announcement=row, account__in=accounts)
    for notice in notices:
        _mail("price_change_withdrawn", notice)
    return len(notices)


def _mail(name: str, notice: PriceNotice) -> None:
    for address in notice.recipients:
        outbox.put(
            kind=f"email.{name}",
            key=f"{name}:{notice.pk.hex}:{address.lower()}"[:160],
            payload={"account": str(notice.account_id), "to": address, "price_notice": str(notice.pk)},
        )


def recipients(account: BillingAccount) -> list[str]:
    """Who decides about money: owners and billing members; the account's address where there is no team.

    Prices are part of the contract, so nobody opts out of this one.
    """
    members = Membership.objects.filter(account=account, role__in=TOLD_ROLES, user__is_active=True)
    return list(members.order_by("pk").values_list("user__email", flat=True)) or [account.email]
