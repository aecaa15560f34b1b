"""The agreements of single accounts in memory: what the hot path prices with, and what pages show.

Read anew when the catalog's version token moves, for every write of an agreement moves it (see
``billing.models.offers``): whoever refreshes the catalog refreshes this. Never read inside an event loop.
"""

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from billing.models.offers import Offer, OfferMonth, PriceLock
from catalog import snapshot
from catalog.pricing.engine import PriceBook
from catalog.pricing.types import Discount
from catalog.pricing.units import decimal_to_text


def month_of(moment: datetime) -> date:
    """The first day of the calendar month (UTC) a moment lies in."""
    return moment.astimezone(UTC).date().replace(day=1)


@dataclass(frozen=True, slots=True)
class AgreedOffer:
    """One offer with what was counted for it by month."""

    row: Offer
    counted: Mapping[date, int]

    def quantity(self, moment: datetime) -> int:
        """Requests a month that decide the tier: the commitment, else what was counted for this month.

        Until the new month is counted, minutes after it began, the month before it stays.
        """
        if self.row.committed is not None:
            return self.row.committed
        month = month_of(moment)
        known = [counted for counted in self.counted if counted <= month]
        return self.counted[max(known)] if known else 0

    def discount(self, moment: datetime, unit: str) -> Discount | None:
        """What it takes off at a moment for prices in a unit; None where it does not apply."""
        if self.row.status(moment) != "active":
            return None
        tier = self.row.tier(self.quantity(moment))
        if tier is None:
            return None
        percent, price = tier
        if price is not None and unit != self.row.unit:
            return None
        return Discount(
            label=self.row.name,
            percent=percent,
            price=price,
            models=frozenset(self.row.only_models),
            operations=frozenset(self.row.only_operations),
        )


@dataclass(frozen=True, slots=True)
class Agreed:
    """Everything agreed with one account."""

    offers: tuple[AgreedOffer, ...] = ()
    locks: tuple[PriceLock, ...] = ()

    def lock(self, book: PriceBook, moment: datetime) -> PriceLock | None:
        """The lock that holds at a moment for the price list of this book; of several the newest."""
        for lock in self.locks:
            mine = lock.book.price_list
            if (mine.profile_id, mine.slug) == (book.info.profile, book.info.price_list) and (
                lock.status(moment) == "active"
            ):
                return lock
        return None

    def discounts(self, moment: datetime, unit: str) -> tuple[Discount, ...]:
        """What applies at a moment to prices in a unit, the oldest offer first."""
        found = (offer.discount(moment, unit) for offer in self.offers)
        return tuple(discount for discount in found if discount is not None)

    def changes(self) -> set[datetime]:
        """The moments at which something else may apply: what starts or ends then, and months that were counted."""
        agreements = (*(offer.row for offer in self.offers), *self.locks)
        ends = (row.last_moment() for row in agreements)
        months = (month for offer in self.offers for month in offer.counted)
        return {
            *(row.starts_at for row in agreements),
            *(last for last in ends if last is not None),
            *(datetime(month.year, month.month, month.day, tzinfo=UTC) for month in months),
        }


NOTHING: Final = Agreed()


@dataclass(frozen=True, slots=True)
class Terms:
    """What one account pays by at a moment: the price book, the discounts, and the lock where one holds."""

    book: PriceBook
    discounts: tuple[Discount, ...] = ()
    lock: PriceLock | None = None

    def covering(self, model: str, operation: str) -> tuple[Discount, ...]:
        """The discounts on one item. What is free stays free, and a pipeline has no price to replace."""
        if not self.discounts:
            return ()
        item = self.book.items.get((model, operation))
        if item is None or (item.spec.rate.price == 0 and not item.phases and not item.spec.rate.variants):
            return ()
        return tuple(
            offer
            for offer in self.discounts
            if offer.covers(model, operation) and not (item.phases and offer.price is not None)
        )


@dataclass(frozen=True, slots=True)
class _Snapshot:
    token: uuid.UUID | None
    agreed: Mapping[uuid.UUID, Agreed] = field(repr=False)


_lock = threading.Lock()
_current: _Snapshot | None = None


def terms_of(account_id: uuid.UUID | None, profile: str, mode: str, moment: datetime) -> Terms:
    """What an account pays by. Raises snapshot.UnknownProfile."""
    catalog = snapshot.current()
    book = catalog.book(profile, moment, mode)
    agreed = NOTHING if account_id is None else of(account_id)
    if agreed is NOTHING:
        return Terms(book)
    lock = agreed.lock(book, moment)
    if lock is not None:
        book = catalog.book_by_id(lock.book_id)
    return Terms(book, agreed.discounts(moment, book.unit), lock)


def of(account_id: uuid.UUID) -> Agreed:
    """Everything agreed with an account."""
    return by_account().get(account_id, NOTHING)


def by_account() -> Mapping[uuid.UUID, Agreed]:
    """Everything agreed with anybody."""
    found = _current
    if found is None or (found.token != snapshot.current().token and not snapshot.in_event_loop()):
        found = refresh()
    return found.agreed


def refresh() -> _Snapshot:
    """Read the agreements again where the catalog's token moved. Synchronous."""
    global _current
    with _lock:
        catalog = snapshot.current()
        if _current is None or catalog.token is None or catalog.token != _current.token:
            _current = _Snapshot(catalog.token, _read(catalog))
        return _current


def _read(catalog: snapshot.Snapshot) -> dict[uuid.UUID, Agreed]:
    """All agreements by account. Books that locks keep are compiled now, not in the first request."""
    counted: dict[uuid.UUID, dict[date, int]] = {}
    for row in OfferMonth.objects.all():
        counted.setdefault(row.offer_id, {})[row.month] = row.quantity
    offers: dict[uuid.UUID, list[AgreedOffer]] = {}
    for offer in Offer.objects.order_by("id"):
        offers.setdefault(offer.account_id, []).append(AgreedOffer(offer, counted.get(offer.pk, {})))
    locks: dict[uuid.UUID, list[PriceLock]] = {}
    for lock in PriceLock.objects.order_by("-id").select_related("book__price_list"):
        catalog.book_by_id(lock.book_id)
        locks.setdefault(lock.account_id, []).append(lock)
    return {
        account_id: Agreed(tuple(offers.get(account_id, ())), tuple(locks.get(account_id, ())))
        for account_id in offers.keys() | locks.keys()
    }


def kept(discounts: tuple[Discount, ...]) -> list[dict[str, str]]:
    """Discounts as a charge keeps them, to settle by them whatever is agreed meanwhile."""
    return [
        {
            "label": offer.label,
            "percent": decimal_to_text(offer.percent),
            **({} if offer.price is None else {"price": decimal_to_text(offer.price)}),
        }
        for offer in discounts
    ]


def of_kept(documents: list[dict[str, str]]) -> tuple[Discount, ...]:
    """The discounts a charge was authorized with. They were of its own item, so they cover all."""
    return tuple(
        Discount(
            label=kept_one["label"],
            percent=Decimal(kept_one["percent"]),
            price=Decimal(kept_one["price"]) if "price" in kept_one else None,
        )
        for kept_one in documents
    )
