"""A customer's invoices over the API."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from billing.ledger.holds import place
from billing.models import Invoice
from billing.services import invoicing
from tests.billing.api.conftest import Payer, payer
from tests.billing.ledger.conftest import wanted


def at(moment: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.now', %s, true)", [moment.isoformat()])


@pytest.fixture
def metered(toon: None) -> Payer:
    """Three months of pay-per-use, each invoiced."""
    at(datetime(2027, 1, 5, tzinfo=UTC))
    made = payer("Metered", "toon", mode="metered")
    type(made.account).objects.filter(pk=made.account.pk).update(created_at=datetime(2027, 1, 5, tzinfo=UTC))
    for month in (1, 2, 3):
        at(datetime(2027, month, 6, tzinfo=UTC))
        request = wanted(
            made.account.pk, 0, settle_now=True, model="z-image-turbo", description="Z-Image Turbo"
        )
        request.amount = 72_000
        place([request])
        at(datetime(2027, month + 1, 1, tzinfo=UTC))
        invoicing.close_due()
    return made


def test_they_are_listed_newest_first_by_page(metered: Payer) -> None:
    first = metered.api.get("/v1/invoices?limit=2").body
    assert [row["number"] for row in first["data"]] == ["INV-000003", "INV-000002"]
    rest = metered.api.get(f"/v1/invoices?limit=2&cursor={first['next_cursor']}").body
    assert ([row["number"] for row in rest["data"]], rest["next_cursor"]) == (["INV-000001"], None)


def test_one_has_lines_that_add_up(metered: Payer) -> None:
    bill = Invoice.objects.get(number=1)
    body = metered.api.get(f"/v1/invoices/{bill.public_id}").body
    assert (body["total"], body["amount_due"], body["currency"], body["status"]) == (
        "0.072",
        "0.07",
        "USD",
        "open",
    )
    assert (body["period_end"], body["overdue"]) == ("2027-02-01T00:00:00Z", True)
    assert body["lines"] == [
        {
            "description": "Z-Image Turbo", "model": "z-image-turbo", "operation": "generate", "quantity": 1,
            "amount": "0.072",
        }
    ]  # fmt: skip


def test_the_history_says_where_the_debt_went(metered: Payer) -> None:
    rows = metered.api.get("/v1/usage?type=invoice").body["data"]
    assert {(row["type"], row["amount"], row["description"]) for row in rows} >= {
        ("invoice", "0.072", "Invoice INV-000001")
    }


def test_somebody_else_s_is_not_there(metered: Payer, ann: Payer) -> None:
    bill = Invoice.objects.get(number=1)
    assert ann.api.get(f"/v1/invoices/{bill.public_id}").status == 404
    assert ann.api.get("/v1/invoices").body == {"data": [], "next_cursor": None}


@pytest.mark.parametrize("text", ["x", "inv_", "inv_" + "7" * 32, "txn_" + "0" * 32])
def test_what_is_no_invoice_is_not_found(ann: Payer, text: str) -> None:
    assert ann.api.get(f"/v1/invoices/{text}").status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "status=open"])
def test_a_wrong_query_is_refused(ann: Payer, query: str) -> None:
    assert ann.api.get(f"/v1/invoices?{query}").status == 422
