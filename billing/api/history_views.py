"""The past of an account: why its balance moved, and its monthly statements."""

import uuid
from datetime import date, datetime
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Query, Router

from accounts.models import BillingAccount
from billing import statement_csv
from billing.api import answers
from billing.api.errors_of import errors
from billing.api.http import ok
from billing.api.schemas import ChangesQuery
from billing.api.security import CustomerAuth, caller
from billing.errors import InvalidRequest, NotFound
from billing.ledger import clock
from billing.models import Statement
from billing.selectors import api_history, as_of
from billing.selectors import statements as read
from billing.streaming import csv_download, pdf_download

router = Router(auth=CustomerAuth(), tags=["History"])


def _file(kind: str, text: str) -> dict[str, Any]:
    """What the document says of an answer that is a file."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return {"responses": {200: {"description": text, "content": content}}}


CSV: Final = _file(
    "text/csv", "Every transaction of the month, with all that its hash covers, and the signature."
)
PDF: Final = _file("application/pdf", "The month to read and keep, with its signature.")


@router.get(
    "/balance/changes",
    response={200: answers.BalanceChanges, **errors()},
    summary="Why the balance moved",
)
def balance_changes(request: HttpRequest, query: Query[ChangesQuery]) -> HttpResponse:
    """What the account had at two instants, and what happened after `from` up to and including `to` (now)."""
    account_id, moment = _account_id(request), clock.now()
    until = query.to or moment
    known_by("to", until, moment)
    if query.from_ >= until:
        raise InvalidRequest(
            "The times are in the wrong order.", [{"field": "from", "message": "must be before to"}]
        )
    return ok(api_history.changes_body(account_id, as_of.changes(account_id, query.from_, until)))


@router.get("/statements", response={200: answers.Statements, **errors()}, summary="Monthly statements")
def statements(request: HttpRequest) -> HttpResponse:
    """Every calendar month (UTC) since the first transaction, newest first. The running one is a preview, unsigned."""
    account = BillingAccount.objects.get(pk=_account_id(request))
    return ok(api_history.statements_body(account, read.listed(account, clock.now())))


@router.get("/statements/{month}.csv", response=errors(404), openapi_extra=CSV, summary="A statement as CSV")
def statement_csv_file(request: HttpRequest, month: str) -> HttpResponseBase:
    """`month` is `2026-10`. Check it with `portal verify-statement`; the keys are at `/.well-known/statement-keys.json`."""
    statement = _statement(request, month)
    return csv_download(request, statement_csv.lines(statement), f"statement-{month}.csv")


@router.get("/statements/{month}.pdf", response=errors(404), openapi_extra=PDF, summary="A statement as PDF")
def statement_pdf_file(request: HttpRequest, month: str) -> HttpResponseBase:
    """`month` is `2026-10`. Very long months show their first thousand transactions; the CSV has all."""
    # What draws PDFs takes fifty megabytes, which most processes never need.
    from billing import statement_pdf

    content = statement_pdf.render(_statement(request, month), settings.BRAND_NAME)
    return pdf_download(content, f"statement-{month}.pdf")


def known_by(field: str, asked: datetime, moment: datetime) -> None:
    """Nothing is known of what is still to come. Raises InvalidRequest."""
    if asked > moment:
        raise InvalidRequest(
            "That time is still to come.", [{"field": field, "message": "must not be in the future"}]
        )


def _statement(request: HttpRequest, text: str) -> Statement:
    month: date | None = read.month_named(text)
    account = BillingAccount.objects.get(pk=_account_id(request))
    found = read.one(account, month, clock.now()) if month else None
    if found is None:
        raise NotFound("There is no statement for this month.")
    return found


def _account_id(request: HttpRequest) -> uuid.UUID:
    account_id = caller(request).account_id
    if account_id is None:
        raise ValueError("a customer's key has an account")
    return account_id
