"""What a piece of work would cost this customer, and whether they could have it now. Changes nothing."""

from typing import Any

from billing.ledger import balances
from billing.ledger.balances import BalanceView
from billing.selectors.identities import Identity
from billing.services import charges
from billing.services.charges import Wanted
from catalog import snapshot
from catalog.pricing import gates
from catalog.pricing.types import Quote
from catalog.pricing.units import micros_to_text


def estimate(customer: Identity, wanted: Wanted) -> dict[str, Any]:
    """The estimate with its lines, and what would be left. Raises NotOffered, InvalidRequest.

    ``closed`` says why a gate keeps the account from it although it has a price.
    """
    priced, _ = charges.quote(customer, wanted)
    if customer.account_id is None:
        raise ValueError("an estimate is for an account")
    standing = balances.of(customer.account_id)
    plan = snapshot.current().terms(customer.profile).plan(customer.plan)
    closed = gates.refusal(priced, plan) or gates.balance_refusal(priced, standing.available)
    return {
        **charges.estimate_body(priced),
        "requires_confirmation": priced.requires_confirmation,
        "sufficient": closed is None and _covers(standing, priced),
        "available_after": micros_to_text(standing.available - priced.micros),
        "closed": closed,
    }


def _covers(standing: BalanceView, priced: Quote) -> bool:
    within = standing.spend_limit is None or standing.spent + priced.micros <= standing.spend_limit
    return within and standing.available >= priced.micros
