"""Amounts as people read them: grouped and signed by locale, exact to the last digit, never through a float.

Pure: micros, unit and locale in, text out. The template tag is in ``templatetags/money.py``.
"""

import re
from dataclasses import dataclass

from django.utils.formats import get_format

from catalog.pricing.errors import InvalidAmount
from catalog.pricing.rounding import MICRO, minor_from_micros
from catalog.pricing.units import CREDIT, minor_exponent, parse_micros

MINUS = "\N{MINUS SIGN}"
NARROW_SPACE = "\N{NO-BREAK SPACE}"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CHF": "CHF", "CAD": "CA$", "AUD": "A$"}
# Languages that write the currency sign before the number; the others write it after.
SIGN_FIRST = frozenset({"en", "ja", "zh", "ko", "th", "he", "tr", "nl"})


@dataclass(frozen=True, slots=True)
class MoneyParts:
    """An amount cut where the design changes ink: sign, currency sign, whole part, fraction, unit."""

    sign: str
    symbol: str
    whole: str
    fraction: str
    unit: str
    symbol_first: bool

    def __str__(self) -> str:
        number = f"{self.whole}{self.fraction}"
        if self.unit:
            return f"{self.sign}{number}{NARROW_SPACE}{self.unit}"
        if not self.symbol:
            return f"{self.sign}{number}"
        if self.symbol_first:
            space = NARROW_SPACE if self.symbol[-1].isalpha() else ""
            return f"{self.sign}{self.symbol}{space}{number}"
        return f"{self.sign}{number}{NARROW_SPACE}{self.symbol}"


def symbol(unit: str) -> str:
    """The sign of a currency, or its code; nothing for credits."""
    return "" if unit == CREDIT else SYMBOLS.get(unit, unit)


def parts(
    micros: int,
    unit: str,
    locale: str = "en",
    *,
    signed: bool = False,
    bare: bool = False,
    short: bool = False,
    rounded: bool = False,
) -> MoneyParts:
    """The pieces of an amount of ``micros`` millionths of ``unit`` ("USD", "credit").

    ``signed`` shows a plus too, ``bare`` leaves the unit to the column's heading, ``short`` drops ".00",
    ``rounded`` rounds to the currency's smallest unit (credits: to a hundredth) for forecasts and charts.
    """
    least = 0 if unit == CREDIT else minor_exponent(unit)
    if rounded:
        digits = 2 if unit == CREDIT else least
        micros = minor_from_micros(micros, digits) * (MICRO // 10**digits)
    whole, rest = divmod(abs(micros), MICRO)
    fraction = f"{rest:06d}".rstrip("0")
    if fraction or not short:
        fraction = fraction.ljust(least, "0")
    return MoneyParts(
        sign=MINUS if micros < 0 else "+" if signed and micros > 0 else "",
        symbol="" if bare else symbol(unit),
        whole=_grouped(whole, locale),
        fraction=_format("DECIMAL_SEPARATOR", locale) + fraction if fraction else "",
        unit=_credits(micros) if unit == CREDIT and not bare else "",
        symbol_first=locale.split("-")[0] in SIGN_FIRST,
    )


def money_text(
    micros: int,
    unit: str,
    locale: str = "en",
    *,
    signed: bool = False,
    bare: bool = False,
    short: bool = False,
    rounded: bool = False,
) -> str:
    """The amount as one text: "$1,284.20", "1.284,20 €", "312.5 credits"; see ``parts`` for the switches."""
    return str(parts(micros, unit, locale, signed=signed, bare=bare, short=short, rounded=rounded))


def count_text(number: int, locale: str = "en") -> str:
    """A whole number, grouped by locale."""
    return _grouped(number, locale)


def share_text(millionths: int, locale: str = "en") -> str:
    """A share given in millionths as percent, rounded half up to a tenth: "3.2%"; in German "3,2 %"."""
    tenths = (abs(millionths) + 500) // 1_000
    whole, tenth = divmod(tenths, 10)
    space = "" if locale.split("-")[0] in SIGN_FIRST else NARROW_SPACE
    sign = MINUS if millionths < 0 and tenths else ""
    return f"{sign}{_grouped(whole, locale)}{_format('DECIMAL_SEPARATOR', locale)}{tenth}{space}%"


def typed_micros(text: str, locale: str = "en") -> int:
    """Micros of an amount as somebody typed it: "1,000", "$25", "12.50", in German "1.000,50 €".

    Raises InvalidAmount for anything else; signs other than the currency's are not taken.
    """
    point, comma = (
        re.escape(_format("DECIMAL_SEPARATOR", locale)),
        re.escape(_format("THOUSAND_SEPARATOR", locale)),
    )
    typed = text.strip().strip("".join(SYMBOLS.values())).strip()
    found = re.fullmatch(
        rf"([0-9]{{1,3}}(?:{comma}[0-9]{{3}})+|[0-9]{{1,12}})(?:{point}([0-9]{{1,6}}))?", typed, re.ASCII
    )
    if found is None:
        raise InvalidAmount("Enter an amount such as " + f"12{_format('DECIMAL_SEPARATOR', locale)}50.")
    whole = re.sub(comma, "", found[1])
    return parse_micros(f"{whole}.{found[2]}" if found[2] else whole)


def _credits(micros: int) -> str:
    return "credit" if abs(micros) == MICRO else "credits"


def _grouped(number: int, locale: str) -> str:
    return f"{number:,}".replace(",", _format("THOUSAND_SEPARATOR", locale))


def _format(name: str, locale: str) -> str:
    return str(get_format(name, lang=locale, use_l10n=True))
