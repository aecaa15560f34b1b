"""Each promise about plans and invoices is found broken when it is."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from billing.ledger.holds import place
from billing.services import invoicing, reconciliation
from tests.billing.ledger.conftest import at, wanted
from tests.billing.services.plans import account, load

pytestmark = pytest.mark.django_db


@pytest.fixture
def books() -> None:
    """A plan in its first period, and an invoice of pay-per-use."""
    load()
    at(datetime(2027, 2, 10, tzinfo=UTC))
    account("toon", plan="pro")
    payer = account("toon", mode="metered")
    place([wanted(payer.pk, 12, settle_now=True)])
    at(datetime(2027, 3, 1, tzinfo=UTC))
    invoicing.close_due()


def broken() -> set[str]:
    return {finding.name for finding in reconciliation.run() if finding.breaches}


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("invoice_lines_add_up", "UPDATE billing_invoiceline SET amount = amount + 1"),
        ("invoices_posted", "UPDATE billing_invoice SET total = total - 1"),
        (
            "invoices_posted",
            "DELETE FROM billing_invoiceline; DELETE FROM billing_closedmonth; DELETE FROM billing_invoice",
        ),
        ("invoices_posted", "UPDATE billing_invoice SET paid_transaction_id = gen_random_uuid()"),
        ("invoices_posted", "UPDATE billing_invoice SET status = 'paid', finished_at = now()"),
        ("receivables_match", "UPDATE billing_invoice SET status = 'paid', finished_at = now()"),
        (
            "receivables_match",
            "UPDATE ledger_posting SET amount = amount - 1 WHERE ledger_account = 'receivables'",
        ),
        ("invoices_numbered", "UPDATE billing_invoice SET number = 2"),
        ("invoices_numbered", "UPDATE billing_invoicecounter SET last = 3"),
        ("periods_granted", "UPDATE billing_subscriptionperiod SET credits = credits + 1"),
        ("periods_granted", "UPDATE ledger_transaction SET key = NULL WHERE kind = 'plan_grant'"),
        ("periods_granted", "DELETE FROM billing_subscriptionperiod"),
        ("plans_agree", "UPDATE accounts_billingaccount SET plan = 'business' WHERE plan = 'pro'"),
        ("periods_renewed", "UPDATE billing_subscription SET period_ends_at = '2027-02-28T00:00Z'"),
    ],
)
def test_what_is_damaged_is_found(books: None, name: str, damage: str) -> None:
    assert name not in broken()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(damage)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    assert name in broken()
