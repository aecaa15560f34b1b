"""What staff decide about plans, modes, credit limits and invoices: with a reason, once, and never without the right."""

import uuid
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import BillingAccount, User
from billing.ledger import balances
from billing.ledger.holds import place
from billing.models import CreditLimitDecision, Invoice, SubscriptionEvent
from billing.services import invoicing
from tests.billing.ledger.conftest import CREDIT, at, wanted
from tests.billing.services.plans import account, has, profiles, running

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_superuser("staff@example.com", "correct horse battery")


@pytest.fixture
def desk(staff: User) -> Client:
    client = Client()
    client.force_login(staff)
    return client


def form(**fields: str) -> dict[str, str]:
    return {"nonce": str(uuid.uuid4()), "reason": "Agreed by phone", **fields}


def test_a_plan_is_changed_with_a_reason_once(desk: Client, staff: User) -> None:
    payer, sent = account("toon"), form(choice="pro")
    path = f"/admin/ledger/balance/{payer.pk}/plan/"
    assert desk.get(path).status_code == 200
    for _ in range(2):
        assert desk.post(path, sent).status_code == 302
    payer.refresh_from_db()
    assert (payer.plan, has(payer)) == ("pro", 310)
    event = SubscriptionEvent.objects.get(pk=sent["nonce"])
    assert (event.by, event.reason) == (staff, "Agreed by phone")


def test_without_a_reason_nothing_happens(desk: Client) -> None:
    payer = account("toon")
    response = desk.post(f"/admin/ledger/balance/{payer.pk}/plan/", form(choice="pro", reason=""))
    assert (response.status_code, running(payer).plan) == (422, "free")


def test_what_the_service_refuses_is_said(desk: Client) -> None:
    payer = account("toon")
    response = desk.post(f"/admin/ledger/balance/{payer.pk}/plan/", form(choice="free"))
    assert response.status_code == 422
    assert "Free is the current plan" in response.content.decode()


def test_a_mode_is_changed(desk: Client) -> None:
    payer = account("toon")
    assert desk.post(f"/admin/ledger/balance/{payer.pk}/mode/", form(choice="metered")).status_code == 302
    payer.refresh_from_db()
    assert (payer.mode, payer.unit) == ("metered", "USD")


def test_a_limit_is_overridden_and_released(desk: Client) -> None:
    payer = account("gateway", mode="postpaid")
    path = f"/admin/ledger/balance/{payer.pk}/credit-limit/"
    assert "By the rule: 0 USD (0 invoices paid" in desk.get(path).content.decode()
    assert desk.post(path, form(limit="250.5")).status_code == 302
    assert balances.of(payer.pk).credit_limit == 250_500_000
    assert desk.post(path, form(limit="-1")).status_code == 422
    assert desk.post(path, form(limit="")).status_code == 302
    assert balances.of(payer.pk).credit_limit == 0
    assert [row.source for row in CreditLimitDecision.objects.filter(account=payer)] == [
        "release",
        "override",
    ]


def test_the_right_to_decide_is_needed(staff: User) -> None:
    payer = account("toon")
    helper = User.objects.create_user("helper@example.com", "correct horse battery", is_staff=True)
    helper.user_permissions.add(Permission.objects.get(codename="view_balance"))
    client = Client()
    client.force_login(helper)
    for path in ("plan", "mode", "credit-limit"):
        assert client.post(f"/admin/ledger/balance/{payer.pk}/{path}/", form(choice="pro")).status_code == 403


@pytest.fixture
def invoice() -> Invoice:
    at(datetime(2027, 2, 10, tzinfo=UTC))
    payer = account("toon", mode="metered")
    place([wanted(payer.pk, 12, settle_now=True)])
    at(datetime(2027, 3, 1, tzinfo=UTC))
    invoicing.close_due()
    return Invoice.objects.get()


def test_an_invoice_is_marked_as_paid_with_its_reference(desk: Client, invoice: Invoice) -> None:
    path = f"/admin/billing/invoice/{invoice.pk}"
    assert "INV-000001" in desk.get(f"{path}/change/").content.decode()
    assert desk.post(f"{path}/paid/", form(reference="")).status_code == 422
    assert desk.post(f"{path}/paid/", form(reference="BANK-9", reason="")).status_code == 302
    invoice.refresh_from_db()
    assert (invoice.status, invoice.reference) == ("paid", "BANK-9")
    assert desk.post(f"{path}/void/", form()).status_code == 422


def test_an_invoice_is_void_with_a_reason(desk: Client, invoice: Invoice) -> None:
    assert desk.post(f"/admin/billing/invoice/{invoice.pk}/void/", form()).status_code == 302
    invoice.refresh_from_db()
    assert (invoice.status, invoice.reason) == ("void", "Agreed by phone")
    assert balances.of(invoice.account_id).balance == -12 * CREDIT


@pytest.mark.parametrize(
    "name",
    [
        "billing/subscription",
        "billing/invoice",
        "billing/modechange",
        "billing/creditlimitdecision",
        "billing/closedmonth",
    ],
)
def test_everything_is_looked_at_and_nothing_edited(desk: Client, invoice: Invoice, name: str) -> None:
    payer: BillingAccount = account("toon", plan="pro")
    assert running(payer).plan == "pro"
    assert desk.get(f"/admin/{name}/").status_code == 200
    assert desk.get(f"/admin/{name}/add/").status_code == 403


def test_a_subscription_shows_its_periods_and_decisions(desk: Client) -> None:
    row = running(account("toon", plan="pro"))
    html = desk.get(f"/admin/billing/subscription/{row.pk}/change/").content.decode()
    assert "39 USD" in html
