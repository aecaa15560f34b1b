"""The price list as ``GET /v1/pricing`` tells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Self

from portal_client import reading
from portal_client.models import Range
from portal_client.reading import Json


@dataclass(frozen=True)
class OperationPrice:
    """``price`` for each ``per`` ("request", "image", "second", …). None where it depends on the request.

    ``range`` is where the price lies when it is no single one; ``unit`` may differ from the list's own.
    ``available_from`` is the balance that opens it, None where any balance does. ``list_price`` is everybody's where the
    account's ``offers`` make its own another one.
    ``modifiers`` and ``requires`` (the gate) stay as the portal sends them, since profiles differ.
    """

    operation: str
    price: Decimal | None
    range: Range | None
    unit: str | None
    per: str
    modifiers: tuple[object, ...]
    requires: object
    available_from: Decimal | None
    approximate: bool
    list_price: Decimal | None
    offers: tuple[str, ...]

    @classmethod
    def read(cls, source: Json) -> Self:
        modifiers, offers = source.get("modifiers"), source.get("offers")
        return cls(
            operation=reading.text(source, "operation"),
            price=reading.optional_amount(source, "price"),
            range=reading.optional_child(source, "range", Range.read),
            unit=reading.optional_text(source, "unit"),
            per=reading.text(source, "per"),
            modifiers=tuple(modifiers) if isinstance(modifiers, list) else (),
            requires=source.get("requires"),
            available_from=reading.optional_amount(source, "available_from"),
            approximate=reading.flag(source, "approximate"),
            list_price=reading.optional_amount(source, "list_price"),
            offers=tuple(str(name) for name in offers) if isinstance(offers, list) else (),
        )


@dataclass(frozen=True)
class ModelPrices:
    """One model and what its operations cost."""

    id: str
    name: str
    operations: tuple[OperationPrice, ...]

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            id=reading.text(source, "id"),
            name=reading.text(source, "name"),
            operations=tuple(OperationPrice.read(item) for item in reading.children(source, "operations")),
        )


@dataclass(frozen=True)
class Pricing:
    """Every price in force at ``as_of``, in ``unit``.

    ``next_change_at`` is when the next version takes over; ``locked_until`` until when the account keeps this one.
    """

    unit: str
    as_of: datetime
    next_change_at: datetime | None
    locked_until: datetime | None
    approximate: bool
    models: tuple[ModelPrices, ...]
    raw: Mapping[str, object] = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            unit=reading.text(source, "unit"),
            as_of=reading.moment(source, "as_of"),
            next_change_at=reading.optional_moment(source, "next_change_at"),
            locked_until=reading.optional_moment(source, "locked_until"),
            approximate=reading.flag(source, "approximate"),
            models=tuple(ModelPrices.read(item) for item in reading.children(source, "models")),
            raw=source,
        )
