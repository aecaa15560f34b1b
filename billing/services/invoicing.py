"""Invoices of our own for work had on credit: made when a month is over or the way of paying changes, paid, void.

What is invoiced is the debt on the balance, without what was accepted after the period; its lines are the period's work
by model and operation, and what was set against it, so that they add up to the total exactly.
"""

import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import F, Max, Q, Sum

from accounts.models import BillingAccount, User
from billing import outbox
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import clock, receivables
from billing.ledger.models import Balance, Charge, Transaction
from billing.ledger.post import lock as lock_balances
from billing.models import ClosedMonth, Invoice, InvoiceCounter, InvoiceLine, ModeChange
from billing.services import credit_limits, periods
from billing.services.subscriptions import each, lock_account
from billing.services.validity import add_months
from catalog import snapshot
from catalog.pricing.rounding import minor_from_micros
from catalog.pricing.units import minor_exponent
from config.ids import new_id

log = logging.getLogger(__name__)

PAY_LATER: Final = ("metered", "postpaid")
DUE_DAYS: Final = 14
"""Days until an invoice is due where the profile's credit limit rule does not say."""

LINES_SQL: Final = """
SELECT model, operation, max(description), count(*) FILTER (WHERE cost > refunded), sum(cost - refunded)::bigint
  FROM ledger_charge
 WHERE account_id = %(account)s AND unit = %(unit)s AND status IN ('settled', 'refunded') AND authorized_at < %(end)s
   AND (authorized_at >= %(start)s OR finished_at > %(issued)s)
 GROUP BY 1, 2 HAVING sum(cost - refunded) > 0
 ORDER BY 5 DESC, 1, 2
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A line to be; see InvoiceLine."""

    description: str
    amount: int
    model: str = ""
    operation: str = ""
    quantity: int | None = None


def close_due() -> int:
    """Close the last month, and earlier ones that were missed, of every account that pays afterwards.

    Returns for how many something was closed. Who still has work of the month under way is asked again next time.
    """
    this_month = periods.month_of(clock.now())
    before = add_months(this_month, -1)
    closed = ClosedMonth.objects.filter(month=before.date()).values("account_id")
    left = ModeChange.objects.filter(from_mode__in=PAY_LATER, at__gte=before).values("account_id")
    waiting = BillingAccount.objects.filter(Q(mode__in=PAY_LATER) | Q(pk__in=left), created_at__lt=this_month)
    return each(list(waiting.exclude(pk__in=closed).values_list("pk", flat=True)), close_account)


def close_account(account_id: uuid.UUID) -> int:
    """Close the months of an account that are over, in their order; returns how many were."""
    done = 0
    last = ClosedMonth.objects.filter(account_id=account_id).aggregate(last=Max("month"))["last"]
    begun = _paying_since(BillingAccount.objects.get(pk=account_id))
    month = add_months(datetime(last.year, last.month, 1, tzinfo=UTC), 1) if last else periods.month_of(begun)
    while month < periods.month_of(clock.now()):
        if not close_month(account_id, month.date()):
            break
        done += 1
        month = add_months(month, 1)
    return done


@transaction.atomic
def close_month(account_id: uuid.UUID, month: date) -> bool:
    """Invoice a calendar month (UTC) that is over, once; False while work accepted in it is still under way.

    The month in which work was accepted counts. Raises InvalidState before the month is over.
    """
    account = lock_account(account_id)
    ends_at = add_months(datetime(month.year, month.month, 1, tzinfo=UTC), 1)
    if clock.now() < ends_at:
        raise InvalidState(f"{month:%B %Y} is not over yet.")
    if ClosedMonth.objects.filter(account=account, month=month).exists():
        return True
    if Charge.objects.filter(account_id=account_id, status="authorized", authorized_at__lt=ends_at).exists():
        return False
    ClosedMonth.objects.create(
        account=account, month=month, invoice=issue(account, ends_at), closed_at=clock.now()
    )
    return True


