"""Mail about money: receipts and what became of an automatic recharge. Sent from the outbox, HTML with a
text twin.
"""

import uuid
from functools import partial
from typing import Any, Final

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from accounts.models import BillingAccount
from billing import outbox
from billing.models import AutoRecharge, Payment
from billing.money_text import parts
from catalog.pricing.units import Amount, from_minor

MAILS: Final = ("receipt", "recharge_failed", "recharge_paused", "recharge_action", "recharge_capped")
"""Each is a message kind ``email.<name>`` and three templates in ``emails/billing``."""


def send(name: str, payload: outbox.Payload) -> None:
    """Write to the account's address. ``payload``: ``account`` and, where the mail is about one,
    ``payment``.
    """
    account = BillingAccount.objects.get(pk=uuid.UUID(payload["account"]))
    context = _context(account)
    if "payment" in payload:
        context |= _about(Payment.objects.get(pk=uuid.UUID(payload["payment"])))
    template = f"emails/billing/{name}"
    subject = " ".join(render_to_string(f"{template}_subject.txt", context).split())
    mail = EmailMultiAlternatives(
        subject, render_to_string(f"{template}.txt", context).strip() + "\n", to=[account.email]
    )
    mail.attach_alternative(render_to_string(f"{template}.html", context), "text/html")
    mail.send()


for _name in MAILS:
    outbox.handles(f"email.{_name}")(partial(send, _name))


def _context(account: BillingAccount) -> dict[str, Any]:
    recharge = AutoRecharge.objects.filter(pk=account.pk).first()
    cap = None
    if recharge is not None and recharge.monthly_cap_minor is not None:
        cap = from_minor(recharge.monthly_cap_minor, recharge.currency)
    return {
        "brand": settings.BRAND_NAME,
        "email": account.email,
        "account": account,
        "cap": _text(cap) if cap else "",
        "retry_at": recharge.next_attempt_at if recharge else None,
        "settings_url": f"{settings.PORTAL_BASE_URL}/auto-recharge",
        "add_credits_url": f"{settings.PORTAL_BASE_URL}/credits/add",
    }


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


def _text(amount: Amount) -> str:
    return str(parts(amount.micros, amount.unit))
