"""Billing periods, counted from an anchor. Pure: moments in, moments out, all UTC.

Every period is computed from the anchor itself and not from the period before it, so that a subscription begun on
31 January is renewed on 28 (or 29) February and on 31 March again.
"""

from datetime import UTC, datetime

from billing.services.validity import add_months


def period(anchor: datetime, number: int) -> tuple[datetime, datetime]:
    """Start (included) and end (not included) of the period of this number; 0 is the first."""
    return add_months(anchor, number), add_months(anchor, number + 1)


def number_at(anchor: datetime, moment: datetime) -> int:
    """The number of the period a moment lies in; 0 for moments before the anchor."""
    anchor, moment = anchor.astimezone(UTC), moment.astimezone(UTC)
    months = (moment.year - anchor.year) * 12 + moment.month - anchor.month
    return max(0, months if add_months(anchor, max(months, 0)) <= moment else months - 1)


def month_of(moment: datetime) -> datetime:
    """Midnight UTC of the first day of the calendar month a moment lies in."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
