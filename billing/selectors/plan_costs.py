"""What an account's last 30 days would have cost under another plan or way to pay: settled charges priced again.

Equal charges are added up in the database, so that each shape is priced once. Outputs are those that were
delivered; the account's own agreements apply. Only the newest charges are looked at where there are very many, and
the figure is then for as long as they cover, stretched to 30 days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.ledger import exact_json
from billing.selectors import offers
from catalog.pricing import engine, gates
from catalog.pricing.errors import PricingError
from catalog.pricing.types import Quote
from catalog.terms import Plan, Terms

PERIOD: Final = timedelta(days=30)
MOST_CHARGES: Final = 20_000
_SQL: Final = """
SELECT model, operation, parameters::text, outputs::text, count(*), min(authorized_at)
  FROM (SELECT model, operation, parameters, outputs, authorized_at FROM ledger_charge
         WHERE account_id = %(account)s AND status = 'settled' AND authorized_at >= %(since)s AND model <> 'commitment'
         ORDER BY id DESC LIMIT %(most)s) newest
 GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """Charges that asked for the same and got the same."""

    model: str
    operation: str
    parameters: Mapping[str, Any]
    outputs: Mapping[str, Any]
    charges: int


@dataclass(frozen=True, slots=True)
class LastDays:
    """The settled work of the last 30 days. ``covered`` is shorter only where there is more than is looked at."""

    shapes: tuple[Shape, ...]
    covered: timedelta

    @property
    def charges(self) -> int:
        return sum(shape.charges for shape in self.shapes)

    @property
    def is_part(self) -> bool:
        return self.covered < PERIOD

    def stretched(self, micros: int) -> int:
        """A sum over what was looked at, for 30 days."""
        if not self.is_part:
            return micros
        return micros * int(PERIOD.total_seconds()) // max(1, int(self.covered.total_seconds()))


@dataclass(frozen=True, slots=True)
class Cost:
    """``micros`` of cash in 30 days, or None where it cannot be had this way at any price.

    ``fee`` of it is the plan's, ``beyond`` micros of the unit exceed what the plan includes, ``refused`` charges
    would not have been available.
    """

    micros: int | None
    fee: int
    beyond: int
    refused: int


def last_days(account: BillingAccount, moment: datetime | None = None) -> LastDays:
    """The work an account paid for lately."""
    moment = moment or now()
    values: dict[str, Any] = {"account": account.pk, "since": moment - PERIOD, "most": MOST_CHARGES}
    with connection.cursor() as cursor:
        cursor.execute(_SQL, values)
        rows = cursor.fetchall()
    shapes = tuple(
        Shape(model, operation, _read(parameters), _read(outputs), charges)
        for model, operation, parameters, outputs, charges, _ in rows
    )
    full = sum(shape.charges for shape in shapes) < MOST_CHARGES
    oldest = min((row[5] for row in rows), default=moment)
    return LastDays(shapes, PERIOD if full else min(PERIOD, max(moment - oldest, timedelta(minutes=1))))


def under_plan(account: BillingAccount, plan: Plan, terms: Terms, days: LastDays) -> Cost:
    """The plan's price, and what its credits do not cover bought at the price of credits."""
    needed, refused = _priced(account, "subscription", plan, days)
    beyond = max(0, days.stretched(needed) - plan.credits)
    micros: int | None = plan.price
    if beyond:
        can_buy = terms.topup.enabled and (terms.credit_price is not None or terms.unit != "credit")
        micros = plan.price + terms.cash_for(beyond).micros if can_buy else None
    return Cost(None if refused == days.charges else micros, plan.price, beyond, refused)


def under_mode(account: BillingAccount, mode: str, terms: Terms, days: LastDays) -> Cost:
    """Each piece of work at the price of a way to pay without a plan; credits at what they cost."""
    needed, refused = _priced(account, mode, None, days)
    micros = days.stretched(needed)
    if terms.unit_for(mode) == terms.unit:
        micros = terms.cash_for(micros).micros
    return Cost(None if refused == days.charges else micros, 0, 0, refused)


def _priced(account: BillingAccount, mode: str, plan: Plan | None, days: LastDays) -> tuple[int, int]:
    """What all shapes cost, and how many charges would have been refused."""
    mine = offers.terms_of(account.pk, account.profile, mode, now())
    total = refused = 0
    counted: dict[str, int] = {}
    for shape in days.shapes:
        quote = _quote(mine, shape)
        if quote is None or gates.refusal(quote, plan) is not None:
            refused += shape.charges
            continue
        fits = shape.charges
        if (most := gates.monthly_allowance(quote, plan)) is not None and quote.gate.monthly_limit:
            used = counted.get(quote.gate.monthly_limit, 0)
            fits = max(0, min(shape.charges, most - used))
            counted[quote.gate.monthly_limit] = used + fits
        refused += shape.charges - fits
        total += quote.micros * fits
    return total, refused


def _quote(mine: offers.Terms, shape: Shape) -> Quote | None:
    discounts = mine.covering(shape.model, shape.operation)
    try:
        return engine.effective(
            mine.book, shape.model, shape.operation, shape.parameters, shape.outputs, discounts=discounts
        )
    except PricingError:
        return None


def _read(text: str | None) -> Mapping[str, Any]:
    found = exact_json.loads(text) if text else None
    return found if isinstance(found, Mapping) else {}