def issue(account: BillingAccount, ends_at: datetime) -> Invoice | None:
    """Invoice what was had on credit until ``ends_at``; None where nothing is owed. Call it with the account locked."""
    row = lock_balances(account.pk)[account.pk]
    total = max(0, -(row.balance + _used_since(row, ends_at)))
    terms = snapshot.current().terms(account.profile)
    cash = terms.cash_for(total, row.unit)
    due_minor = minor_from_micros(cash.micros, minor_exponent(cash.unit))
    last = (
        Invoice.objects.filter(account=account, unit=row.unit)
        .exclude(status="void")
        .order_by("-ends_at")
        .first()
    )
    starts_at = max(_paying_since(account), last.ends_at) if last else _paying_since(account)
    if not due_minor or starts_at >= ends_at:
        return None
    moment, number = clock.now(), _next_number()
    invoice = Invoice(
        id=new_id(), number=number, account=account, name=account.name, email=account.email, starts_at=starts_at,
        ends_at=ends_at, unit=row.unit, total=total, currency=cash.unit, due_minor=due_minor, issued_at=moment,
        due_at=moment + timedelta(days=terms.credit_limit.invoice_due_days if terms.credit_limit else DUE_DAYS),
    )  # fmt: skip
    invoice.transaction_id = _moved(invoice)
    invoice.save(force_insert=True)
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice, position=position, model=line.model, operation=line.operation,
            description=line.description, quantity=line.quantity, amount=line.amount,
        )
        for position, line in enumerate(_lines(row, invoice, last), start=1)
    )  # fmt: skip
    outbox.put(
        kind="email.invoice",
        key=f"invoice:{invoice.public_id}",
        payload={"account": str(account.pk), "invoice": str(invoice.pk)},
    )
    return invoice


def _moved(invoice: Invoice) -> uuid.UUID:
    """Move the debt from the balance to receivables; the ledger transaction that did."""
    posted = receivables.invoice(
        account_id=invoice.account_id,
        micros=invoice.total,
        description=f"Invoice {invoice.number_text}",
        key=f"invoice:{invoice.id.hex}",
        reference=invoice.public_id,
        details={
            "invoice": invoice.public_id,
            "number": invoice.number_text,
            "due": f"{invoice.currency} {invoice.due}",
        },
    )
    return posted.pk


@transaction.atomic
def mark_paid(invoice_id: uuid.UUID, *, reference: str, by: User | None, reason: str = "") -> Invoice:
    """The money for an open invoice is there: what was owed moves to the bank. Twice is once.

    Raises InvalidRequest without a reference, InvalidState for a void one.
    """
    if not reference.strip():
        raise InvalidRequest(
            "Say how it was paid: the bank's reference.", [{"field": "reference", "message": "is required"}]
        )
    invoice = _locked(invoice_id)
    if invoice.status == Invoice.Status.PAID:
        return _to_the_bank(invoice)
    if invoice.status != Invoice.Status.OPEN:
        raise InvalidState(f"{invoice.number_text} is {invoice.status}.")
    invoice.status, invoice.finished_at, invoice.finished_by = Invoice.Status.PAID, clock.now(), by
    invoice.reference, invoice.reason = reference.strip()[:120], reason.strip()[:200]
    _to_the_bank(invoice)
    credit_limits.recompute(invoice.account_id)
    return invoice


def _to_the_bank(invoice: Invoice) -> Invoice:
    """Post that a paid invoice is not owed any more, once; also for one that was paid before that was posted."""
    if invoice.paid_transaction_id is None:
        invoice.paid_transaction_id = receivables.pay(
            account_id=invoice.account_id,
            micros=invoice.total,
            unit=invoice.unit,
            description=f"Invoice {invoice.number_text} is paid",
            key=f"invoice:paid:{invoice.pk.hex}",
            reference=invoice.public_id,
            details={"invoice": invoice.public_id, "paid": f"{invoice.currency} {invoice.due}"},
        ).pk
        invoice.save()
    return invoice


