"""What a price book would have made of the last weeks: settled charges priced again, by a draft or any version.

Charges are added up in the database by who asked for what and what came back, so that each such shape is priced
once. Prices are compared, not luck: outputs are those that were delivered, and each account's own agreements
apply. A charge whose cost the generation service gave is taken as it was, and so is an account whose prices are locked.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.ledger import exact_json
from billing.selectors import offers
from catalog import snapshot
from catalog.models import AIModel, Operation, PriceBook
from catalog.pricing import engine, gates
from catalog.pricing.errors import PricingError
from catalog.pricing.types import Discount, Quote
from catalog.store import pure_book
from catalog.terms import Terms

PERIOD: Final = timedelta(days=30)
MOST_CHARGES: Final = 200_000
"""With more charges than this a part of them is priced, every n-th by the random end of its id, and multiplied by n."""
MOST_AFFECTED: Final = 20
MOST_REASONS: Final = 50
_LONGEST_HOLD: Final = timedelta(days=8)


@dataclass(slots=True)
class Tally:
    """Charges, what they cost, and what they would have: micros. ``refused`` of them would have no price."""

    charges: int = 0
    before: int = 0
    after: int = 0
    refused: int = 0

    @property
    def difference(self) -> int:
        return self.after - self.before

    def add(self, charges: int, before: int, after: int, refused: bool = False) -> None:
        self.charges += charges
        self.before += before
        self.after += after
        self.refused += charges if refused else 0


@dataclass(frozen=True, slots=True)
class Refused:
    """What the book no longer prices, or not for these customers, and why."""

    what: str
    reason: str


@dataclass(slots=True)
class Impact:
    """The outcome. ``step``: only every so manieth charge was looked at, and all figures are multiplied by it.

    ``kept`` counts what no price book decides: costs the generation service gave, and locked accounts.
    """

    unit: str
    since: datetime
    until: datetime
    step: int = 1
    total: Tally = field(default_factory=Tally)
    kept: Tally = field(default_factory=Tally)
    items: dict[tuple[str, str], Tally] = field(default_factory=dict)
    accounts: dict[uuid.UUID, Tally] = field(default_factory=dict)
    refused: dict[Refused, Tally] = field(default_factory=dict)
    labels: dict[tuple[str, str], str] = field(default_factory=dict)

    def most_affected(self) -> list[tuple[BillingAccount, Tally]]:
        """The accounts whose cost moves most, up or down, or who would be refused most."""
        moved = [pair for pair in self.accounts.items() if pair[1].difference or pair[1].refused]
        moved.sort(key=lambda pair: (-abs(pair[1].difference), pair[0]))
        rows = BillingAccount.objects.in_bulk([account for account, _ in moved[:MOST_AFFECTED]])
        return [(rows[account], tally) for account, tally in moved[:MOST_AFFECTED] if account in rows]

    def affected(self) -> int:
        """How many accounts would have paid something else, or been refused something."""
        return sum(1 for tally in self.accounts.values() if tally.difference or tally.refused)

    def worst_refusals(self) -> list[tuple[Refused, Tally]]:
        """What would be refused, by the revenue it brought."""
        return sorted(self.refused.items(), key=lambda pair: -pair[1].before)[:MOST_REASONS]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Charges of one account that asked for the same and got the same."""

    account: uuid.UUID
    plan: str
    model: str
    operation: str
    parameters: str
    outputs: str | None
    given: bool
    charges: int
    cost: int


