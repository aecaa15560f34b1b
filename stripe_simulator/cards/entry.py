"""Card details as somebody enters them: what Stripe refuses before it asks any bank."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from stripe_simulator.cards.numbers import TestCard, card, named, passes_luhn
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError, missing_object, missing_param

_LAST_TWO_DIGIT_YEAR = 100
_FURTHEST_YEARS = 50


@dataclass(frozen=True)
class EnteredCard:
    card: TestCard
    exp_month: int
    exp_year: int
    cvc: str | None
    token: bool = False


def _refused(code: str, message: str, param: str) -> StripeError:
    return StripeError(message, status=402, type="card_error", code=code, param=param)


def entered(given: Json, now: int, prefix: str = "card") -> EnteredCard:
    """From `card[number]` and the rest, or from `card[token]`. Raises StripeError."""
    if given.get("token"):
        return from_token(given["token"], now, f"{prefix}[token]")
    for name in ("number", "exp_month", "exp_year"):
        if given.get(name) is None:
            raise missing_param(f"{prefix}[{name}]")
    number = re.sub(r"[\s-]", "", given["number"])
    if not re.fullmatch(r"\d{12,19}", number, re.ASCII) or not passes_luhn(number):
        raise _refused("incorrect_number", "Your card number is incorrect.", "number")
    month = _number(given["exp_month"], "exp_month", "invalid_expiry_month", "month")
    year = _number(given["exp_year"], "exp_year", "invalid_expiry_year", "year")
    year = _checked_expiry(month, year, now)
    cvc = given.get("cvc")
    found = card(number)
    if cvc is not None and not re.fullmatch(r"\d{4}" if found.brand == "amex" else r"\d{3}", cvc, re.ASCII):
        raise _refused("invalid_cvc", "Your card's security code is invalid.", "cvc")
    return EnteredCard(found, month, year, cvc)


def _number(value: str | int, param: str, code: str, word: str) -> int:
    """Tokens take the expiry as text, payment methods as a number."""
    if not re.fullmatch(r"\d{1,4}", str(value), re.ASCII):
        raise _refused(code, f"Your card's expiration {word} is invalid.", param)
    return int(value)


def from_token(token: str, now: int, param: str) -> EnteredCard:
    """`tok_visa`, `pm_card_visa` and the like: a card that expires in the same month of the year after."""
    found = named(token)
    if found is None:
        raise missing_object("token", token, param=param, status=400)
    moment = datetime.fromtimestamp(now, UTC)
    return EnteredCard(found, moment.month, moment.year + 1, None, token=True)


def _checked_expiry(month: int, year: int, now: int) -> int:
    """The year in four digits."""
    today = datetime.fromtimestamp(now, UTC)
    full = year + 2000 if 0 <= year < _LAST_TWO_DIGIT_YEAR else year
    if not 1 <= month <= 12:
        raise _refused("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    if not today.year <= full <= today.year + _FURTHEST_YEARS:
        raise _refused("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    if (full, month) < (today.year, today.month):
        raise _refused("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    return full


def fingerprint(number: str) -> str:
    """The same for every use of one number; sixteen characters like Stripe's."""
    return hashlib.sha256(number.encode()).hexdigest()[:16]
