"""Months on credit: invoiced once, lines that add up, numbers without gaps, and a limit that starts fresh."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import balances
from billing.ledger.holds import place
from billing.ledger.models import Posting
from billing.models import ClosedMonth, CreditLimitDecision, Invoice, OutboxMessage
from billing.services import charges, credit_limits, invoicing, limits, modes, reconciliation
from tests.billing.ledger.conftest import CREDIT, at, hold, settle, standing, wanted
from tests.billing.services.plans import account, buy, history, profiles

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")

FEBRUARY = datetime(2027, 2, 10, tzinfo=UTC)
MARCH = datetime(2027, 3, 1, tzinfo=UTC)
APRIL = datetime(2027, 4, 1, tzinfo=UTC)


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_user("staff@example.com", is_staff=True)


@pytest.fixture
def metered() -> BillingAccount:
    """Pays per use since 10 February under 50 USD a month."""
    at(FEBRUARY)
    return account("toon", mode="metered")


def use(payer: BillingAccount, micros: int, model: str = "z-image-turbo", **fields: object) -> None:
    """Work of so many micros, charged at once."""
    request = wanted(payer.pk, 0, settle_now=True, model=model, description=model.title(), **fields)
    request.amount = micros
    assert place([request])[0]["code"] == "settled"


def lines(invoice: Invoice) -> list[tuple[str, int | None, int]]:
    return [(line.description, line.quantity, line.amount) for line in invoice.lines.all()]


def test_a_month_is_invoiced_by_model_and_operation_to_the_last_digit(metered: BillingAccount) -> None:
    for _ in range(3):
        use(metered, 61_000, "seedream-4-5")
    use(metered, 72_000, operation="relight")
    use(metered, 72_000)
    at(MARCH)
    assert invoicing.close_due() == 1
    bill = Invoice.objects.get(account=metered)
    assert lines(bill) == [
        ("Seedream-4-5", 3, 183_000), ("Z-Image-Turbo", 1, 72_000), ("Z-Image-Turbo", 1, 72_000),
    ]  # fmt: skip
    assert (bill.total, bill.due_minor, bill.currency) == (327_000, 33, "USD")
    assert sum(line.amount for line in bill.lines.all()) == bill.total
    assert (bill.starts_at, bill.ends_at, bill.due_at) == (FEBRUARY, MARCH, MARCH + timedelta(days=14))
    assert standing(metered.pk) == (0, 0, 50)
    receivables = Posting.objects.filter(ledger_account="receivables")
    assert [row.amount for row in receivables] == [-327_000]


def test_it_is_invoiced_once_however_often_the_month_is_closed(metered: BillingAccount) -> None:
    use(metered, 20 * CREDIT)
    at(MARCH)
    assert [invoicing.close_due() for _ in range(3)] == [1, 0, 0]
    assert invoicing.close_month(metered.pk, date(2027, 2, 1))
    assert Invoice.objects.count() == 1
    assert OutboxMessage.objects.filter(kind="email.invoice").count() == 1


def test_the_next_month_starts_fresh_and_its_work_is_on_the_next_invoice(metered: BillingAccount) -> None:
    use(metered, 45 * CREDIT)
    at(MARCH)
    use(metered, 5 * CREDIT)
    invoicing.close_due()
    assert standing(metered.pk) == (-5, 0, 45)
    use(metered, 40 * CREDIT)
    at(APRIL)
    invoicing.close_due()
    assert [bill.total // CREDIT for bill in Invoice.objects.order_by("number")] == [45, 45]
    assert [bill.number for bill in Invoice.objects.order_by("number")] == [1, 2]


def test_the_month_of_acceptance_counts_and_work_under_way_is_waited_for(metered: BillingAccount) -> None:
    at(MARCH - timedelta(microseconds=1))
    work = hold(metered.pk, 10, ttl=3600)
    at(MARCH + timedelta(minutes=5))
    use(metered, 3 * CREDIT)
    assert invoicing.close_due() == 0
    settle(work, 8)
    assert invoicing.close_due() == 1
    assert [bill.total // CREDIT for bill in Invoice.objects.all()] == [8]
    at(APRIL)
    invoicing.close_due()
    assert [bill.total // CREDIT for bill in Invoice.objects.order_by("number")] == [8, 3]


def test_what_came_back_of_invoiced_work_lowers_the_next_one(metered: BillingAccount) -> None:
    work = hold(metered.pk, 10)
    settle(work, 10)
    at(MARCH)
    invoicing.close_due()
    at(MARCH + timedelta(days=1))
    charges.refund(work, 4 * CREDIT, "Half of it failed")
    use(metered, 9 * CREDIT)
    at(APRIL)
    invoicing.close_due()
    bill = Invoice.objects.order_by("-number")[0]
    assert lines(bill) == [
        ("Z-Image-Turbo", 1, 9 * CREDIT),
        ("Refunds of work invoiced before", None, -4 * CREDIT),
    ]


def test_what_was_refunded_within_the_month_is_not_invoiced(metered: BillingAccount) -> None:
    work = hold(metered.pk, 10)
    settle(work, 10)
    charges.refund(work, None, "It failed")
    use(metered, 2 * CREDIT)
    at(MARCH)
    invoicing.close_due()
    assert lines(Invoice.objects.get()) == [("Z-Image-Turbo", 1, 2 * CREDIT)]


def test_a_month_without_debt_is_closed_without_an_invoice(metered: BillingAccount) -> None:
    buy(metered, 5)
    use(metered, 5 * CREDIT)
    at(MARCH)
    assert invoicing.close_due() == 1
    assert not Invoice.objects.exists()
    assert ClosedMonth.objects.get(account=metered).invoice is None


def test_missed_months_are_closed_in_their_order(metered: BillingAccount) -> None:
    use(metered, 5 * CREDIT)
    at(MARCH + timedelta(days=3))
    use(metered, 7 * CREDIT)
    at(datetime(2027, 5, 2, tzinfo=UTC))
    invoicing.close_due()
    assert [(f"{bill.ends_at:%m}", bill.total // CREDIT) for bill in Invoice.objects.order_by("number")] == [
        ("03", 5), ("04", 7),
    ]  # fmt: skip
    assert ClosedMonth.objects.count() == 3


def test_a_month_that_is_not_over_is_not_closed(metered: BillingAccount) -> None:
    with pytest.raises(InvalidState, match="February 2027 is not over yet"):
        invoicing.close_month(metered.pk, date(2027, 2, 1))


def test_a_failed_close_leaves_no_gap_in_the_numbers(metered: BillingAccount) -> None:
    use(metered, 5 * CREDIT)
    at(MARCH)
    with transaction.atomic():
        invoicing.close_month(metered.pk, date(2027, 2, 1))
        transaction.set_rollback(True)
    invoicing.close_due()
    assert Invoice.objects.get().number == 1


def test_paid_is_said_with_a_reference_and_twice_is_once(metered: BillingAccount, staff: User) -> None:
    use(metered, 5 * CREDIT)
    at(MARCH)
    invoicing.close_due()
    bill = Invoice.objects.get()
    with pytest.raises(InvalidRequest):
        invoicing.mark_paid(bill.pk, reference=" ", by=staff)
    paid = invoicing.mark_paid(bill.pk, reference="BANK-77", by=staff)
    assert invoicing.mark_paid(bill.pk, reference="BANK-78", by=staff).reference == "BANK-77"
    assert (paid.status, paid.finished_by) == ("paid", staff)
    assert postings(paid.paid_transaction_id) == [("bank", "USD", -5), ("receivables", "USD", 5)]
    assert standing(metered.pk) == (0, 0, 50)
    assert [entry for entry in history(metered) if entry[0] == "invoice"] == [("invoice", 5), ("invoice", 0)]
    with pytest.raises(InvalidState, match="INV-000001 is paid"):
        invoicing.void(bill.pk, reason="No", by=staff)


def postings(transaction_id: uuid.UUID | None) -> list[tuple[str, str, int]]:
    rows = Posting.objects.filter(transaction_id__in=[transaction_id]).order_by("ledger_account")
    return [(row.ledger_account, row.unit, row.amount // CREDIT) for row in rows]


def test_an_invoice_in_the_unit_the_account_has_left_is_paid_all_the_same(
    metered: BillingAccount, staff: User
) -> None:
    use(metered, 5 * CREDIT)
    at(FEBRUARY + timedelta(days=1))
    modes.switch(metered.pk, modes.Asked(mode="subscription", arranged=True))
    bill = Invoice.objects.get()
    metered.refresh_from_db()
    assert (bill.unit, metered.unit) == ("USD", "credit")
    before = standing(metered.pk)
    paid = invoicing.mark_paid(bill.pk, reference="BANK-1", by=staff)
    assert postings(paid.paid_transaction_id) == [("bank", "USD", -5), ("receivables", "USD", 5)]
    assert standing(metered.pk) == before
    assert "transactions_posted" not in {item.name for item in reconciliation.run() if item.breaches}


def test_one_that_was_paid_before_that_was_posted_is_posted_when_it_is_said_again(
    metered: BillingAccount, staff: User
) -> None:
    use(metered, 5 * CREDIT)
    at(MARCH)
    invoicing.close_due()
    bill = Invoice.objects.get()
    Invoice.objects.filter(pk=bill.pk).update(status="paid", finished_at=MARCH)
    assert {item.name for item in reconciliation.run() if item.breaches} >= {
        "invoices_posted",
        "receivables_match",
    }
    assert invoicing.mark_paid(bill.pk, reference="again", by=staff).paid_transaction_id is not None


def test_a_void_invoice_keeps_its_number_and_its_work_is_invoiced_again(
    metered: BillingAccount, staff: User
) -> None:
    use(metered, 45 * CREDIT)
    at(MARCH)
    invoicing.close_due()
    bill = Invoice.objects.get()
    at(MARCH + timedelta(days=1))
    use(metered, 20 * CREDIT)
    with pytest.raises(InvalidRequest):
        invoicing.void(bill.pk, reason="", by=staff)
    for _ in range(2):
        invoicing.void(bill.pk, reason="Wrong address", by=staff)
    assert standing(metered.pk) == (-65, 0, -15)
    at(APRIL)
    invoicing.close_due()
    again = Invoice.objects.get(number=2)
    assert again.total == 65 * CREDIT
    assert standing(metered.pk) == (0, 0, 50)
    assert [entry for entry in history(metered) if entry[0] == "invoice"] == [
        ("invoice", 45), ("invoice", -45), ("invoice", 65),
    ]  # fmt: skip


@pytest.mark.parametrize("change", [{"total": 1}, {"number": 9}, {"status": "open"}, {"due_minor": 1}])
def test_the_database_keeps_an_invoice_as_it_was(
    metered: BillingAccount, staff: User, change: dict[str, object]
) -> None:
    use(metered, 5 * CREDIT)
    at(MARCH)
    invoicing.close_due()
    bill = invoicing.mark_paid(Invoice.objects.get().pk, reference="x", by=staff)
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=bill.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=bill.pk).delete()


class TestCreditLimit:
    """Postpaid limits by the rule of profile ``gateway``, and by staff."""

    @pytest.fixture
    def postpaid(self, staff: User) -> BillingAccount:
        at(FEBRUARY)
        payer = account("gateway", mode="postpaid")
        credit_limits.set_override(
            payer.pk, limit=600 * CREDIT, reason="Reference from the bank", by=staff, expires_at=APRIL
        )
        return payer

    def test_a_new_account_may_owe_nothing_until_staff_say_so(self, staff: User) -> None:
        payer = account("gateway", mode="postpaid")
        assert balances.of(payer.pk).credit_limit == 0
        credit_limits.set_override(payer.pk, limit=600 * CREDIT, reason="Known", by=staff)
        assert balances.of(payer.pk).credit_limit == 600 * CREDIT

    def test_an_override_ends_and_the_rule_follows_the_history(
        self, postpaid: BillingAccount, staff: User
    ) -> None:
        use(postpaid, 500 * CREDIT)
        at(MARCH)
        invoicing.close_due()
        invoicing.mark_paid(Invoice.objects.get().pk, reference="BANK-1", by=staff)
        assert balances.of(postpaid.pk).credit_limit == 600 * CREDIT
        at(APRIL)
        assert credit_limits.recompute_all() == 1
        assert balances.of(postpaid.pk).credit_limit == 100 * CREDIT
        at(FEBRUARY + timedelta(days=60))
        credit_limits.recompute_all()
        assert balances.of(postpaid.pk).credit_limit == 500 * CREDIT
        kept = CreditLimitDecision.objects.filter(account=postpaid).order_by("id")
        assert [(row.source, row.limit // CREDIT) for row in kept] == [
            ("override", 600), ("rule", 100), ("rule", 500),
        ]  # fmt: skip

    def test_released_the_rule_decides_at_once(self, postpaid: BillingAccount, staff: User) -> None:
        credit_limits.release(postpaid.pk, reason="Enough", by=staff)
        assert balances.of(postpaid.pk).credit_limit == 0

    def test_lowered_in_flight_nothing_new_is_accepted_and_holds_settle(
        self, postpaid: BillingAccount, staff: User
    ) -> None:
        work = hold(postpaid.pk, 300)
        credit_limits.set_override(postpaid.pk, limit=100 * CREDIT, reason="Careful", by=staff)
        assert standing(postpaid.pk) == (0, 300, -200)
        settle(work, 300)
        assert standing(postpaid.pk) == (-300, 0, -200)

    def test_an_invoice_left_unpaid_beyond_its_grace_closes_the_credit(
        self, postpaid: BillingAccount, staff: User
    ) -> None:
        credit_limits.release(postpaid.pk, reason="By the rule", by=staff)
        BillingAccount.objects.filter(pk=postpaid.pk).update(created_at=FEBRUARY - timedelta(days=100))
        balances.set_credit_limit(postpaid.pk, 50 * CREDIT)
        use(postpaid, 50 * CREDIT)
        at(MARCH)
        invoicing.close_due()
        assert credit_limits.history(postpaid).overdue_invoices == 0
        at(MARCH + timedelta(days=21))
        assert credit_limits.history(postpaid).overdue_invoices == 1

    @pytest.mark.parametrize("reason", ["", "  "])
    def test_staff_say_why(self, postpaid: BillingAccount, staff: User, reason: str) -> None:
        with pytest.raises(InvalidRequest):
            credit_limits.set_override(postpaid.pk, limit=1, reason=reason, by=staff)


class TestOverduePayPerUse:
    """A pay-per-use account owes its spending limit, and nothing while an invoice is overdue."""

    @pytest.fixture
    def bill(self, metered: BillingAccount) -> Invoice:
        use(metered, 20 * CREDIT)
        at(MARCH)
        invoicing.close_due()
        return Invoice.objects.get()

    @pytest.mark.parametrize("way", ["paid", "void"])
    def test_its_credit_is_closed_until_the_invoice_is_paid_or_void(
        self, bill: Invoice, staff: User, way: str
    ) -> None:
        at(bill.due_at - timedelta(microseconds=1))
        assert credit_limits.recompute_all() == 0
        at(bill.due_at)
        assert [credit_limits.recompute_all() for _ in range(2)] == [1, 0]
        now = balances.of(bill.account_id)
        assert (now.credit_limit, now.spend_limit) == (0, 50 * CREDIT)
        assert place([wanted(bill.account_id, 1)])[0]["code"] == "insufficient_credits"
        if way == "paid":
            invoicing.mark_paid(bill.pk, reference="BANK-1", by=staff)
        else:
            invoicing.void(bill.pk, reason="Wrong", by=staff)
        assert balances.of(bill.account_id).credit_limit == 50 * CREDIT
        kept = CreditLimitDecision.objects.filter(account=bill.account_id).order_by("id")
        assert [(row.source, row.limit // CREDIT) for row in kept] == [("rule", 0), ("rule", 50)]

    def test_another_spending_limit_is_remembered_and_opens_nothing(self, bill: Invoice, staff: User) -> None:
        at(bill.due_at)
        limits.set_spending_limit(bill.account_id, 80 * CREDIT)
        now = balances.of(bill.account_id)
        assert (now.credit_limit, now.spend_limit) == (0, 80 * CREDIT)
        invoicing.mark_paid(bill.pk, reference="BANK-1", by=staff)
        assert balances.of(bill.account_id).credit_limit == 80 * CREDIT
