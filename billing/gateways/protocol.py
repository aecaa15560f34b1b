"""What the portal asks of a payment provider, as plain values. Cash is in the currency's smallest unit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class GatewayError(Exception):
    """The provider was asked and no useful answer came."""


class Unreachable(GatewayError):
    """No answer, or an internal error of the provider: what was asked may have happened or not."""


class Busy(GatewayError):
    """The provider asks to slow down, or another request holds the object: nothing happened, try again."""


class Rejected(GatewayError):
    """The request itself is wrong, so nothing happened and nothing will; ``code`` is the provider's."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Missing(Rejected):
    """The provider has no such object (any more)."""


class Outcome(StrEnum):
    """Where a payment stands at the provider."""

    OPEN = "open"
    """Nothing was tried yet: the customer has not paid on the hosted page."""
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    """The bank wants the customer to confirm."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the provider knows of one payment. ``amount_minor`` is the price without ``tax_minor``.

    ``reference`` is the payment's public id and ``sent`` all that we sent along with it (``notes`` of the order).
    """

    outcome: Outcome
    amount_minor: int
    currency: str
    customer_id: str
    tax_minor: int = 0
    reference: str = ""
    sent: Mapping[str, str] = field(default_factory=dict)
    intent_id: str | None = None
    checkout_id: str | None = None
    charge_id: str | None = None
    card: str = ""
    receipt_url: str = ""
    action_url: str = ""
    failure_code: str = ""
    failure_message: str = ""


class Tax(StrEnum):
    """Who works out tax on a hosted page: nobody, or the provider, on top of the price or within it."""

    NONE = "none"
    EXCLUSIVE = "exclusive"
    INCLUSIVE = "inclusive"


@dataclass(frozen=True, kw_only=True)
class CheckoutOrder:
    """A hosted page for one payment. ``key`` is the idempotency key: the same order gives the same page."""

    key: str
    reference: str
    notes: Mapping[str, str]
    customer_id: str
    amount_minor: int
    currency: str
    title: str
    success_url: str
    cancel_url: str
    tax: Tax


@dataclass(frozen=True, kw_only=True)
class CardOrder:
    """A charge of a saved card. ``return_url`` None: the customer is absent."""

    key: str
    reference: str
    notes: Mapping[str, str]
    customer_id: str
    method_id: str
    amount_minor: int
    currency: str
    title: str
    return_url: str | None


@dataclass(frozen=True, kw_only=True)
class HostedPage:
    """A page at the provider that the customer is sent to."""

    id: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """A saved card as it may be shown."""

    id: str
    brand: str
    last4: str
    exp_month: int
    exp_year: int


@dataclass(frozen=True, kw_only=True)
class Wallet:
    """A customer's saved cards; ``default_id`` is the one to charge. A deleted customer does not exist."""

    cards: tuple[Card, ...] = ()
    default_id: str | None = None
    exists: bool = True


@dataclass(frozen=True, kw_only=True)
class SetupResult:
    """What came of a hosted page that saves a card; ``method_id`` is None until one was saved."""

    customer_id: str
    method_id: str | None


@dataclass(frozen=True, kw_only=True)
class ReversalState:
    """A refund or dispute as it stands at the provider."""

    id: str
    intent_id: str | None
    charge_id: str | None
    amount_minor: int
    currency: str
    status: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A webhook endpoint as just made; the secret is said only then."""

    id: str
    secret: str


class PaymentGateway(Protocol):
    """The provider. Every call may raise Unreachable, Busy or Rejected; none runs inside a transaction."""

    def create_customer(self, *, key: str, account: str, email: str, name: str) -> str: ...
    def delete_customer(self, customer_id: str) -> None: ...
    def wallet(self, customer_id: str) -> Wallet: ...
    def set_default_card(self, customer_id: str, method_id: str) -> None: ...
    def detach_card(self, method_id: str) -> None: ...

    def create_checkout(self, order: CheckoutOrder) -> Standing: ...
    def checkout(self, checkout_id: str) -> Standing: ...
    def expire_checkout(self, checkout_id: str) -> None: ...
    def create_setup(
        self, *, key: str, account: str, customer_id: str, currency: str, success_url: str, cancel_url: str
    ) -> HostedPage: ...
    def setup_result(self, checkout_id: str) -> SetupResult: ...

    def charge_card(self, order: CardOrder) -> Standing: ...
    def intent(self, intent_id: str) -> Standing: ...
    def cancel_intent(self, intent_id: str) -> None: ...
    def find_intent(self, *, customer_id: str, reference: str, since: datetime) -> Standing | None: ...
    def find_checkout(self, *, customer_id: str, reference: str, since: datetime) -> Standing | None: ...
    def recent_intents(self, since: datetime) -> Iterator[Standing]: ...

    def refund(self, *, key: str, intent_id: str, amount_minor: int) -> ReversalState: ...
    def refund_state(self, refund_id: str) -> ReversalState: ...
    def refunds_of(self, charge_id: str) -> tuple[ReversalState, ...]: ...
    def dispute_state(self, dispute_id: str) -> ReversalState: ...

    def create_endpoint(self, *, url: str, events: list[str], metadata: dict[str, str]) -> Endpoint: ...
    def update_endpoint(self, endpoint_id: str, *, url: str, events: list[str]) -> None: ...
