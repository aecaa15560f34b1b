"""How lines of the history look: the tone of a kind, long references shortened."""

from typing import Final

from django import template

from billing.ledger import reports
from billing.ledger.models import Charge, Kind, Transaction
from billing.money_text import parts
from billing.selectors.stories import phase_words
from billing.templatetags.money import viewer_locale

register = template.Library()

TONES: Final[dict[str, str]] = {
    Kind.EXPIRY: "warn",
    Kind.DISPUTE: "bad",
}
LONGEST_REFERENCE: Final = 16


@register.simple_tag
def kind_tone(row: Transaction) -> str:
    """Green for money in, amber and red for what lapsed or is disputed, neutral for the rest."""
    if row.kind in TONES:
        return TONES[row.kind]
    return "ok" if row.amount > 0 else ""


@register.simple_tag(takes_context=True)
def reported(context: template.Context, charge: Charge) -> str:
    """What was reported of work that goes on, and what it comes to; nothing where nothing was."""
    earned = reports.earned(charge.reports)
    if earned is None:
        return ""
    phases = ", ".join(phase_words(phase, charge) for phase in reports.phases(charge.reports))
    return f"Reported so far: {phases}; comes to {parts(earned, charge.unit, viewer_locale(context))}"


@register.filter
def short_reference(text: str) -> str:
    """A reference that fits its column: the head and the tail of a long one; a dash for none."""
    if len(text) <= LONGEST_REFERENCE:
        return text or "–"
    return f"{text[:8]}…{text[-4:]}"
