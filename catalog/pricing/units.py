"""Amounts: an integer number of micro-units and the unit they are counted in.

One credit, one US dollar and one euro are each 1,000,000 micros. A unit is an ISO 4217 currency code
(``"USD"``) or ``"credit"``. Texts are plain decimal strings: ``"12.5"``, ``"0.061"``, ``"5"``.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from catalog.pricing.errors import InvalidAmount, UnitMismatch
from catalog.pricing.rounding import EXACT, MICRO, minor_from_micros

CREDIT = "credit"
_AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", re.ASCII)
# Currencies whose smallest unit is the currency itself, by Stripe's list of zero-decimal currencies.
ZERO_DECIMAL = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"}
    | {"PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"}
)


def micros_to_text(micros: int) -> str:
    """A plain decimal string without trailing zeros: 12_500_000 -> "12.5"."""
    if micros < 0:
        return f"-{micros_to_text(-micros)}"
    whole, fraction = divmod(micros, MICRO)
    return f"{whole}.{fraction:06d}".rstrip("0") if fraction else str(whole)


def parse_micros(text: str) -> int:
    """Micros of a plain decimal string, ``-?`` 12 digits ``.`` 6 digits, ASCII only. Raises InvalidAmount."""
    if not isinstance(text, str) or _AMOUNT.fullmatch(text) is None:
        raise InvalidAmount("An amount is a plain decimal string such as 12.5, with at most six decimals.")
    whole, _, fraction = text.lstrip("-").partition(".")
    micros = int(whole) * MICRO + int(fraction.ljust(6, "0") or 0)
    return -micros if text.startswith("-") else micros


def micros_to_decimal(micros: int) -> Decimal:
    """The amount in whole units, exactly."""
    return Decimal(micros).scaleb(-6, EXACT)


def decimal_to_micros(value: Decimal) -> int:
    """Micros of an exact amount in whole units. Raises InvalidAmount when finer than a micro."""
    if not value.is_finite():
        raise InvalidAmount(f"{value} is not an amount.")
    micros = value.scaleb(6, EXACT)
    if micros != micros.to_integral_value():
        raise InvalidAmount(f"{value} is finer than a millionth of a unit.")
    return int(micros)


def decimal_to_text(value: Decimal) -> str:
    """A plain decimal string without exponent or trailing zeros, for prices finer than a micro too."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact amount. Sums and comparisons of two units raise UnitMismatch."""

    micros: int
    unit: str

    @classmethod
    def parse(cls, text: str, unit: str) -> "Amount":
        """The amount a plain decimal string names, in ``unit``. Raises InvalidAmount."""
        return cls(parse_micros(text), unit)

    @classmethod
    def of(cls, value: Decimal, unit: str) -> "Amount":
        """The amount of an exact decimal, in ``unit``. Raises InvalidAmount when finer than a micro."""
        return cls(decimal_to_micros(value), unit)

    @property
    def decimal(self) -> Decimal:
        return micros_to_decimal(self.micros)

    def __str__(self) -> str:
        return micros_to_text(self.micros)

    def __bool__(self) -> bool:
        return self.micros != 0

    def __neg__(self) -> "Amount":
        return Amount(-self.micros, self.unit)

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.micros + self._same_unit(other), self.unit)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.micros - self._same_unit(other), self.unit)

    def __lt__(self, other: "Amount") -> bool:
        return self.micros < self._same_unit(other)

    def __le__(self, other: "Amount") -> bool:
        return self.micros <= self._same_unit(other)

    def __gt__(self, other: "Amount") -> bool:
        return self.micros > self._same_unit(other)

    def __ge__(self, other: "Amount") -> bool:
        return self.micros >= self._same_unit(other)

    def _same_unit(self, other: "Amount") -> int:
        if other.unit != self.unit:
            raise UnitMismatch(self.unit, other.unit)
        return other.micros


def minor_exponent(currency: str) -> int:
    """Decimals of a currency's minor unit as Stripe counts it: 2, or 0 for the zero-decimal ones."""
    return 0 if currency.upper() in ZERO_DECIMAL else 2


def minor_units(amount: Amount) -> int:
    """Stripe's integer for a cash amount (cents; yen for JPY). Raises InvalidAmount for a fraction of it."""
    _currency(amount.unit)
    minor = minor_from_micros(amount.micros, minor_exponent(amount.unit))
    if from_minor(minor, amount.unit) != amount:
        raise InvalidAmount(f"{amount} {amount.unit} is not a whole number of the currency's smallest unit.")
    return minor


def from_minor(minor: int, currency: str) -> Amount:
    """The cash amount behind Stripe's integer; Stripe writes currencies in lower case, we in upper."""
    return Amount(minor * (MICRO // 10 ** minor_exponent(currency)), _currency(currency))


def _currency(unit: str) -> str:
    code = unit.upper()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise InvalidAmount(f"{unit!r} is not a currency.")
    return code
