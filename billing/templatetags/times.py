"""``{% when moment %}``: a time in the viewer's zone, with UTC on hover."""

from datetime import UTC, datetime

from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timezone import localtime, now

register = template.Library()


@register.simple_tag
def when(moment: datetime | None, style: str = "time") -> str:
    """``style``: "time" (Nov 20, 09:41), "date" (Nov 20), "long" (20 November 2026, 09:41)."""
    if moment is None:
        return ""
    local = localtime(moment)
    this_year = local.year == localtime(now()).year
    patterns = {
        "time": "M j, H:i" if this_year else "M j Y, H:i",
        "date": "M j" if this_year else "M j, Y",
        "long": "j F Y, H:i",
    }
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        date_format(local, patterns[style]),
    )
