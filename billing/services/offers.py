"""Agreements with single accounts: other prices, and keeping a version of them. Staff make and end them.

Terms are never changed: what is in force is ended and another agreement made, so the rows are the history.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.models import Offer, OfferMonth, PriceLock
from billing.models.offers import Agreement
from billing.selectors.offers import month_of
from billing.services import periods
from catalog import snapshot
from catalog.models import PriceBook
from catalog.pricing.engine import PriceBook as PureBook
from catalog.pricing.types import MAX_PRICE
from catalog.pricing.units import decimal_to_text

log = logging.getLogger(__name__)
MOST_TIERS: Final = 12
_TIER: Final = re.compile(r"(\d[\d,_ ]{0,12}?)\s*:\s*(\d{1,9}(?:\.\d{1,6})?)\s*(%?)", re.ASCII)
# Each request counts what its ``count`` says, 1 where it has no number there; what failed or was given back does not,
# nor does what was charged for a commitment that was not kept.
QUANTITY_SQL: Final = """
SELECT coalesce(sum(CASE jsonb_typeof(parameters -> 'count')
                    WHEN 'number' THEN (parameters ->> 'count')::numeric ELSE 1 END), 0)::bigint
  FROM ledger_charge
 WHERE account_id = %(account)s AND authorized_at >= %(since)s AND authorized_at < %(until)s
   AND status IN ('authorized', 'settled') AND model <> 'commitment'
   AND (%(models)s::text[] = '{}' OR model = ANY (%(models)s))
   AND (%(operations)s::text[] = '{}' OR operation = ANY (%(operations)s))
"""


@dataclass(frozen=True, slots=True)
class Tier:
    """From more than ``above`` a month on (0: from the first): percent off, or a fixed unit price."""

    above: int
    percent: Decimal | None = None
    price: Decimal | None = None

    def document(self) -> dict[str, Any]:
        if self.price is not None:
            return {"above": self.above, "price": decimal_to_text(self.price)}
        return {"above": self.above, "percent": decimal_to_text(self.percent or Decimal(0))}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOffer:
    """What is to be agreed. No ``tiers``: those of the profile's volume offer."""

    account: BillingAccount
    name: str = ""
    tiers: Sequence[Tier] = ()
    models: Sequence[str] = ()
    operations: Sequence[str] = ()
    committed: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def parse_tiers(text: str) -> list[Tier]:
    """Tiers as staff write them, one a line: ``10000: 10%`` or ``0: 4.5``. Raises InvalidRequest."""
    tiers = []
    for number, line in enumerate(filter(None, map(str.strip, text.splitlines())), start=1):
        found = _TIER.fullmatch(line)
        if found is None:
            raise _invalid("tiers", f'line {number} must be like "10000: 10%" or "0: 4.5"')
        above, figure, percent = int(re.sub(r"[,_ ]", "", found[1])), Decimal(found[2]), found[3]
        tiers.append(Tier(above, percent=figure) if percent else Tier(above, price=figure))
    return tiers


def make_offer(new: NewOffer, *, reason: str, staff: User | None) -> Offer:
    """Agree on other prices for an account from a moment on (now). Raises InvalidRequest."""
    moment = now()
    terms = snapshot.current().terms(new.account.profile)
    standard = terms.volume_offer
    tiers = list(new.tiers)
    if not tiers and standard is not None:
        tiers = [Tier(tier.above, percent=tier.percent) for tier in standard.tiers]
    models = tuple(new.models) or (standard.models if standard is not None and not new.tiers else ())
    book = snapshot.current().book(new.account.profile, moment, new.account.mode)
    _check_tiers(tiers, models, new.operations, book)
    starts_at = _start(new.starts_at, new.ends_at, moment)
    offer = Offer(
        account=new.account,
        name=(new.name.strip() or (standard.name if standard is not None else "Agreed price"))[:80],
        only_models=list(models),
        only_operations=list(new.operations),
        unit=book.unit,
        committed=new.committed,
        tiers=[tier.document() for tier in sorted(tiers, key=lambda tier: tier.above)],
        starts_at=starts_at,
        ends_at=new.ends_at,
        reason=_reason(reason),
        created_at=moment,
        created_by=staff,
    )
    with transaction.atomic():
        offer.save(force_insert=True)
        if offer.committed is None:
            _count(offer, moment)
        transaction.on_commit(snapshot.expire)
    return offer


