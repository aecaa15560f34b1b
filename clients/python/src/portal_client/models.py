"""What the portal answers, as frozen values. Amounts are ``Decimal`` in the account's unit, times aware UTC.

``raw`` keeps the whole decoded answer, so a field this version does not know is not lost.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Self

from portal_client import reading
from portal_client.reading import Json


@dataclass(frozen=True)
class CreditPrice:
    """The cash price of one credit."""

    amount: Decimal
    currency: str

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(reading.amount(source, "amount"), reading.text(source, "currency"))


@dataclass(frozen=True)
class Grant:
    """Credits that came in together and what is left of them."""

    id: str
    source: str
    remaining: Decimal
    expires_at: datetime | None

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            id=reading.text(source, "id"),
            source=reading.text(source, "source"),
            remaining=reading.amount(source, "remaining"),
            expires_at=reading.optional_moment(source, "expires_at"),
        )


@dataclass(frozen=True)
class AutoRecharge:
    """``threshold`` in the account's unit; ``amount`` and ``monthly_cap`` in cash."""

    enabled: bool
    threshold: Decimal
    amount: Decimal
    monthly_cap: Decimal | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            enabled=reading.flag(source, "enabled"),
            threshold=reading.amount(source, "threshold"),
            amount=reading.amount(source, "amount"),
            monthly_cap=reading.optional_amount(source, "monthly_cap"),
            raw=source,
        )


@dataclass(frozen=True)
class SpendingLimit:
    """What may be spent in one month; ``limit`` is None when there is no limit."""

    limit: Decimal | None
    currency: str | None
    spent: Decimal | None
    resets_at: datetime | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            limit=reading.optional_amount(source, "limit"),
            currency=reading.optional_text(source, "currency"),
            spent=reading.optional_amount(source, "spent"),
            resets_at=reading.optional_moment(source, "resets_at"),
            raw=source,
        )


@dataclass(frozen=True)
class Balance:
    """``available`` is ``balance`` less what open holds have set aside (``held``)."""

    account: str
    mode: str
    unit: str
    balance: Decimal
    available: Decimal
    held: Decimal
    credit_price: CreditPrice | None
    grants: tuple[Grant, ...]
    pricing: Mapping[str, Decimal]
    auto_recharge: AutoRecharge | None
    spending_limit: SpendingLimit | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        pricing = reading.child(source, "pricing")
        return cls(
            account=reading.text(source, "account"),
            mode=reading.text(source, "mode"),
            unit=reading.text(source, "unit"),
            balance=reading.amount(source, "balance"),
            available=reading.amount(source, "available"),
            held=reading.amount(source, "held"),
            credit_price=reading.optional_child(source, "credit_price", CreditPrice.read),
            grants=tuple(Grant.read(item) for item in reading.children(source, "grants")),
            pricing={name: reading.amount(pricing, name) for name in pricing},
            auto_recharge=reading.optional_child(source, "auto_recharge", AutoRecharge.read),
            spending_limit=reading.optional_child(source, "spending_limit", SpendingLimit.read),
            raw=source,
        )


@dataclass(frozen=True)
class Transaction:
    """One line of the account's history; ``amount`` is signed."""

    id: str
    type: str
    amount: Decimal
    balance_after: Decimal
    description: str
    charge: str | None
    created_at: datetime
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            id=reading.text(source, "id"),
            type=reading.text(source, "type"),
            amount=reading.amount(source, "amount"),
            balance_after=reading.amount(source, "balance_after"),
            description=reading.text(source, "description"),
            charge=reading.optional_text(source, "charge"),
            created_at=reading.moment(source, "created_at"),
            raw=source,
        )


@dataclass(frozen=True)
class Line:
    """One line of an estimate: ``quantity`` × ``unit_price`` = ``amount``."""

    what: str
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            what=reading.text(source, "what"),
            quantity=reading.amount(source, "quantity"),
            unit_price=reading.amount(source, "unit_price"),
            amount=reading.amount(source, "amount"),
        )


@dataclass(frozen=True)
class Range:
    """The least and the most something may cost."""

    low: Decimal
    high: Decimal

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(reading.amount(source, "low"), reading.amount(source, "high"))


@dataclass(frozen=True)
class Gate:
    """Whether the account may have it now. ``reason`` says why not, ``opens`` what would change that.

    ``opens`` may carry ``plan``, ``available`` and ``resets_at``; ``monthly`` the plan's count with ``limit``, ``used``
    and ``resets_at``. ``confirmation``: send ``confirm`` with the request.
    """

    open: bool
    reason: str | None
    opens: Mapping[str, object]
    monthly: Mapping[str, object]
    confirmation: bool

    @classmethod
    def read(cls, source: Json) -> Self:
        opens, monthly = source.get("opens"), source.get("monthly")
        return cls(
            open=reading.flag(source, "open"),
            reason=reading.optional_text(source, "reason"),
            opens=opens if isinstance(opens, Mapping) else {},
            monthly=monthly if isinstance(monthly, Mapping) else {},
            confirmation=reading.flag(source, "confirmation"),
        )


@dataclass(frozen=True)
class Estimate:
    """What a request should cost. Nothing was written. ``as_of`` is the moment whose prices were taken."""

    cost_estimate: Decimal
    range: Range | None
    unit: str
    lines: tuple[Line, ...]
    sufficient: bool
    available_after: Decimal
    gate: Gate | None
    as_of: datetime | None
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            cost_estimate=reading.amount(source, "cost_estimate"),
            range=reading.optional_child(source, "range", Range.read),
            unit=reading.text(source, "unit"),
            lines=tuple(Line.read(item) for item in reading.children(source, "lines")),
            sufficient=reading.flag(source, "sufficient"),
            available_after=reading.amount(source, "available_after"),
            gate=reading.optional_child(source, "gate", Gate.read),
            as_of=reading.optional_moment(source, "as_of"),
            raw=source,
        )


@dataclass(frozen=True)
class KeyCheck:
    """Whose key it is; ``account`` is None when the key is not valid."""

    valid: bool
    account: str | None
    plan: str | None
    mode: str | None

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            valid=reading.flag(source, "valid"),
            account=reading.optional_text(source, "account"),
            plan=reading.optional_text(source, "plan"),
            mode=reading.optional_text(source, "mode"),
        )
