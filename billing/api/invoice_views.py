"""A customer's invoices."""

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts.models import BillingAccount
from billing.api import invoice_answers
from billing.api.errors_of import errors
from billing.api.http import ok
from billing.api.schemas import Paging
from billing.api.security import CustomerAuth, caller
from billing.errors import NotFound
from billing.selectors import invoices as selectors

router = Router(auth=CustomerAuth(), tags=["Invoices"])


@router.get("/invoices", response={200: invoice_answers.Invoices, **errors()}, summary="Invoices")
def invoices(request: HttpRequest, query: Query[Paging]) -> HttpResponse:
    """What was had on credit, by month, newest first."""
    return ok(selectors.page(_account(request), query.cursor, query.limit))


@router.get(
    "/invoices/{invoice_id}",
    response={200: invoice_answers.InvoiceWithLines, **errors(404)},
    summary="An invoice",
)
def invoice(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """One invoice with its lines, which add up to its total exactly."""
    found = selectors.one(_account(request), invoice_id)
    if found is None:
        raise NotFound("There is no such invoice.")
    return ok(selectors.body_with_lines(found))


def _account(request: HttpRequest) -> BillingAccount:
    account_id = caller(request).account_id
    if account_id is None:
        raise ValueError("a customer's key has an account")
    return BillingAccount.objects.get(pk=account_id)
