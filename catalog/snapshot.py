"""The catalog in memory: terms and price books as pure values, shared by threads and by the event loop.

``current()`` never touches the database inside an event loop: there, whoever serves calls ``refresh()``
in a thread when ``portal_catalog`` is notified and every few seconds besides. In ordinary threads it
looks at the version token by itself once the last look is older than ``CATALOG_POLL_SECONDS``.
"""

import asyncio
import logging
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils.timezone import now
from pydantic import ValidationError

from catalog.models import AIModel, Operation, PriceBook, Profile
from catalog.pricing.book import CompiledItem, Key
from catalog.pricing.engine import PriceBook as PureBook
from catalog.pricing.errors import InvalidBook
from catalog.pricing.units import decimal_to_text
from catalog.store import gates_of, pure_book, terms_of
from catalog.terms import Terms

CHANNEL = "portal_catalog"
# No hold lives longer (catalog.terms.Settings), so older versions are not needed at once.
LONGEST_HOLD = timedelta(days=8)
logger = logging.getLogger(__name__)


class UnknownProfile(LookupError):
    """There is no such profile; load it with ``manage.py load_profile``."""


@dataclass(frozen=True, slots=True)
class _Versions:
    """The published versions of one price list, by the moment each comes into force."""

    starts: tuple[datetime, ...]
    ids: tuple[UUID, ...]

    def at(self, moment: datetime) -> UUID:
        """The version in force; before the first one, the first one."""
        return self.ids[self.position(moment)]

    def position(self, moment: datetime) -> int:
        return max(bisect_right(self.starts, moment) - 1, 0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole catalog at one version token. Books that may be in use are compiled, others on demand."""

    token: UUID | None
    default_profile: str | None
    _terms: Mapping[str, Terms]
    _versions: Mapping[tuple[str, str], _Versions]
    _books: dict[UUID, PureBook] = field(repr=False)
    _models_off: frozenset[tuple[str, str]] = frozenset()
    _operations_off: frozenset[tuple[str, str]] = frozenset()
    _headlines: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)

    @property
    def profiles(self) -> tuple[str, ...]:
        """The slugs of all profiles."""
        return tuple(self._terms)

    def terms(self, profile_slug: str) -> Terms:
        """The terms of a profile. Raises UnknownProfile."""
        found = self._terms.get(profile_slug)
        if found is None:
            raise UnknownProfile(f"There is no profile {profile_slug!r}.")
        return found

    def headline(self, profile_slug: str, mode: str | None = None) -> Mapping[str, str]:
        """The pricing constants (``{"static": "5"}``) of accounts of this mode. Raises UnknownProfile."""
        return self._headlines[profile_slug, self.terms(profile_slug).price_list(mode).slug]

    def book(self, profile_slug: str, at: datetime, mode: str | None = None) -> PureBook:
        """The price book accounts of this mode pay by at a moment. Raises UnknownProfile."""
        price_list = self.terms(profile_slug).price_list(mode).slug
        versions = self._versions.get((profile_slug, price_list))
        if versions is None:
            raise UnknownProfile(f"Profile {profile_slug!r} has no published prices.")
        return self.book_by_id(versions.at(at))

    def is_off(self, profile_slug: str, *, model: str = "", operation: str = "") -> bool:
        """Whether the model or the operation is switched off: its prices stay for what was sold, and sell nothing."""
        return (profile_slug, model) in self._models_off or (profile_slug, operation) in self._operations_off

    def switched_off(self, profile_slug: str, item: CompiledItem) -> CompiledItem | None:
        """What keeps an item from being sold: itself, or what one of its phases uses; None where it is sold."""
        if self.is_off(profile_slug, model=item.spec.model, operation=item.spec.operation):
            return item
        parts = (phase.target for phase in item.phases if phase.target is not None)
        return next(
            (off for part in parts if (off := self.switched_off(profile_slug, part)) is not None), None
        )

    def sold(self, book: PureBook) -> dict[Key, CompiledItem]:
        """The items of a book that are sold today, in its order."""
        return {
            key: item
            for key, item in book.items.items()
            if self.switched_off(book.info.profile, item) is None
        }

    def next_change(self, profile_slug: str, after: datetime, modes: Iterable[str]) -> datetime | None:
        """When the next published version of these modes' price lists comes into force; None: none is scheduled."""
        terms = self.terms(profile_slug)
        lists = {terms.price_list(mode).slug for mode in modes}
        known = (
            self._versions[profile_slug, slug] for slug in lists if (profile_slug, slug) in self._versions
        )
        return min((start for each in known for start in each.starts if start > after), default=None)

    def book_by_id(self, book_id: UUID) -> PureBook:
        """The version of this id; one no longer in force is read from the database the first time.

        Raises PriceBook.DoesNotExist.
        """
        found = self._books.get(book_id)
        if found is None:
            row = (
                PriceBook.objects.select_related("price_list")
                .exclude(status=PriceBook.Status.DRAFT)
                .get(pk=book_id)
            )
            found = self._books[book_id] = pure_book(row, self.terms(row.price_list.profile_id))
        return found


_lock = threading.Lock()
_current: Snapshot | None = None
_looked_at = 0.0


def current() -> Snapshot:
    """The catalog as it is: see the module for when it is looked up again."""
    if _current is not None and (in_event_loop() or time.monotonic() - _looked_at < _poll_seconds()):
        return _current
    return refresh()


def refresh() -> Snapshot:
    """Compare the database's version token with ours and load again where it moved. Synchronous."""
    global _current, _looked_at
    with _lock:
        token = _token()
        if _current is None or token is None or token != _current.token:
            _current = _loaded(token, _current)
        _looked_at = time.monotonic()
        return _current


def expire() -> None:
    """Look at the version token at the next use in this process; called after our own commits."""
    global _looked_at
    _looked_at = float("-inf")


def _poll_seconds() -> float:
    return float(getattr(settings, "CATALOG_POLL_SECONDS", 2))


def in_event_loop() -> bool:
    """Whether this is where nobody may wait for the database."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _token() -> UUID | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT token FROM catalog_catalogversion WHERE id = 1")
        row = cursor.fetchone()
    return None if row is None else row[0]


def _loaded(token: UUID | None, previous: Snapshot | None) -> Snapshot:
    """The new state, or the previous one while the stored catalog is not valid: sales go on, loudly."""
    try:
        return _load(token, previous._books if previous is not None else {})
    except (ValidationError, InvalidBook):
        if previous is None:
            raise
        logger.exception("The stored catalog is not valid; the previous one stays in use.")
        return replace(previous, token=token)


def _load(token: UUID | None, known: Mapping[UUID, PureBook]) -> Snapshot:
    """Everything, from one consistent read. Books already compiled for older charges are kept."""
    terms: dict[str, Terms] = {}
    versions: dict[tuple[str, str], _Versions] = {}
    books = dict(known)
    default = None
    moment = now()
    with transaction.atomic():
        for profile in Profile.objects.prefetch_related("plans", "price_lists"):
            lists = [row for row in profile.price_lists.all() if row.active]
            if not lists:
                continue
            mine = terms_of(profile, profile.plans.all(), lists)
            default = profile.slug if profile.is_default else default
            for row in profile.price_lists.all():  # one that is switched off may still have open holds
                published = row.books.filter(status=PriceBook.Status.PUBLISHED).select_related("price_list")
                ordered = list(published.order_by("effective_at", "version"))
                if ordered:
                    starts = tuple(book.effective_at for book in ordered if book.effective_at is not None)
                    known_versions = _Versions(starts, tuple(book.id for book in ordered))
                    versions[profile.slug, row.slug] = known_versions
                    first = known_versions.position(moment - LONGEST_HOLD)
                    books.update({book.id: pure_book(book, mine) for book in ordered[first:]})
            terms[profile.slug] = mine
        books.update(_regated(books, terms))
        state = Snapshot(token, default, terms, versions, books, _off(AIModel), _off(Operation))
    headlines = {
        (slug, each.slug): _headline(state, slug, each.slug, moment)
        for slug, mine in terms.items()
        for each in mine.price_lists
    }
    return replace(state, _headlines=headlines)


def _off(kind: type[AIModel] | type[Operation]) -> frozenset[tuple[str, str]]:
    """The profile and slug of each that is switched off."""
    return frozenset(kind._default_manager.filter(active=False).values_list("profile_id", "slug"))


def _regated(books: Mapping[UUID, PureBook], terms: Mapping[str, Terms]) -> dict[UUID, PureBook]:
    """Older books, which accounts may keep by agreement, with the plans and balance gates of now where they moved."""
    stale = [
        book_id
        for book_id, book in books.items()
        if (mine := terms.get(book.info.profile)) is not None
        and (book.info.plans, book.info.balance_tiers) != gates_of(mine)
    ]
    rows = PriceBook.objects.filter(pk__in=stale).select_related("price_list")
    return {row.id: pure_book(row, terms[row.price_list.profile_id]) for row in rows}


def _headline(state: Snapshot, profile: str, price_list: str, moment: datetime) -> dict[str, str]:
    """The pricing constants as texts, read from a price list in force; what it does not sell has none."""
    versions = state._versions.get((profile, price_list))
    if versions is None:
        return {}
    sold = state.sold(state._books[versions.at(moment)])
    headline = {}
    for name, reference in state.terms(profile).headline.items():
        model, _, operation = reference.partition(".")
        item = sold.get((model, operation))
        if item is not None and item.spec.rate.price is not None:
            headline[name] = decimal_to_text(item.spec.rate.price)
    return headline