def keep_prices(
    account: BillingAccount, book: PriceBook, until: datetime, *, reason: str, staff: User | None
) -> PriceLock:
    """The account keeps paying by this version until then, whatever is published. Raises InvalidRequest."""
    moment = now()
    if book.status != PriceBook.Status.PUBLISHED:
        raise _invalid("book", "must be a published version")
    if book.price_list.profile_id != account.profile:
        raise _invalid("book", "is of another profile than the account")
    lock = PriceLock(
        account=account,
        book=book,
        starts_at=_start(None, until, moment),
        ends_at=until,
        reason=_reason(reason),
        created_at=moment,
        created_by=staff,
    )
    with transaction.atomic():
        lock.save(force_insert=True)
        transaction.on_commit(snapshot.expire)
    return lock


def end(agreement: Agreement, *, reason: str, staff: User | None) -> None:
    """End an offer or a lock now; charges keep what they were authorized with. Raises InvalidState, InvalidRequest."""
    moment = now()
    reason = _reason(reason)
    with transaction.atomic():
        mine = type(agreement)._default_manager.select_for_update().get(pk=agreement.pk)
        if mine.status(moment) == "ended":
            raise InvalidState("This has ended already.")
        mine.ended_at, mine.end_reason = moment, reason
        mine.ended_by_id = None if staff is None else staff.pk
        mine.save(update_fields=["ended_at", "ended_by", "end_reason"])
        transaction.on_commit(snapshot.expire)


def count_months(moment: datetime | None = None) -> int:
    """Count the month before for every offer without a commitment, once a month; returns how many were counted.

    One that fails is tried again next time and keeps no other waiting.
    """
    moment = moment or now()
    month = month_of(moment)
    due = Offer.objects.filter(committed=None, ended_at=None).exclude(ends_at__lte=moment)
    done = 0
    for offer in due.exclude(months__month=month):
        try:
            with transaction.atomic():
                done += _count(offer, moment)
                transaction.on_commit(snapshot.expire)
        except Exception:
            log.exception("the month of offer %s could not be counted", offer.pk)
    return done


def _count(offer: Offer, moment: datetime) -> bool:
    until = periods.month_of(moment)
    since, _ = periods.period(until, -1)
    with connection.cursor() as cursor:
        cursor.execute(
            QUANTITY_SQL,
            {
                "account": offer.account_id,
                "since": since,
                "until": until,
                "models": offer.only_models,
                "operations": offer.only_operations,
            },
        )
        quantity = int(cursor.fetchone()[0])
    _, created = OfferMonth.objects.get_or_create(
        offer=offer, month=month_of(moment), defaults={"quantity": quantity}
    )
    return created


def _check_figures(tiers: Sequence[Tier]) -> None:
    if not tiers:
        raise _invalid("tiers", "must have at least one tier: this profile has no volume offer of its own")
    if len(tiers) > MOST_TIERS or len({tier.above for tier in tiers}) < len(tiers):
        raise _invalid("tiers", f"must be at most {MOST_TIERS} tiers, each from another quantity")
    if any(tier.percent is not None and not 0 < tier.percent <= 100 for tier in tiers):
        raise _invalid("tiers", "must be more than 0 % and at most 100 %")
    if any(tier.price is not None and not 0 < tier.price <= MAX_PRICE for tier in tiers):
        raise _invalid("tiers", f"with a fixed price must be more than 0 and at most {MAX_PRICE:,}")


def _check_tiers(
    tiers: Sequence[Tier], models: Sequence[str], operations: Sequence[str], book: PureBook
) -> None:
    _check_figures(tiers)
    for kind, given, known in (("models", models, book.models), ("operations", operations, book.operations)):
        strangers = [slug for slug in given if slug not in known]
        if strangers:
            raise _invalid(kind, f"are not in the price list: {', '.join(strangers)}")
    covered = [
        item.spec
        for (model, operation), item in book.items.items()
        if (not models or model in models) and (not operations or operation in operations)
    ]
    if not covered:
        raise _invalid("models", "are not offered with these operations")
    if any(tier.price is not None for tier in tiers):
        if not models or not operations:
            raise _invalid("tiers", "with a fixed price need the models and operations it is for")
        if any(spec.phases for spec in covered):
            raise _invalid("tiers", "cannot fix the price of a pipeline; its phases have theirs")


def _start(starts_at: datetime | None, ends_at: datetime | None, moment: datetime) -> datetime:
    starts_at = starts_at or moment
    if starts_at < moment:
        raise _invalid("starts_at", "must not be in the past: what was charged stays")
    if ends_at is not None and ends_at <= starts_at:
        raise _invalid("ends_at", "must be after the start")
    return starts_at


def _reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise _invalid("reason", "is required: staff read it later")
    return reason[:200]


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"The {field.replace('_', ' ')} {message}.", [{"field": field, "message": message}])


def tiers_text(documents: Sequence[dict[str, Any]]) -> str:
    """Stored tiers as staff write them."""
    return "\n".join(
        f"{tier['above']}: {tier['price']}" if "price" in tier else f"{tier['above']}: {tier['percent']}%"
        for tier in documents
    )
