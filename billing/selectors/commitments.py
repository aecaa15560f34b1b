"""What a customer who committed to a number of requests a month owes for each that is missing."""

from datetime import datetime

from billing.models import Offer
from billing.selectors import offers
from catalog import snapshot
from catalog.pricing import engine
from catalog.pricing.errors import PricingError

MODEL = "commitment"
OPERATION = "shortfall"
"""Under these the charge for a shortfall stands; nothing that is priced has them, so it counts for no offer."""


def missing_price(offer: Offer, moment: datetime) -> int:
    """Micros for each missing request: the lowest price of what the offer covers, as agreed; 0 where all is free.

    Raises snapshot.UnknownProfile.
    """
    account = offer.account
    terms = offers.terms_of(account.pk, account.profile, account.mode, moment)
    prices = []
    for model, operation in snapshot.current().sold(terms.book):
        if not offer.covers(model, operation):
            continue
        try:
            quote = engine.estimate(
                terms.book, model, operation, {}, discounts=terms.covering(model, operation)
            )
        except PricingError:
            continue
        prices.append(quote.micros)
    return min((micros for micros in prices if micros > 0), default=0)
