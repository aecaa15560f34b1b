"""How long credits stay good: the profile says so (profile ``images``: 12 months from the last paid top-up, for
the whole balance).

Only a paid top-up moves that clock. Bonuses, trials and what support gives do not; neither does a payment that
failed, and one that was given back in full takes its reset back. A part of it given back leaves a paid top-up.
"""

import calendar
import uuid
from datetime import datetime

from accounts.models import BillingAccount
from billing.ledger import clock, grants
from billing.ledger.models import Transaction
from billing.models import Payment
from catalog import snapshot


def paid_expiry(profile: str, paid_at: datetime) -> datetime | None:
    """When credits bought at this moment lapse, and with them the whole balance; None: never."""
    validity = snapshot.current().terms(profile).validity
    return add_months(paid_at, validity.months) if validity else None


def good_until(account: BillingAccount) -> datetime | None:
    """When the account's whole balance lapses as things are; None: there is no clock, or it has run out."""
    moment = _clock_of(account)
    return moment if moment is not None and moment > clock.now() else None


def follow(account_id: uuid.UUID) -> None:
    """Set the balance's expiry by the account's last paid top-up, after one was given back or was not after all."""
    account = BillingAccount.objects.get(pk=account_id)
    if snapshot.current().terms(account.profile).validity is not None:
        grants.extend_all(account_id, _clock_of(account))


def _clock_of(account: BillingAccount) -> datetime | None:
    if snapshot.current().terms(account.profile).validity is None:
        return None
    paid = Payment.objects.filter(account=account, status=Payment.Status.SUCCEEDED)
    for payment in paid.order_by("-finished_at", "-id").prefetch_related("reversals"):
        if not payment.is_given_back:
            return _set_by(payment)
    return None


def _set_by(payment: Payment) -> datetime | None:
    """To when a paid top-up set the clock: its transaction has noted that, exactly."""
    posted = Transaction.objects.get(pk=payment.transaction_id) if payment.transaction_id else None
    noted = posted.details.get("good_until") if posted else None
    if noted is not None:
        return datetime.fromisoformat(noted)
    return paid_expiry(payment.account.profile, payment.finished_at) if payment.finished_at else None


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time so many months on; the last day of a month that is too short (31 Jan → 28
    Feb).
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
