"""What the API answers about invoices, as models for its OpenAPI document."""

from typing import Annotated, Literal

from pydantic import Field

from billing.api.answers import Amount, Answer, Moment, Unit

InvoiceId = Annotated[str, Field(pattern="^inv_[0-9a-f]{32}$")]


class Invoice(Answer):
    """Work had on credit: ``total`` in the account's unit, ``amount_due`` in cash, rounded to its smallest coin."""

    id: InvoiceId
    number: str
    status: Literal["open", "paid", "void"]
    period_start: Moment
    period_end: Moment
    unit: Unit
    total: Amount
    currency: str
    amount_due: Amount
    issued_at: Moment
    due_at: Moment
    paid_at: Moment | None
    overdue: bool


class InvoiceLine(Answer):
    """A model's operation, or without a model what was set against the work."""

    description: str
    model: str | None
    operation: str | None
    quantity: int | None
    amount: Amount


class InvoiceWithLines(Invoice):
    """An invoice and the lines that add up to its total."""

    lines: list[InvoiceLine]


class Invoices(Answer):
    """A page of invoices, newest first."""

    data: list[Invoice]
    next_cursor: str | None
