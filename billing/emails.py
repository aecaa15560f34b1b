"""Mail about money: receipts, what became of an automatic recharge, and notices. Sent from the outbox, HTML
with a text twin.
"""

import uuid
from datetime import date
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.models import BillingAccount
from billing import outbox
from billing.models import AutoRecharge, Invoice, Notice, Payment, PriceNotice
from billing.money_text import parts
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


def send(name: str, payload: outbox.Payload) -> None:
    """Write to the account's address, or for a notice ``to`` one of its readers. ``payload``: ``account`` and,
    where the mail is about one, ``payment`` or ``price_notice``; a notice's ``facts``.
    """
    account = BillingAccount.objects.get(pk=uuid.UUID(payload["account"]))
    to = payload.get("to", account.email)
    context = _context(account) | {"email": to} | _facts(payload.get("facts", {}))
    if "payment" in payload:
        context |= _about(Payment.objects.get(pk=uuid.UUID(payload["payment"])))
    if "price_notice" in payload:
        context |= _about_prices(PriceNotice.objects.get(pk=uuid.UUID(payload["price_notice"])))
    if "invoice" in payload:
        context |= _about_invoice(Invoice.objects.get(pk=uuid.UUID(payload["invoice"])))
    template = f"emails/billing/{name}"
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    mail = EmailMultiAlternatives(
        subject, render_to_string(f"{template}.txt", context).strip() + "\n", to=[to]
    )
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    mail.send()


for _name in (*MAILS, *Notice.Kind.values):
    outbox.handles(f"email.{_name}")(partial(send, _name))


def _context(account: BillingAccount) -> dict[str, Any]:
    recharge = AutoRecharge.objects.filter(pk=account.pk).first()
    terms = snapshot.current().terms(account.profile)
    cap = None
    if recharge is not None and recharge.monthly_cap_minor is not None:
        cap = from_minor(recharge.monthly_cap_minor, recharge.currency)
    return {
        "brand": settings.BRAND_NAME,
        "email": account.email,
        "account": account,
        "cap": _text(cap) if cap else "",
        "retry_at": recharge.next_attempt_at if recharge else None,
        "valid_months": terms.validity.months if terms.validity else None,
        "recharge_offered": terms.auto_recharge is not None,
        "settings_url": f"{settings.PORTAL_BASE_URL}/auto-recharge",
        "limits_url": f"{settings.PORTAL_BASE_URL}/limits",
        "keys_url": f"{settings.PORTAL_BASE_URL}/keys",
        "notices_url": f"{settings.PORTAL_BASE_URL}/settings#notices",
        "add_credits_url": f"{settings.PORTAL_BASE_URL}/credits/add",
    }


def _facts(facts: dict[str, Any]) -> dict[str, Any]:
    """A notice's facts as a mail says them: amounts with their unit, days as dates."""
    amounts = {
        name: _text(Amount.parse(facts[name], facts["unit"])) for name in NOTICE_AMOUNTS if name in facts
    }
    days = {name: date.fromisoformat(facts[name]) for name in NOTICE_DAYS if name in facts}
    return facts | amounts | days


def _about(payment: Payment) -> dict[str, Any]:
    return {
        "payment": payment,
        "cash": _text(payment.cash),
        "tax": _text(from_minor(payment.tax_minor, payment.currency)) if payment.tax_minor else "",
        "total": _text(payment.total),
        "credits": _text(Amount(payment.credits, payment.unit)),
        "reason": payment.failure_message or "The card was declined.",
        "action_url": payment.action_url,
    }


def _about_invoice(invoice: Invoice) -> dict[str, Any]:
    return {
        "invoice": invoice,
        "due": _text(invoice.due),
        "invoice_url": f"{settings.PORTAL_BASE_URL}/invoices/{invoice.public_id}",
    }


def _about_prices(notice: PriceNotice) -> dict[str, Any]:
    change = notice.after - notice.before
    return {
        "starts": notice.announcement.book.effective_at,
        "before": _text(Amount(notice.before, notice.unit)),
        "after": _text(Amount(notice.after, notice.unit)),
        "change": f"{_text(Amount(abs(change), notice.unit))} {'more' if change > 0 else 'less'}"
        if change
        else "",
        "charges": notice.charges,
        "refused": notice.refused,
        "since": notice.since,
        "until": notice.until,
        "pricing_url": f"{settings.PORTAL_BASE_URL}/pricing",
    }


def _text(amount: Amount) -> str:
    return str(parts(amount.micros, amount.unit))
