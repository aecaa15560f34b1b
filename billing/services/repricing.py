"""A version of a price list ready to price past work with, by the agreements that will hold when it is done again.

Work of the last 30 days stands for that of the first 30 days of the version: what was authorized on the fifth day is
priced by the offers and locks of the version's fifth day. An account whose agreements change within those days has
several stretches, and everybody else one.
"""

import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from billing.ledger import exact_json
from billing.selectors import offers
from catalog import snapshot
from catalog.models import AIModel, Operation, PriceBook
from catalog.pricing import engine, gates
from catalog.pricing.errors import PricingError
from catalog.pricing.types import Discount, Quote
from catalog.store import pure_book

PERIOD: Final = timedelta(days=30)


class Repricing:
    """The book compiled once; each shape is priced once for each set of agreements.

    ``since`` and ``until`` bound the past work, which ``shift`` moves to the version's first days: those after it comes
    into force, or after ``until`` where it is in force. Raises InvalidBook and pydantic's ValidationError.
    """

    def __init__(self, book: PriceBook, until: datetime) -> None:
        self.since, self.until = until - PERIOD, until
        self._start = max(book.effective_at or until, until)
        self._terms = snapshot.current().terms(book.profile_id)
        self._book = pure_book(book, self._terms)
        self.unit = book.price_list.unit
        self.versions: list[uuid.UUID] = list(book.price_list.books.values_list("pk", flat=True))
        self._names = {
            slug: name
            for row in (AIModel.objects, Operation.objects)
            for slug, name in row.filter(profile=self._terms.slug).values_list("slug", "name")
        }
        self._changes = {
            account: moments
            for account, agreed in offers.by_account().items()
            if (moments := sorted(m for m in agreed.changes() if self._start < m < self._start + PERIOD))
        }
        self.quote = lru_cache(maxsize=50_000)(self._quote)
        self.agreed = lru_cache(maxsize=50_000)(self._agreed)

    def turns(self) -> Iterator[tuple[uuid.UUID, datetime]]:
        """Where an account's next stretch begins, told as a moment of the past work."""
        shift = self._start - self.since
        for account, moments in self._changes.items():
            for moment in moments:
                yield account, moment - shift

    def label(self, model: str, operation: str) -> str:
        """What is priced, in words."""
        item = self._book.items.get((model, operation))
        if item is not None:
            return item.spec.label
        return f"{self._names.get(model, model)}, {self._names.get(operation, operation)}"

    def closed(self, quote: Quote, plan: str) -> str | None:
        """Why a plan would not open it."""
        return gates.refusal(quote, self._terms.plan(plan) if plan else None)

    def _agreed(self, account: uuid.UUID, stretch: int) -> tuple[bool, tuple[Discount, ...]]:
        """Whether the account keeps another version in this stretch, and its discounts."""
        mine = offers.of(account)
        moment = self._changes[account][stretch - 1] if stretch else self._start
        lock = mine.lock(self._book, moment)
        locked = lock is not None and lock.book_id != self._book.id
        return locked, mine.discounts(moment, self._book.unit)

    def _quote(
        self,
        model: str,
        operation: str,
        parameters: str,
        outputs: str | None,
        discounts: tuple[Discount, ...],
    ) -> Quote | str:
        """The effective cost, or the sentence that refuses it."""
        asked, delivered = _read(parameters), _read(outputs)
        mine = offers.Terms(self._book, discounts).covering(model, operation)
        try:
            return engine.effective(self._book, model, operation, asked, delivered, discounts=mine)
        except PricingError as error:
            return str(error)


def _read(text: str | None) -> Mapping[str, Any]:
    found = exact_json.loads(text) if text else None
    return found if isinstance(found, dict) else {}
