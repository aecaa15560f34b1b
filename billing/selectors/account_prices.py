"""What one account pays: the price list with its offers, its lock and its plan's gates."""

from datetime import datetime
from typing import Any

from django.utils.timezone import now

from billing.selectors import offers
from billing.selectors.api import instant
from billing.selectors.identities import Identity
from catalog.pricing.units import decimal_to_text
from catalog.selectors import public_pricing

Document = dict[str, Any]


def account_pricing(
    customer: Identity, at: datetime | None = None, *, only_available: bool = False
) -> Document:
    """The account's prices in the shape of ``GET /v1/pricing``, now or at another moment.

    ``agreements`` are its offers that count then, ``locked_until`` when a version it keeps is let go. Raises
    snapshot.UnknownProfile.
    """
    moment = at or now()
    terms = offers.terms_of(customer.account_id, customer.profile, customer.mode, moment)
    document = public_pricing(
        customer.profile,
        mode=customer.mode,
        plan=customer.plan or None,
        discounts=terms.discounts,
        only_available=only_available,
        at=at,
        book=terms.book if terms.lock is not None else None,
    )
    last = terms.lock.last_moment() if terms.lock is not None else None
    return {
        **document,
        "locked_until": None if last is None else instant(last),
        "agreements": [
            {
                "name": offer.label,
                "percent": decimal_to_text(offer.percent),
                "price": None if offer.price is None else decimal_to_text(offer.price),
                "models": sorted(offer.models),
                "operations": sorted(offer.operations),
            }
            for offer in terms.discounts
        ],
    }
