"""Charges: the billing record of one piece of work, and what a caller sends to open one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Self

from portal_client import reading
from portal_client.errors import PortalError, from_problem
from portal_client.reading import Json


@dataclass(frozen=True)
class Customer:
    """Who pays: by the API key they called with, or by account id. Exactly one of the two."""

    api_key: str | None = field(default=None, repr=False)
    account: str | None = None

    def __post_init__(self) -> None:
        if (self.api_key is None) == (self.account is None):
            raise ValueError("Name the customer by api_key or by account, not both.")

    def body(self) -> dict[str, str]:
        return {"api_key": self.api_key} if self.api_key is not None else {"account": self.account or ""}


@dataclass(frozen=True)
class NewCharge:
    """One piece of work to authorize. ``reference`` is the caller's own id; ``charges`` finds it again."""

    customer: Customer
    model: str
    operation: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    reference: str | None = None
    confirm: bool = False

    def body(self) -> dict[str, object]:
        body: dict[str, object] = {
            "customer": self.customer.body(),
            "model": self.model,
            "operation": self.operation,
            "parameters": dict(self.parameters),
        }
        if self.reference is not None:
            body["reference"] = self.reference
        if self.confirm:
            body["confirm"] = True
        return body


@dataclass(frozen=True)
class Metadata:
    """Cost and routing of one piece of work; ``cost`` is known once it is settled, before it is what was reported."""

    cost: Decimal | None
    cost_estimate: Decimal | None
    provider: str | None
    provider_name: str | None
    executed_model: str | None
    upstream_id: str | None

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            cost=reading.optional_amount(source, "cost"),
            cost_estimate=reading.optional_amount(source, "cost_estimate"),
            provider=reading.optional_text(source, "provider"),
            provider_name=reading.optional_text(source, "provider_name"),
            executed_model=reading.optional_text(source, "executed_model"),
            upstream_id=reading.optional_text(source, "upstream_id"),
        )


@dataclass(frozen=True)
class ReportedPhase:
    """What became of a phase (``succeeded``, ``failed`` or ``skipped``), reported while the rest went on."""

    id: str
    status: str
    reported_at: datetime

    @classmethod
    def read(cls, source: Json) -> Self:
        return cls(
            id=reading.text(source, "id"),
            status=reading.text(source, "status"),
            reported_at=reading.moment(source, "reported_at"),
        )


@dataclass(frozen=True)
class Charge:
    """One charge as the portal tells it: ``authorized → settled | voided``, ``settled → refunded``.

    Fields that an endpoint does not send are None. ``returned`` is what settling, reporting or voiding gave back;
    ``reported`` are the phases told before the end, where the charge is looked up.
    """

    id: str
    status: str
    unit: str | None
    metadata: Metadata
    hold: Decimal | None
    returned: Decimal | None
    balance: Decimal | None
    available: Decimal | None
    expires_at: datetime | None
    reference: str | None
    reported: tuple[ReportedPhase, ...]
    raw: Json = field(repr=False, compare=False)

    @classmethod
    def read(cls, source: Json) -> Self:
        phases = reading.children(source, "reported") if "reported" in source else ()
        return cls(
            id=reading.text(source, "id"),
            status=reading.text(source, "status"),
            unit=reading.optional_text(source, "unit"),
            metadata=reading.optional_child(source, "metadata", Metadata.read) or Metadata.read({}),
            hold=reading.optional_amount(source, "hold"),
            returned=reading.optional_amount(source, "returned"),
            balance=reading.optional_amount(source, "balance"),
            available=reading.optional_amount(source, "available"),
            expires_at=reading.optional_moment(source, "expires_at"),
            reference=reading.optional_text(source, "reference"),
            reported=tuple(ReportedPhase.read(item) for item in phases),
            raw=source,
        )


@dataclass(frozen=True)
class Delivery:
    """Who did the work: goes into the settled charge's metadata."""

    provider: str | None = None
    provider_name: str | None = None
    executed_model: str | None = None
    upstream_id: str | None = None

    def body(self) -> dict[str, object]:
        fields: dict[str, str | None] = {
            "provider": self.provider,
            "provider_name": self.provider_name,
            "executed_model": self.executed_model,
            "upstream_id": self.upstream_id,
        }
        return {name: value for name, value in fields.items() if value is not None}


BatchOutcome = Charge | PortalError


def read_batch(source: Json) -> tuple[BatchOutcome, ...]:
    """Each item of a batch answered for itself, in the order they were sent."""
    return tuple(_read_outcome(item) for item in reading.children(source, "data"))


def _read_outcome(item: Json) -> BatchOutcome:
    if "code" in item:
        status = item.get("status")
        return from_problem(status if isinstance(status, int) else 0, item, b"", None)
    return Charge.read(item)
