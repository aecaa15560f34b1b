"""A job and its states: what the studio promised to do once the portal accepted the charge."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


class State(StrEnum):
    """``accepting → accepted → delivered → completed``, or ``accepted → failing → failed``.

    ``orphaned``: the portal's answer to the authorization never came, so there may or may not be a charge.
    """

    ACCEPTING = "accepting"
    ORPHANED = "orphaned"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILING = "failing"
    COMPLETED = "completed"
    FAILED = "failed"


FINAL = (State.COMPLETED, State.FAILED)
DUE = (State.ORPHANED, State.ACCEPTED, State.DELIVERED, State.FAILING)


@dataclass(frozen=True)
class Order:
    """What is billed (``model``, ``operation``, ``parameters``) and what is made (``request``).

    ``upload`` is an image the work needs; it is stored with the job, so that a restart can run it again.
    """

    kind: str
    model: str
    operation: str
    parameters: dict[str, object]
    request: dict[str, object]
    upload: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Job:
    """One row of the job table. Amounts in ``unit``; times in milliseconds since 1970."""

    id: str
    kind: str
    account: str
    state: State
    model: str
    operation: str
    request: dict[str, object]
    charge: str | None
    charge_settled: bool
    unit: str
    cost_estimate: Decimal | None
    cost: Decimal | None
    balance: Decimal | None
    outputs: dict[str, object]
    actual_share: Decimal | None
    failure: str | None
    attempts: int
    created_at: int
    upload: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Made:
    """One file that the work produced."""

    suffix: str
    content_type: str
    width: int
    height: int
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Delivered:
    """The finished work. ``outputs`` is what the price book can price.

    ``actual_share`` is the part of the estimate that the work really cost, where the studio knows that.
    """

    files: tuple[Made, ...]
    outputs: dict[str, object]
    actual_share: Decimal | None = None


@dataclass(frozen=True)
class Result:
    """A stored file; ``expires_at`` in milliseconds since 1970."""

    id: str
    job: str
    content_type: str
    width: int
    height: int
    size: int
    expires_at: int


class WorkFailed(Exception):
    """The work could not be delivered; the customer pays nothing."""


class Maker(Protocol):
    """Does one kind of work: from a stored request to files. Repeatable. Raises WorkFailed."""

    def __call__(self, job: Job) -> Delivered: ...
