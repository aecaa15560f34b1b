"""Cash amounts: integers in a currency's smallest unit."""

from decimal import Decimal

from stripe_simulator.wire.errors import StripeError, invalid, invalid_integer

_ZERO_DECIMAL = frozenset({
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "ugx", "vnd", "vuv", "xaf", "xof",
    "xpf",
})  # fmt: skip
_THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
_TWO_DECIMAL = frozenset({
    "usd", "eur", "gbp", "aud", "brl", "cad", "chf", "cny", "czk", "dkk", "hkd", "huf", "ils", "inr", "mxn",
    "myr", "nok", "nzd", "php", "pln", "ron", "sek", "sgd", "thb", "try", "twd", "zar", "aed", "bgn", "ars",
    "cop", "egp", "idr", "isk", "kes", "mad", "ngn", "pen", "qar", "sar", "uah", "uyu",
})  # fmt: skip
_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥", "cad": "CA$", "aud": "A$", "chf": "CHF "}
_LEAST = {
    "usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "chf": 50, "cad": 50, "aud": 50, "sek": 300, "dkk": 250,
    "nok": 300, "pln": 200, "czk": 1500, "huf": 17500, "mxn": 1000, "hkd": 400, "sgd": 50, "nzd": 50,
    "ron": 200,
}  # fmt: skip
_MOST = 99_999_999


def digits(currency: str) -> int:
    """How many decimals the currency's main unit has."""
    return 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2


def shown(amount: int, currency: str) -> str:
    """`$25.00`, `€5.00`, `¥500`, `25.00 SEK`."""
    places = digits(currency)
    text = f"{Decimal(abs(amount)).scaleb(-places):,.{places}f}"
    sign = "-" if amount < 0 else ""
    symbol = _SYMBOLS.get(currency)
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency.upper()}"


def checked_currency(currency: str, param: str = "currency") -> str:
    """In lower case. Raises StripeError for one that Stripe does not support."""
    known = currency.lower()
    if known not in _ZERO_DECIMAL | _THREE_DECIMAL | _TWO_DECIMAL:
        supported = ", ".join(sorted(_TWO_DECIMAL | _ZERO_DECIMAL | _THREE_DECIMAL))
        message = f"Invalid currency: {currency}. Stripe currently supports these currencies: {supported}"
        raise invalid(message, param=param)
    return known


def checked_charge(amount: int, currency: str, param: str = "amount") -> int:
    """Raises StripeError for an amount that cannot be charged."""
    if amount < 0:
        raise invalid_integer(param, "Invalid positive integer")
    if amount < 1:
        raise invalid_integer(param, "This value must be greater than or equal to 1.")
    if amount > _MOST:
        raise invalid(
            f"Amount must be no more than {shown(_MOST, currency)}", param=param, code="amount_too_large"
        )
    least = _LEAST.get(currency, 1)
    if amount < least:
        raise too_small(least, currency, param)
    return amount


def too_small(least: int, currency: str, param: str) -> StripeError:
    return invalid(
        f"Amount must be at least {shown(least, currency)} {currency}", param=param, code="amount_too_small"
    )
