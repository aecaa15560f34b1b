"""Every rounding of money in the product is in this file.

Sums and products are exact; rounding happens only where an amount is finer than what can be recorded
(a micro-unit) or charged (a currency's minor unit), or where a price list says so (derived rates).
All of it rounds half up, away from zero, as price lists and invoices do.
"""

from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow

# Wide enough that no product of a price (<= 27 digits) and a quantity (<= 18 digits) is ever inexact;
# if one were, the trap raises instead of losing a digit.
EXACT = Context(prec=80, rounding=ROUND_HALF_UP, traps=[Inexact, InvalidOperation, Overflow])
_HALF_UP = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation, Overflow])
_ONE = Decimal(1)
MICRO = 1_000_000


def half_up(value: Decimal, step: Decimal) -> Decimal:
    """``value`` rounded half up to a multiple of ``step`` (0.0615, step 0.001 -> 0.062)."""
    steps = _HALF_UP.divide(value, step).quantize(_ONE, context=_HALF_UP)
    return EXACT.multiply(steps, step)


def to_micros(value: Decimal) -> int:
    """The whole micro-units nearest to ``value`` units, halves away from zero."""
    return int(value.scaleb(6, EXACT).quantize(_ONE, context=_HALF_UP))


def quotient_micros(value: Decimal, divisor: Decimal) -> int:
    """The whole micro-units nearest to ``value / divisor`` units, halves away from zero."""
    return int(_HALF_UP.divide(value.scaleb(6, EXACT), divisor).quantize(_ONE, context=_HALF_UP))


def whole_units_up(micros: int) -> int:
    """The next whole unit, in micros: for amounts that are proposed to people, never for what is charged."""
    return -(-micros // MICRO) * MICRO


def share_up(micros: int, part: int, whole: int = MICRO) -> int:
    """A part of a whole (of a million) of an amount, up to the next micro: for what is held, never for what is charged."""
    return -(-micros * part // whole)


def minor_from_micros(micros: int, exponent: int) -> int:
    """Minor units of a currency with ``exponent`` decimals nearest to ``micros``, halves away from zero."""
    divisor: int = MICRO // 10**exponent
    sign = -1 if micros < 0 else 1
    return sign * ((abs(micros) + divisor // 2) // divisor)