@transaction.atomic
def void(invoice_id: uuid.UUID, *, reason: str, by: User | None) -> Invoice:
    """An open invoice was wrong: it keeps its number, and what it was for is on the balance again. Twice is once.

    Raises InvalidRequest without a reason, InvalidState for a paid one.
    """
    if not reason.strip():
        raise InvalidRequest(
            "Say why; the invoice keeps it.", [{"field": "reason", "message": "is required"}]
        )
    invoice = _locked(invoice_id)
    if invoice.status == Invoice.Status.VOID:
        return invoice
    if invoice.status != Invoice.Status.OPEN:
        raise InvalidState(f"{invoice.number_text} is {invoice.status}.")
    if lock_balances(invoice.account_id)[invoice.account_id].unit != invoice.unit:
        raise InvalidState(
            f"{invoice.number_text} is in {invoice.unit}, in which the account is not counted any more. "
            "Let it switch back first."
        )
    invoice.void_transaction_id = receivables.take_back(
        account_id=invoice.account_id,
        micros=invoice.total,
        description=f"Invoice {invoice.number_text} is void",
        key=f"invoice:void:{invoice.pk.hex}",
        reference=invoice.public_id,
        details={"invoice": invoice.public_id, "reason": reason.strip()[:200]},
    ).pk
    invoice.status, invoice.finished_at, invoice.finished_by = Invoice.Status.VOID, clock.now(), by
    invoice.reason = reason.strip()[:200]
    invoice.save()
    credit_limits.recompute(invoice.account_id)
    return invoice


def _locked(invoice_id: uuid.UUID) -> Invoice:
    """The invoice, locked after its account, as everywhere."""
    account_id = Invoice.objects.values_list("account_id", flat=True).get(pk=invoice_id)
    lock_account(account_id)
    return Invoice.objects.select_for_update().get(pk=invoice_id)


def _paying_since(account: BillingAccount) -> datetime:
    """From when on the account has had work on credit: it switched to it, or was opened so."""
    switched = ModeChange.objects.filter(account=account, to_mode__in=PAY_LATER).order_by("-at").first()
    return switched.at if switched else account.created_at


def _used_since(row: Balance, moment: datetime) -> int:
    """What was accepted from this moment on and is charged already, micros."""
    later = Charge.objects.filter(
        account_id=row.account_id,
        unit=row.unit,
        status__in=("settled", "refunded"),
        authorized_at__gte=moment,
    )
    return int(later.aggregate(total=Sum(F("cost") - F("refunded")))["total"] or 0)


def _next_number() -> int:
    InvoiceCounter.objects.get_or_create(pk=1)
    counter = InvoiceCounter.objects.select_for_update().get(pk=1)
    counter.last += 1
    counter.save()
    return counter.last


def _lines(row: Balance, invoice: Invoice, last: Invoice | None) -> list[Line]:
    """The work, what came back of work invoiced before, and the rest, which makes the sum exact."""
    lines = _work(row, invoice, last)
    if last is not None and (came_back := _refunded_since(row, last)):
        lines.append(Line("Refunds of work invoiced before", -came_back))
    rest = invoice.total - sum(line.amount for line in lines)
    if rest:
        lines.append(Line("Carried over from before" if rest > 0 else "Paid from the balance", rest))
    return lines


def _work(row: Balance, invoice: Invoice, last: Invoice | None) -> list[Line]:
    values: dict[str, str | datetime] = {
        "account": str(row.account_id),
        "unit": row.unit,
        "start": invoice.starts_at,
        "end": invoice.ends_at,
        "issued": last.issued_at if last else datetime.max.replace(tzinfo=UTC),
    }
    with connection.cursor() as cursor:
        cursor.execute(LINES_SQL, values)
        return [
            Line(description, amount, model, operation, quantity)
            for model, operation, description, quantity, amount in cursor.fetchall()
        ]


def _refunded_since(row: Balance, last: Invoice) -> int:
    """Micros that came back since the last invoice of work that was on it or on an earlier one."""
    back = Transaction.objects.filter(
        account_id=row.account_id,
        kind="refund",
        unit=row.unit,
        created_at__gt=last.issued_at,
        charge__authorized_at__lt=last.ends_at,
        charge__finished_at__lte=last.issued_at,
    )
    return int(back.aggregate(total=Sum("amount"))["total"] or 0)
