"""How long bought credits stay good: the profile says so (profile ``images``: 12 months from the last
top-up).
"""

import calendar
from datetime import datetime

from catalog import snapshot


def paid_expiry(profile: str, paid_at: datetime) -> datetime | None:
    """When credits bought at this moment lapse, and with them the whole balance; None: never."""
    validity = snapshot.current().terms(profile).validity
    return add_months(paid_at, validity.months) if validity else None


def add_months(moment: datetime, months: int) -> datetime:
    """The same day and time so many months on; the last day of a month that is too short (31 Jan → 28
    Feb).
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
