"""What the API answers, as models for its OpenAPI document. Views answer plain values, tests compare both."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from billing.api.schemas import AMOUNT_PATTERN, Type

Amount = Annotated[str, Field(pattern=AMOUNT_PATTERN, examples=["12.5"])]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Unit = Annotated[str, Field(description='"credit" or a currency code', examples=["credit"])]
Mode = Literal["prepaid", "subscription", "metered", "postpaid"]
ChargeId = Annotated[str, Field(pattern="^ch_[0-9a-f]{32}$")]
AccountId = Annotated[str, Field(pattern="^acct_[0-9a-f]{32}$")]


class Answer(BaseModel):
    """Exactly these fields, no others."""

    model_config = ConfigDict(extra="forbid")


class FieldError(Answer):
    """What is wrong with one field."""

    field: str
    message: str


class Remedy(Answer):
    """A way out of a refusal that would help this account."""

    code: Literal["add_funds", "enable_auto_recharge", "raise_limit", "switch_to_postpaid"]
    url: str


class Problem(BaseModel):
    """RFC 9457. Every 402 has required, available, unit and remedies; a 422 for bad input has errors."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError] = []
    required: Amount = ""
    available: Amount = ""
    unit: Unit = ""
    remedies: list[Remedy] = []


class CreditPrice(Answer):
    """The cash price of one credit."""

    amount: Amount
    currency: str


class Grant(Answer):
    """Credits that came in together, and what is left of them."""

    id: Annotated[str, Field(pattern="^grant_[0-9a-f]{32}$")]
    source: Literal["topup", "plan", "bonus", "trial", "admin", "refund"]
    remaining: Amount
    expires_at: Moment | None


class AutoRecharge(Answer):
    """Below ``threshold`` (account's unit) the saved card is charged ``amount`` (cash)."""

    enabled: bool
    threshold: Amount
    amount: Amount
    monthly_cap: Amount | None
    currency: str
    paused: bool
    pause_reason: Literal["failures", "action_required", "no_card"] | None


class SpendingLimit(Answer):
    """The most that may be accepted in a calendar month (UTC), and what was so far.

    A `hard` limit refuses what would pass it, an `alert` refuses nothing; both are told of at 50, 80 and 100 %.
    """

    limit: Amount | None
    mode: Literal["hard", "alert"] | None
    currency: Unit
    spent: Amount
    resets_at: Moment


class KeyLimits(Answer):
    """What one API key may spend a calendar month (UTC) and in all, and what it has; null is no limit.

    `limited_with`: the other keys of its rotation, which spend the same limits: what a limited key has spent is what
    all of them have.
    """

    id: Annotated[str, Field(pattern="^key_[0-9a-f]{32}$")]
    name: str
    prefix: str
    last4: str
    status: Literal["active", "ending", "expired", "revoked"]
    unit: Unit
    monthly_limit: Amount | None
    total_budget: Amount | None
    spent_this_month: Amount
    spent_in_all: Amount
    limited_with: list[str]
    resets_at: Moment


class Keys(Answer):
    """The account's API keys, working ones first."""

    data: list[KeyLimits]
    next_cursor: None


class PlanStanding(Answer):
    """The account's plan and its running period; ``next_plan`` follows at its end, where a change is scheduled."""

    plan: str
    status: Literal["trialing", "active", "past_due", "paused"]
    current_period_start: Moment
    current_period_end: Moment
    next_plan: str | None
    cancel_at_period_end: bool


class Balance(Answer):
    """``available`` is balance less held, plus the credit limit where there is one."""

    account: AccountId
    mode: Mode
    plan: str | None
    unit: Unit
    balance: Amount
    available: Amount
    held: Amount
    credit_limit: Amount | None
    credit_price: CreditPrice | None
    grants: list[Grant]
    pricing: Annotated[dict[str, Amount], Field(description="The profile's headline constants")]
    auto_recharge: AutoRecharge
    spending_limit: SpendingLimit | None
    subscription: PlanStanding | None


class BalanceAsOf(Answer):
    """What the account had at an instant, that one included; ``transactions`` is how many it had had by then.

    ``available`` is balance less held plus ``credit_limit``, which is null and left out where it is not known of then.
    """

    account: AccountId
    unit: Unit
    as_of: Moment
    balance: Amount
    held: Amount
    credit_limit: Amount | None
    available: Amount
    transactions: int


class Transaction(Answer):
    """One line of the history; ``amount`` is signed."""

    id: Annotated[str, Field(pattern="^txn_[0-9a-f]{32}$")]
    type: Type
    amount: Amount
    balance_after: Amount
    unit: Unit
    description: str
    charge: ChargeId | None
    model: str | None
    reference: str | None
    created_at: Moment


class Usage(Answer):
    """A page of transactions, newest first."""

    data: list[Transaction]
    next_cursor: str | None


class ChangeSum(Answer):
    """What transactions of one type (and model) came to."""

    type: Type
    model: str | None
    transactions: int
    amount: Amount


class BalanceChanges(Answer):
    """From ``opening`` over ``sums`` to ``closing``; ``largest`` are the ten largest movements between them.

    ``change`` is null, and there are no sums, where the account was counted in another unit then.
    """

    account: AccountId
    unit: Unit
    opening: BalanceAsOf
    closing: BalanceAsOf
    change: Amount | None
    transactions: int
    sums: list[ChangeSum]
    largest: list[Transaction]


class Statement(Answer):
    """A month. ``pending`` until it is signed, soon after its end; ``preview`` while it runs."""

    month: Annotated[str, Field(pattern="^[0-9]{4}-[0-9]{2}$")]
    state: Literal["final", "preview", "pending"]
    unit: Unit
    opening_balance: Amount | None
    closing_balance: Amount | None
    transactions: int | None
    head: str | None
    key: str | None
    signature: str | None
    csv: str | None
    pdf: str | None


class Statements(Answer):
    """Every month, newest first."""

    data: list[Statement]
    next_cursor: None


class KeyCheck(Answer):
    """Whose key it is; everything null where it is not valid."""

    valid: bool
    account: AccountId | None
    plan: str | None
    mode: Mode | None


class Topup(Answer):
    """Where the customer pays."""

    checkout_url: str


class CreditsBalance(Answer):
    """Profile 3's balance: a JSON number."""

    balance: float


class Subscription(Answer):
    """Profile 3's plan."""

    plan: str | None
    status: Literal["active", "trialing", "past_due", "none"]
    creditsRemaining: float  # noqa: N815 - the published name
    currentPeriodEnd: Moment  # noqa: N815 - the published name


class LimitCents(Answer):
    """Profile 3's spending limit in cents; null for none."""

    limitCents: int | None  # noqa: N815 - the published name


class LimitCentsSet(Answer):
    """Profile 3's answer to a new spending limit."""

    limitCents: int  # noqa: N815 - the published name
    updated: Literal[True]
