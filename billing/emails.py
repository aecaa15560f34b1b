"""Mail about money: receipts, what became of an automatic recharge, and notices. Sent from the outbox, HTML
with a text twin.
"""

import uuid
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.erasure import is_erased
from accounts.models import BillingAccount, Membership, Role, User
from billing import outbox
from billing.models import AutoRecharge, Invoice, Notice, Payment, PriceNotice
from billing.money_text import count_text, parts
from catalog import snapshot
from catalog.pricing.units import Amount, from_minor

NOTICE_AMOUNTS: Final = ("limit", "spent", "required", "left", "balance", "mark", "amount")
NOTICE_DAYS: Final = ("resets", "day")

MAILS: Final = (
    *("receipt", "recharge_failed", "recharge_paused", "recharge_action", "recharge_capped"),
    *("price_change", "price_change_withdrawn"),
    "invoice",
)
"""Each is a message kind ``email.<name>`` and three templates in ``emails/billing``; so is each kind of Notice."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Writes numbers as one reader does."""

    locale: str

    def amount(self, amount: Amount) -> str:
        return str(parts(amount.micros, amount.unit, self.locale))

    def count(self, number: int) -> str:
        return count_text(number, self.locale)


def send(name: str, payload: outbox.Payload) -> None:
    """Write to the account's address, or for a notice ``to`` one of its readers. ``payload``: ``account`` and,
    where the mail is about one, ``payment`` or ``price_notice``; a notice's ``facts``.
    """
    account = BillingAccount.objects.get(pk=uuid.UUID(payload["account"]))
    to = payload.get("to", account.email)
    if is_erased(to):
        return
    reader = Reader(_locale(to, account))
    context = _context(account, reader) | {"email": to} | _facts(payload.get("facts", {}), reader)
    if "payment" in payload:
        context |= _about(Payment.objects.get(pk=uuid.UUID(payload["payment"])), reader)
    if "price_notice" in payload:
        context |= _about_prices(PriceNotice.objects.get(pk=uuid.UUID(payload["price_notice"])), reader)
    if "invoice" in payload:
        context |= _about_invoice(Invoice.objects.get(pk=uuid.UUID(payload["invoice"])), reader)
    template = f"emails/billing/{name}"
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    mail = EmailMultiAlternatives(
        subject, render_to_string(f"{template}.txt", context).strip() + "\n", to=[to]
    )
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    mail.send()


for _name in (*MAILS, *Notice.Kind.values):
    outbox.handles(f"email.{_name}")(partial(send, _name))


def _context(account: BillingAccount, reader: Reader) -> dict[str, Any]:
    recharge = AutoRecharge.objects.filter(pk=account.pk).first()
    terms = snapshot.current().terms(account.profile)
    cap = None
    if recharge is not None and recharge.monthly_cap_minor is not None:
        cap = from_minor(recharge.monthly_cap_minor, recharge.currency)
    return {
        "brand": settings.BRAND_NAME,
        "email": account.email,
        "account": account,
        "cap": reader.amount(cap) if cap else "",
        "retry_at": recharge.next_attempt_at if recharge else None,
        "valid_months": terms.validity.months if terms.validity else None,
        "recharge_offered": terms.auto_recharge is not None,
        "settings_url": f"{settings.PORTAL_BASE_URL}/auto-recharge",
        "limits_url": f"{settings.PORTAL_BASE_URL}/limits",
        "keys_url": f"{settings.PORTAL_BASE_URL}/keys",
        "notices_url": f"{settings.PORTAL_BASE_URL}/settings#notices",
        "add_credits_url": f"{settings.PORTAL_BASE_URL}/credits/add",
    }


def _facts(facts: dict[str, Any], reader: Reader) -> dict[str, Any]:
    """A notice's facts as a mail says them: amounts with their unit, days as dates."""
    amounts = {
        name: reader.amount(Amount.parse(facts[name], facts["unit"]))
        for name in NOTICE_AMOUNTS
        if name in facts
    }
    days = {name: date.fromisoformat(facts[name]) for name in NOTICE_DAYS if name in facts}
    return facts | amounts | days


def _about(payment: Payment, reader: Reader) -> dict[str, Any]:
    return {
        "payment": payment,
        "cash": reader.amount(payment.cash),
        "tax": reader.amount(from_minor(payment.tax_minor, payment.currency)) if payment.tax_minor else "",
        "total": reader.amount(payment.total),
        "credits": reader.amount(Amount(payment.credits, payment.unit)),
        "reason": payment.failure_message or "The card was declined.",
        "action_url": payment.action_url,
    }


def _about_invoice(invoice: Invoice, reader: Reader) -> dict[str, Any]:
    return {
        "invoice": invoice,
        "due": reader.amount(invoice.due),
        "invoice_url": f"{settings.PORTAL_BASE_URL}/invoices/{invoice.public_id}",
    }


def _about_prices(notice: PriceNotice, reader: Reader) -> dict[str, Any]:
    change = notice.after - notice.before
    return {
        "starts": notice.announcement.book.effective_at,
        "before": reader.amount(Amount(notice.before, notice.unit)),
        "after": reader.amount(Amount(notice.after, notice.unit)),
        "change": f"{reader.amount(Amount(abs(change), notice.unit))} {'more' if change > 0 else 'less'}"
        if change
        else "",
        "charges": reader.count(notice.charges),
        "refused": reader.count(notice.refused) if notice.refused else "",
        "since": notice.since,
        "until": notice.until,
        "pricing_url": f"{settings.PORTAL_BASE_URL}/pricing",
    }


def _locale(to: str, account: BillingAccount) -> str:
    """How numbers are written: as on the pages of whoever has the address, else of the account's first owner."""
    known = User.objects.filter(email__iexact=to).values_list("locale", flat=True).first()
    owners = Membership.objects.filter(account=account, role=Role.OWNER).order_by("pk")
    return known or owners.values_list("user__locale", flat=True).first() or "en"
