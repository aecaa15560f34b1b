"""What a price book would have made of the last weeks: settled charges priced again, by a draft or any version.

Prices are compared, not luck: outputs are those that were delivered, the share of a charge that was refunded is refunded
of its other price too, and each account's own agreements apply as they will when the work is done again
(``repricing``). A charge whose cost the generation service gave is taken as it was, and so is work under a price lock.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.services import past_charges
from billing.services.past_charges import Shape
from billing.services.repricing import Repricing
from catalog.models import PriceBook

MOST_CHARGES: Final = 200_000
"""With more charges than this a part of them is priced, every n-th by the random end of its id, and multiplied by n."""
MOST_AFFECTED: Final = 20
MOST_REASONS: Final = 50


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


def preview(book: PriceBook, *, until: datetime | None = None, most: int = MOST_CHARGES) -> Impact:
    """The settled charges of the last 30 days of the book's price list, priced by this book.

    Raises InvalidBook and pydantic's ValidationError where the book cannot be priced from.
    """
    return measured(Repricing(book, until or now()), most=most)


def measured(
    pricing: Repricing, *, accounts: Collection[uuid.UUID] | None = None, most: int = MOST_CHARGES
) -> Impact:
    """The outcome of a pricing that is ready. ``accounts`` narrows it to these, and then nothing is sampled."""
    impact = Impact(unit=pricing.unit, since=pricing.since, until=pricing.until)
    with transaction.atomic():
        if accounts is None:
            impact.step = -(-past_charges.count(pricing) // most) or 1
        for shape in past_charges.read(pricing, accounts, impact.step):
            _add(impact, shape, pricing)
    return impact


def _add(impact: Impact, shape: Shape, pricing: Repricing) -> None:
    charges, before = shape.charges * impact.step, shape.paid * impact.step
    item = impact.items.setdefault((shape.model, shape.operation), Tally())
    if (shape.model, shape.operation) not in impact.labels:
        impact.labels[shape.model, shape.operation] = pricing.label(shape.model, shape.operation)
    account = impact.accounts.setdefault(shape.account, Tally())
    locked, discounts = pricing.agreed(shape.account, shape.stretch)
    after, why = before, None
    if shape.given or locked:
        impact.kept.add(charges, before, before)
    else:
        priced = pricing.quote(shape.model, shape.operation, shape.parameters, shape.outputs, discounts)
        why = priced if isinstance(priced, str) else pricing.closed(priced, shape.plan)
        after = 0 if why is not None or isinstance(priced, str) else shape.paid_of(priced.micros) * charges
    if why is not None:
        refused = Refused(pricing.label(shape.model, shape.operation), why)
        impact.refused.setdefault(refused, Tally()).add(charges, before, 0, refused=True)
    for tally in (impact.total, item, account):
        tally.add(charges, before, after, refused=why is not None)
