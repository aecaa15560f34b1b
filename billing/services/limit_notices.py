"""Telling customers how far a month has used up its spending limit, and that a limit stopped a request.

Each of 50, 80 and 100 % is said once a month (UTC). A raised limit that a month is not up to any more is told
again when it gets there; a void that brings a month back below is not. Where several are passed at once the
highest is said and the lower ones stand as said with it.
"""

import uuid
from datetime import date
from typing import Final

from django.db import connection, transaction
from django.db.models import Q

from accounts.models import ApiKey, BillingAccount
from billing import nudges
from billing.ledger import balances, clock, key_limits
from billing.ledger.holds import Outcome
from billing.models import Notice
from billing.selectors.limits import LEVELS, chosen, subject
from billing.services import notices
from billing.services.key_limits import first_stop
from catalog.pricing.units import micros_to_text
from config.ids import public_id

Kind = Notice.Kind

# Accounts whose month has passed a level nobody was told of. Numeric: a hundred times the largest amount is no bigint.
DUE_SQL: Final = """
SELECT b.account_id
  FROM ledger_balance b
  LEFT JOIN billing_spendinglimit l ON l.account_id = b.account_id
 CROSS JOIN LATERAL (SELECT coalesce(b.spend_limit, CASE WHEN l.mode = 'alert' THEN l.amount END) AS amount) chosen
 WHERE b.spend_month >= date_trunc('month', ledger_now() AT TIME ZONE 'UTC')::date
   AND chosen.amount > 0
   AND EXISTS (
       SELECT 1 FROM unnest(%(levels)s::int[]) AS level
        WHERE b.spend_accepted::numeric * 100 >= chosen.amount::numeric * level
          AND NOT EXISTS (
              SELECT 1 FROM billing_notice n
               WHERE n.account_id = b.account_id AND n.kind = 'limit_threshold' AND n.ended_at IS NULL
                 AND n.subject = to_char(b.spend_month, 'YYYY-MM') || ':' || level))
"""


def sweep() -> int:
    """Tell every account what it has not been told yet; returns how many were."""
    with connection.cursor() as cursor:
        cursor.execute(DUE_SQL, {"levels": list(LEVELS)})
        due = [row[0] for row in cursor.fetchall()]
    return notices.each(due, watch)


@transaction.atomic
def watch(account_id: uuid.UUID) -> bool:
    """Tell one account of the highest level its month has passed; whether it was told something new.

    The account's row is locked, so that a limit changed at this moment is either seen or re-arms after.
    """
    account = BillingAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    standing = balances.of(account_id)
    limit, mode = chosen(standing)
    passed = _passed(standing.spent, limit)
    if limit is None or not passed:
        return False
    month = _month()
    facts = {
        "unit": standing.unit,
        "limit": micros_to_text(limit),
        "spent": micros_to_text(standing.spent),
        "mode": mode,
        "resets": f"{_next(month):%Y-%m-%d}",
    }
    for level in passed[:-1]:
        notices.note(account, Kind.LIMIT_THRESHOLD, subject(month, level), level=level, **facts)
    return notices.tell(account, Kind.LIMIT_THRESHOLD, subject(month, passed[-1]), level=passed[-1], **facts)


def rearm(account: BillingAccount, limit: int | None) -> None:
    """After a limit was changed: what the month is not up to under it may be said again."""
    month, spent = _month(), balances.of(account.pk).spent
    passed = _passed(spent, limit)
    over = [subject(month, level) for level in LEVELS if level not in passed]
    notices.end(account, Q(kind=Kind.LIMIT_THRESHOLD, subject__in=over))
    if limit is None or spent < limit:
        notices.end(account, Q(kind=Kind.LIMIT_STOPPED))


@transaction.atomic
def stopped(account_id: uuid.UUID, required: int) -> bool:
    """Tell an account once a month that its limit refused a request of ``required`` micros."""
    account = BillingAccount.objects.select_for_update(no_key=True).get(pk=account_id)
    standing, month = balances.of(account_id), _month()
    limit = standing.spend_limit
    if limit is None or standing.spent + required <= limit:
        return False
    return notices.tell(
        account,
        Kind.LIMIT_STOPPED,
        f"{month:%Y-%m}",
        unit=standing.unit,
        limit=micros_to_text(limit),
        spent=micros_to_text(standing.spent),
        required=micros_to_text(required),
        left=micros_to_text(max(0, limit - standing.spent)),
        resets=f"{_next(month):%Y-%m-%d}",
    )


@transaction.atomic
def key_stopped(account_id: uuid.UUID, key_id: uuid.UUID, required: int) -> bool:
    """Tell an account, once per rotation of a key, period and limit, that the key's limit refused ``required`` micros."""
    account = BillingAccount.objects.get(pk=account_id)
    key = ApiKey.objects.filter(pk=key_id, account=account).first()
    row = key_limits.of_key(key_id)
    month = _month()
    stop = None if row is None else first_stop(row, required, month)
    if key is None or stop is None:
        return False
    period = f"{month:%Y-%m}" if stop.period == "month" else "total"
    return notices.tell(
        account,
        Kind.KEY_LIMIT_STOPPED,
        f"{key.limit_id.hex}:{period}:{stop.limit}",
        key=public_id("key", key.pk),
        name=key.name,
        period=stop.period,
        unit=account.unit,
        limit=micros_to_text(stop.limit),
        spent=micros_to_text(stop.spent),
        required=micros_to_text(required),
        resets=f"{_next(month):%Y-%m-%d}",
    )


# On a request's way: nothing but a look at what the ledger answered.


def nudge(outcome: Outcome, account_id: uuid.UUID, key_id: uuid.UUID | None) -> None:
    """Have the worker tell what this outcome brought about; call it after the commit where it ``concerns`` limits.

    A program that goes on asking is refused as often as it asks; the worker hears of it once a minute.
    """
    required = str(outcome.get("amount"))
    if outcome["code"] == "spending_limit_reached":
        nudges.nudge_seldom("billing.limit_stopped", str(account_id), required, about=str(account_id))
    elif outcome["code"] == "key_limit_reached":
        who = (str(account_id), str(key_id))
        nudges.nudge_seldom("billing.key_limit_stopped", *who, required, about=str(key_id))
    else:
        nudges.nudge("billing.watch_limit", str(account_id))


def concerns(outcome: Outcome) -> bool:
    """Whether a request was stopped by a limit or took the month past one of its levels."""
    if outcome["code"] in ("spending_limit_reached", "key_limit_reached"):
        return "replayed" not in outcome
    limit = outcome.get("spend_limit")
    if not limit or outcome["code"] not in ("authorized", "settled") or "replayed" in outcome:
        return False
    return _passed(outcome["spent"], limit) != _passed(outcome["spent"] - outcome["amount"], limit)


def _passed(spent: int, limit: int | None) -> list[int]:
    """The levels that so many micros have reached; none where nothing may be spent anyway."""
    return [level for level in LEVELS if limit and spent * 100 >= limit * level]


def _month() -> date:
    return clock.now().date().replace(day=1)


def _next(month: date) -> date:
    year, number = divmod(month.year * 12 + month.month, 12)
    return date(year, number + 1, 1)
