"""What the API answers about charges, as models for its OpenAPI document: accepted, ended, given back, listed."""

from typing import Any, Literal

from billing.api.answers import AccountId, Amount, Answer, ChargeId, Moment, Problem, Unit


class Line(Answer):
    """quantity × unit_price = amount."""

    what: str
    quantity: str
    unit_price: str
    amount: Amount


class Range(Answer):
    """The least and the most it may cost."""

    low: Amount
    high: Amount


class Metadata(Answer):
    """Cost and routing of a piece of work. ``cost`` is known once it is charged; before, what is reported of its phases."""

    cost_estimate: Amount
    cost: Amount = ""
    provider: str | None = None
    provider_name: str | None = None
    executed_model: str | None = None
    upstream_id: str | None = None


class Authorized(Answer):
    """Accepted: the hold is placed, or the work is charged already where it is priced on acceptance."""

    id: ChargeId
    status: Literal["authorized", "settled"]
    unit: Unit
    metadata: Metadata
    hold: Amount
    balance: Amount
    available: Amount
    held: Amount
    authorized_at: Moment
    expires_at: Moment | None


class Batch(Answer):
    """One entry per charge sent, in their order: the body of POST /v1/charges, or its problem."""

    data: list[Authorized | Problem]


class Finished(Answer):
    """The end of a hold. ``uncollected`` is what the work cost beyond hold and balance.

    After a partial settle it goes on: ``authorized``, with ``hold`` still set aside.
    """

    id: ChargeId
    status: Literal["settled", "voided", "authorized"]
    unit: Unit
    metadata: Metadata
    hold: Amount = ""
    returned: Amount
    uncollected: Amount = ""
    balance: Amount
    available: Amount


class Refunded(Answer):
    """What came back of a charge: ``amount`` now, in ``transaction``, and ``refunded`` in all.

    ``metadata.cost`` is what the charge costs after it; ``GET /v1/charges/{id}`` keeps what the work had cost.
    """

    id: ChargeId
    status: Literal["settled", "refunded"]
    unit: Unit
    metadata: Metadata
    amount: Amount
    refunded: Amount
    transaction: str
    balance: Amount


class AppliedOffer(Answer):
    """An agreement with the account that the work was priced by: percent off, or a unit price of its own."""

    label: str
    percent: str
    price: str | None = None


class ReportedPhase(Answer):
    """What became of a phase, reported while the rest of the work went on."""

    id: str
    status: Literal["succeeded", "failed", "skipped"]
    reported_at: Moment


class Charge(Answer):
    """The billing record of one piece of work; ``hold`` is what is set aside for it now."""

    id: ChargeId
    status: Literal["authorized", "settled", "voided", "refunded"]
    account: AccountId
    unit: Unit
    model: str
    operation: str
    description: str
    parameters: dict[str, Any]
    metadata: Metadata
    hold: Amount
    refunded: Amount
    uncollected: Amount
    reported: list[ReportedPhase]
    lines: list[Line]
    offers: list[AppliedOffer]
    reference: str | None
    reason: str | None
    authorized_at: Moment
    expires_at: Moment | None
    finished_at: Moment | None


class Charges(Answer):
    """A page of charges, newest first."""

    data: list[Charge]
    next_cursor: str | None
