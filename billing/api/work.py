"""From request bodies to what the charges service takes; used by the lane and the views alike."""

from collections.abc import Mapping

from billing.api import calls
from billing.api.schemas import AuthorizeBody, EstimateBody, SettleBody
from billing.errors import Forbidden, NotFound
from billing.selectors import identities
from billing.selectors.identities import Handle, Identity
from billing.services.charges import ROUTING, Caller
from billing.services.deliveries import Result
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
    return Result(outputs=body.outputs, cost=body.cost, routing=routing, partial=body.partial)


def caller_of(service: Identity, key: str | None, digest: str) -> Caller:
    """The service that asks, with its Idempotency-Key."""
    return Caller(service_key=service.key_id, idem=key, hash=digest if key is not None else None)


def handle_of(body: AuthorizeBody) -> Handle | None:
    """What the customer a body names is found by; None where nobody can be."""
    if body.customer.api_key:
        return identities.key_handle(body.customer.api_key)
    return parse_id("acct", body.customer.account)


def customer_of(body: AuthorizeBody) -> Identity:
    """The customer a body names, looked up now. Raises as ``customer_among``."""
    handle = handle_of(body)
    customer = customer_among(body, handle, {} if handle is None else identities.find([handle]))
    calls.about(customer.account_id)
    return customer


def customer_among(body: AuthorizeBody, handle: Handle | None, found: Mapping[Handle, Identity]) -> Identity:
    """The customer a body names, among who was found. Raises Unauthorized, Forbidden, NotFound for a wrong account id."""
    customer = None if handle is None else found.get(handle)
    if customer is None:
        raise unknown_key() if body.customer.api_key else NotFound("There is no such account.")
    if customer.account_id is None:
        raise Forbidden("This is a service key; a customer pays with a key that starts bpk_.")
    return customer