def preview(
    book: PriceBook,
    *,
    until: datetime | None = None,
    accounts: Collection[uuid.UUID] | None = None,
    most: int = MOST_CHARGES,
) -> Impact:
    """The last 30 days' settled charges of the book's price list, priced by this book.

    ``accounts`` narrows it to these, and then nothing is sampled. Raises InvalidBook and pydantic's ValidationError
    where the book cannot be priced from.
    """
    until = until or now()
    terms = snapshot.current().terms(book.profile_id)
    pricing = _Pricing(book, terms, book.effective_at or until)
    impact = Impact(unit=book.price_list.unit, since=until - PERIOD, until=until)
    versions = list(book.price_list.books.values_list("pk", flat=True))
    with transaction.atomic():
        if accounts is None:
            impact.step = -(-_count(impact, versions) // most) or 1
        for shape in _shapes(impact, versions, accounts):
            _add(impact, shape, pricing)
    return impact


class _Pricing:
    """The book ready for pricing; each shape is priced once for each set of agreements."""

    def __init__(self, book: PriceBook, terms: Terms, moment: datetime) -> None:
        self._book = pure_book(book, terms)
        self._terms = terms
        self._moment = moment
        rows = (AIModel.objects, Operation.objects)
        self._names = {
            slug: name
            for row in rows
            for slug, name in row.filter(profile=terms.slug).values_list("slug", "name")
        }
        self.quote = lru_cache(maxsize=50_000)(self._quote)
        self.agreed = lru_cache(maxsize=50_000)(self._agreed)

    def label(self, model: str, operation: str) -> str:
        item = self._book.items.get((model, operation))
        if item is not None:
            return item.spec.label
        return f"{self._names.get(model, model)}, {self._names.get(operation, operation)}"

    def closed(self, quote: Quote, plan: str) -> str | None:
        """Why a plan would not open it."""
        return gates.refusal(quote, self._terms.plan(plan) if plan else None)

    def _agreed(self, account: uuid.UUID) -> tuple[bool, tuple[Discount, ...]]:
        """Whether the account's prices are locked, and its discounts."""
        mine = offers.of(account)
        lock = mine.lock(self._book, self._moment)
        locked = lock is not None and lock.book_id != self._book.id
        return locked, mine.discounts(self._moment, self._book.unit)

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


def _add(impact: Impact, shape: _Shape, pricing: _Pricing) -> None:
    charges, before = shape.charges * impact.step, shape.cost * impact.step
    item = impact.items.setdefault((shape.model, shape.operation), Tally())
    if (shape.model, shape.operation) not in impact.labels:
        impact.labels[shape.model, shape.operation] = pricing.label(shape.model, shape.operation)
    account = impact.accounts.setdefault(shape.account, Tally())
    locked, discounts = pricing.agreed(shape.account)
    after, why = before, None
    if shape.given or locked:
        impact.kept.add(charges, before, before)
    else:
        priced = pricing.quote(shape.model, shape.operation, shape.parameters, shape.outputs, discounts)
        why = priced if isinstance(priced, str) else pricing.closed(priced, shape.plan)
        after = 0 if why is not None or isinstance(priced, str) else priced.micros * charges
    if why is not None:
        refused = Refused(pricing.label(shape.model, shape.operation), why)
        impact.refused.setdefault(refused, Tally()).add(charges, before, 0, refused=True)
    for tally in (impact.total, item, account):
        tally.add(charges, before, after, refused=why is not None)


_WHERE: Final = """
    FROM ledger_charge c JOIN accounts_billingaccount a ON a.id = c.account_id
    WHERE c.id >= %(first)s AND c.status = 'settled' AND c.price_book_id = ANY(%(versions)s)
      AND c.finished_at >= %(since)s AND c.finished_at < %(until)s
"""


def _count(impact: Impact, versions: list[uuid.UUID]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_WHERE}", _bounds(impact, versions))
        return int(cursor.fetchone()[0])


def _shapes(
    impact: Impact, versions: list[uuid.UUID], accounts: Collection[uuid.UUID] | None
) -> Iterator[_Shape]:
    """The charges added up; a server-side cursor, so that their number is no matter of memory."""
    values = _bounds(impact, versions)
    where = _WHERE
    if accounts is not None:
        where += " AND c.account_id = ANY(%(accounts)s)"
        values["accounts"] = list(accounts)
    if impact.step > 1:
        where += " AND (get_byte(uuid_send(c.id), 14) * 256 + get_byte(uuid_send(c.id), 15)) %% %(step)s = 0"
        values["step"] = impact.step
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"""SELECT c.account_id, a.plan, c.model, c.operation, c.parameters::text, c.outputs::text,
                   c.cost_lines IS NULL AND c.finished_at <> c.authorized_at, count(*), sum(c.cost)::bigint
            {where} GROUP BY 1, 2, 3, 4, 5, 6, 7""",
            values,
        )
        while rows := cursor.fetchmany(2000):
            for row in rows:
                yield _Shape(*row)


def _bounds(impact: Impact, versions: list[uuid.UUID]) -> dict[str, Any]:
    """Ids carry the millisecond they were made in, and no hold is older than its longest time."""
    first = impact.since - _LONGEST_HOLD
    return {
        "first": uuid.UUID(int=int(first.timestamp() * 1000) << 80),
        "versions": versions,
        "since": impact.since,
        "until": impact.until,
    }


def _read(text: str | None) -> Mapping[str, Any]:
    found = exact_json.loads(text) if text else None
    return found if isinstance(found, dict) else {}
