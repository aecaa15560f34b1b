"""How lines of the history look: the tone of a kind, long references shortened."""

from typing import Final

from django import template

from billing.ledger.models import Kind, Transaction

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


@register.filter
def short_reference(text: str) -> str:
    """A reference that fits its column: the head and the tail of a long one; a dash for none."""
    if len(text) <= LONGEST_REFERENCE:
        return text or "–"
    return f"{text[:8]}…{text[-4:]}"
