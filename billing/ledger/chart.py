"""The chart of accounts and the kinds of transaction: which movement goes where.

Every transaction has one customer line and one line on the other side; the table says which side that is.
A reversal uses the same pair with the sign turned round.
"""

from typing import Final

CUSTOMER: Final = "customer"
STRIPE_CLEARING: Final = "stripe_clearing"
PROMOTIONS: Final = "promotions"
REVENUE: Final = "revenue"
BREAKAGE: Final = "breakage"
RECEIVABLES: Final = "receivables"
DISPUTES: Final = "disputes"
SET_ASIDE: Final = "set_aside"
BANK: Final = "bank"

COUNTERPART: Final[dict[str, str]] = {
    "topup": STRIPE_CLEARING,
    "auto_recharge": STRIPE_CLEARING,
    "bonus": PROMOTIONS,
    "trial": PROMOTIONS,
    "plan_grant": PROMOTIONS,
    "adjustment": PROMOTIONS,
    "usage": REVENUE,
    "refund": REVENUE,
    "expiry": BREAKAGE,
    "reset": BREAKAGE,
    "dispute": DISPUTES,
    "invoice": RECEIVABLES,
}
"""Kind of transaction → the ledger account that stands opposite the customer.

``refund`` gives a charge back (revenue → customer); a purchase paid back to the card is a ``refund`` whose
caller names ``stripe_clearing`` as the other side. What an account leaves in a unit it is no longer counted in is an
``adjustment`` against ``set_aside`` (``units.py``). A paid invoice moves
what was owed from ``receivables`` to ``bank``, beside the customer's balance (``receivables.py``).
"""
