"""``{% money micros unit %}``: the one way pages show an amount.

Switches: ``signed`` (+ and −, money in is green), ``bare`` (no unit), ``short`` (no ".00"), ``rounded``,
``plain`` (text without markup, for attributes). ``{% cash minor currency %}`` takes Stripe's integer.
"""

from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.money_text import NARROW_SPACE, MoneyParts, count_text, parts, share_text, symbol
from catalog.pricing.units import from_minor
from catalog.terms import Terms

register = template.Library()


def locale_of(request: HttpRequest | None) -> str:
    """The signed-in user's locale; English for anyone else."""
    return getattr(getattr(request, "user", None), "locale", "") or "en"


def viewer_locale(context: Context) -> str:
    """The locale of whoever the page is rendered for."""
    return locale_of(context.get("request"))


@register.simple_tag(takes_context=True)
def money(context: Context, micros: int, unit: str, *, plain: bool = False, **switches: Any) -> str:
    """An amount in micros of ``unit``; see ``billing.money_text.parts`` for the switches."""
    amount = parts(micros, unit, viewer_locale(context), **switches)
    return str(amount) if plain else _markup(amount, incoming=bool(switches.get("signed")) and micros > 0)


@register.simple_tag(takes_context=True)
def cash(context: Context, minor: int, currency: str, *, plain: bool = False, **switches: Any) -> str:
    """A cash amount in the currency's smallest unit (cents), as Stripe counts."""
    amount = from_minor(minor, currency)
    return money(context, amount.micros, amount.unit, plain=plain, **switches)


@register.simple_tag(takes_context=True)
def count(context: Context, number: int) -> str:
    """A whole number, grouped by the viewer's locale."""
    return count_text(number, viewer_locale(context))


@register.simple_tag(takes_context=True)
def share(context: Context, millionths: int) -> str:
    """A share as percent with one digit: "3.2%"."""
    return share_text(millionths, viewer_locale(context))


@register.simple_tag(takes_context=True)
def cash_of(context: Context, terms: Terms, micros: int, **switches: Any) -> str:
    """What so many micros of the profile's unit cost to buy."""
    worth = terms.cash_for(micros)
    return money(context, worth.micros, worth.unit, **switches)


@register.simple_tag
def currency_symbol(unit: str) -> str:
    """The sign before a money input; nothing for credits."""
    return symbol(unit)


def _markup(amount: MoneyParts, *, incoming: bool) -> SafeString:
    symbol = format_html('<span class="money-sign">{}</span>', amount.symbol) if amount.symbol else ""
    cents = format_html('<span class="money-cents">{}</span>', amount.fraction) if amount.fraction else ""
    unit = (
        format_html('<span class="money-unit">{}{}</span>', NARROW_SPACE, amount.unit) if amount.unit else ""
    )
    before, after = (symbol, "") if amount.symbol_first else ("", symbol)
    space = NARROW_SPACE if after or (before and amount.symbol[-1].isalpha()) else ""
    return format_html(
        '<span class="money{}">{}{}{}{}{}{}{}{}</span>',
        " money-in" if incoming else "",
        amount.sign,
        before,
        space if before else "",
        amount.whole,
        cents,
        space if after else "",
        after,
        unit,
    )
