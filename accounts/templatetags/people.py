"""Small turns of phrase for pages about people."""

import re

from django import template
from django.forms import BoundField

register = template.Library()

# The first that matches wins: every browser also claims to be the ones below it.
BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Samsung Internet", r"SamsungBrowser/"),
    ("Firefox", r"(Firefox|FxiOS)/"),
    ("Chrome", r"(Chrome|CriOS|HeadlessChrome)/"),
    ("Safari", r"Safari/"),
)
SYSTEMS = (
    ("iPhone", r"iPhone"),
    ("iPad", r"iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("ChromeOS", r"CrOS"),
    ("Linux", r"Linux"),
)


@register.filter
def browser(user_agent: str) -> str:
    """ "Firefox on Windows", or the first words of what the browser says about itself."""
    name, system = _first(BROWSERS, user_agent), _first(SYSTEMS, user_agent)
    if name and system:
        return f"{name} on {system}"
    return name or system or user_agent[:40] or "Unknown browser"


@register.filter
def plain(field: BoundField) -> BoundField:
    """A field of allauth's as this house shows it: no placeholder, its label in sentence case."""
    field.field.widget.attrs.pop("placeholder", None)
    field.label = field.label[:1].upper() + field.label[1:].lower()
    return field


def _first(table: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in table if re.search(pattern, text)), "")
