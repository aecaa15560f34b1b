"""From request bodies to what the charges service takes; used by the lane and the views alike."""

from billing.api import calls
from billing.api.schemas import AuthorizeBody, EstimateBody, SettleBody
from billing.errors import Forbidden, NotFound
from billing.selectors import identities
from billing.selectors.identities import Identity
from billing.services.charges import ROUTING, Caller, Result
from billing.services.quotes import Wanted
from billing.services.refusals import unknown_key
from config.ids import parse_id


def wanted_of(body: AuthorizeBody | EstimateBody) -> Wanted:
    """The piece of work a body describes."""
    if isinstance(body, EstimateBody):
        return Wanted(model=body.model, operation=body.operation, parameters=body.parameters)
    return Wanted(
        model=body.model,
        operation=body.operation,
        parameters=body.parameters,
        reference=body.reference or "",
        confirm=body.confirm,
    )


def result_of(body: SettleBody) -> Result:
    """What the work turned out to be; where both are given the outputs are kept and the cost counts."""
    routing = {name: value for name in ROUTING if (value := getattr(body, name)) is not None}
    return Result(outputs=body.outputs, cost=body.cost, routing=routing)


def caller_of(service: Identity, key: str | None, digest: str) -> Caller:
    """The service that asks, with its Idempotency-Key."""
    return Caller(service_key=service.key_id, idem=key, hash=digest if key is not None else None)


def customer_of(body: AuthorizeBody) -> Identity:
    """The customer a body names, looked up now. Raises as ``known_customer``, NotFound for a wrong account id."""
    if body.customer.api_key:
        return known_customer(identities.by_key(body.customer.api_key))
    account_id = parse_id("acct", body.customer.account)
    return known_account(None if account_id is None else identities.by_account(account_id))


def known_customer(found: Identity | None) -> Identity:
    """The bearer of the customer's key, if that is what it is. Raises Unauthorized, Forbidden."""
    if found is None:
        raise unknown_key()
    if found.account_id is None:
        raise Forbidden("This is a service key; a customer pays with a key that starts bpk_.")
    calls.about(found.account_id)
    return found


def known_account(found: Identity | None) -> Identity:
    """The account a body names. Raises NotFound."""
    if found is None:
        raise NotFound("There is no such account.")
    calls.about(found.account_id)
    return found
