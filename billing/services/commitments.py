"""Commitments: what a customer agreed to use in a calendar month (UTC) and did not is charged when it is over.

Each month in which the offer held from its first moment to its last is counted once and stays so. The shortfall is a charge
like any other, under an id that follows from the offer and the month: once, whoever bills it and however often. Where the
account cannot pay it yet it is tried again by every sweep. Who pays by invoice finds it on the next one.
"""

import hashlib
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.utils.timezone import now

from billing.ledger.holds import PlaceRequest
from billing.ledger.models import Charge
from billing.models import Offer, OfferMonth
from billing.selectors.commitments import MODEL, OPERATION, missing_price
from billing.selectors.offers import month_of
from billing.services import charges, periods
from billing.services.offers import QUANTITY_SQL
from billing.services.validity import add_months
from catalog.pricing.types import Line
from catalog.pricing.units import micros_to_decimal

log = logging.getLogger(__name__)


def bill_due(moment: datetime | None = None) -> int:
    """Count the months that are over, and charge what is missing in them; returns how many charges that made.

    An offer that fails is tried again next time and keeps no other waiting.
    """
    moment = moment or now()
    billed = 0
    for offer in Offer.objects.exclude(committed=None).select_related("account"):
        try:
            for month in _uncounted(offer, moment):
                _count(offer, month)
            billed += sum(_bill(offer, row) for row in unbilled(offer))
        except Exception:
            log.exception("the commitment of offer %s could not be billed", offer.pk)
    return billed


def unbilled(offer: Offer) -> list[OfferMonth]:
    """The counted months that fell short and are not charged yet."""
    short = {charge_id(row): row for row in offer.months.filter(quantity__lt=offer.committed or 0)}
    known = set(Charge.objects.filter(pk__in=short).values_list("pk", flat=True))
    return [row for pk, row in short.items() if pk not in known]


def charge_id(row: OfferMonth) -> uuid.UUID:
    """The id of the charge for a month's shortfall: a UUIDv7 of the month's end that says the same to everybody."""
    ended = datetime(row.month.year, row.month.month, 1, tzinfo=UTC)
    told = hashlib.sha256(f"shortfall:{row.offer_id.hex}:{row.month}".encode()).digest()
    value = bytearray(int(ended.timestamp() * 1000).to_bytes(6, "big") + told[:10])
    value[6] = 0x70 | (value[6] & 0x0F)
    value[8] = 0x80 | (value[8] & 0x3F)
    return uuid.UUID(bytes=bytes(value))


def _uncounted(offer: Offer, moment: datetime) -> Iterator[datetime]:
    """The ends of the months that are over since the last one counted, in which the offer held throughout.

    Of an offer that was never counted only the last month.
    """
    this_month = periods.month_of(moment)
    last = offer.months.order_by("-month").values_list("month", flat=True).first()
    end = this_month if last is None else add_months(datetime(last.year, last.month, 1, tzinfo=UTC), 1)
    until = offer.last_moment()
    while end <= this_month:
        if offer.starts_at <= add_months(end, -1) and (until is None or until >= end):
            yield end
        end = add_months(end, 1)


def _count(offer: Offer, ended: datetime) -> None:
    values = {
        "account": offer.account_id,
        "since": add_months(ended, -1),
        "until": ended,
        "models": offer.only_models,
        "operations": offer.only_operations,
    }
    with connection.cursor() as cursor:
        cursor.execute(QUANTITY_SQL, values)
        quantity = int(cursor.fetchone()[0])
    OfferMonth.objects.get_or_create(offer=offer, month=month_of(ended), defaults={"quantity": quantity})


def _bill(offer: Offer, row: OfferMonth) -> bool:
    """Charge a month's shortfall by the prices of its last moment; False where it costs nothing or cannot be paid yet."""
    ended = datetime(row.month.year, row.month.month, 1, tzinfo=UTC)
    missing = (offer.committed or 0) - row.quantity
    micros = missing_price(offer, ended - timedelta(microseconds=1))
    if not micros:
        return False
    what = f"{offer.name}: {missing:,} short of {offer.committed:,} in {_name(row.month)}"
    line = Line(what, micros_to_decimal(missing * 1_000_000), micros_to_decimal(micros), missing * micros)
    outcome = charges.place(
        PlaceRequest(
            id=charge_id(row), account=offer.account_id, amount=line.micros, settle_now=True, ttl=60,
            model=MODEL, operation=OPERATION, description=what, lines=[line.as_json()],
            counted_in=offer.account.unit, reference=f"offer:{offer.pk.hex}", recharge=True,
        )
    )  # fmt: skip
    if outcome["code"] != "settled":
        log.info("the shortfall of offer %s in %s waits: %s", offer.pk, row.month, outcome["code"])
    return bool(outcome["code"] == "settled")


def _name(month: date) -> str:
    """The month that was counted, which is the one before the month its row is named by."""
    return f"{month - timedelta(days=1):%B %Y}"
