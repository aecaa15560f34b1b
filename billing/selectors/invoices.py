"""An account's own invoices, for pages, files and the API."""

from datetime import UTC, datetime
from typing import Any

from accounts.models import BillingAccount
from billing.ledger import clock
from billing.models import Invoice
from billing.selectors import cursors
from catalog.pricing.units import micros_to_text
from config.ids import parse_id

Body = dict[str, Any]


def overdue(account: BillingAccount, moment: datetime | None = None) -> Invoice | None:
    """The open invoice that is overdue longest, now or at a moment."""
    return (
        Invoice.objects.filter(account=account, status="open", due_at__lte=moment or clock.now())
        .order_by("due_at")
        .first()
    )


def listed(account: BillingAccount, before: int | None = None, limit: int = 100) -> list[Invoice]:
    """Newest first; those before a number."""
    rows = Invoice.objects.filter(account=account).order_by("-number")
    return list((rows if before is None else rows.filter(number__lt=before))[:limit])


def one(account: BillingAccount, text: str) -> Invoice | None:
    """The account's invoice of a shown id; anybody else's does not exist."""
    invoice_id = parse_id("inv", text)
    return Invoice.objects.filter(account=account, pk=invoice_id).first() if invoice_id else None


def page(account: BillingAccount, cursor: str | None, limit: int) -> Body:
    """A page of ``GET /v1/invoices``."""
    before = None if cursor is None else cursors.number("i", cursor)
    found = listed(account, before, limit + 1)
    return cursors.page(found, limit, lambda row: cursors.of_number("i", row.number), body)


def body(invoice: Invoice) -> Body:
    """One invoice without its lines."""
    return {
        "id": invoice.public_id,
        "number": invoice.number_text,
        "status": invoice.status,
        "period_start": _instant(invoice.starts_at),
        "period_end": _instant(invoice.ends_at),
        "unit": invoice.unit,
        "total": micros_to_text(invoice.total),
        "currency": invoice.currency,
        "amount_due": str(invoice.due),
        "issued_at": _instant(invoice.issued_at),
        "due_at": _instant(invoice.due_at),
        "paid_at": _instant(invoice.finished_at)
        if invoice.status == "paid" and invoice.finished_at
        else None,
        "overdue": invoice.overdue_at(clock.now()),
    }


def body_with_lines(invoice: Invoice) -> Body:
    """One invoice with the lines that add up to its total."""
    lines = [
        {
            "description": line.description,
            "model": line.model or None,
            "operation": line.operation or None,
            "quantity": line.quantity,
            "amount": micros_to_text(line.amount),
        }
        for line in invoice.lines.all()
    ]
    return body(invoice) | {"lines": lines}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
