"""The four endpoints of profile ``toon``, in exactly the shapes its customers' programs know."""

import uuid

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Router

from accounts.models import BillingAccount
from billing.api import answers
from billing.api.errors_of import errors
from billing.api.http import ok, once
from billing.api.schemas import LimitCentsBody
from billing.api.security import CustomerAuth, caller
from billing.ledger import balances, clock
from billing.selectors import subscriptions
from billing.selectors.api import next_month
from billing.selectors.limits import chosen
from billing.services import key_limits, limits
from catalog.pricing.units import micros_to_text

router = Router(auth=CustomerAuth(), tags=["Credits"])


@router.get("/credits/balance", response={200: answers.CreditsBalance, **errors()}, summary="Credits")
def credits_balance(request: HttpRequest) -> HttpResponse:
    """The balance as a number."""
    return ok({"balance": _number(balances.of(_account_id(request)).balance)})


@router.get("/subscription", response={200: answers.Subscription, **errors()}, summary="Subscription")
def subscription(request: HttpRequest) -> HttpResponse:
    """The plan and what is left of its credits; without one, the balance until the end of the calendar month (UTC)."""
    standing = subscriptions.of(BillingAccount.objects.get(pk=_account_id(request)))
    if standing is None or standing.is_paused:
        left, ends = balances.of(_account_id(request)).balance, next_month(clock.now())
        plan, status = None, "none"
    else:
        left, ends = standing.left + standing.once, standing.ends_at
        plan, status = standing.subscription.plan, standing.subscription.status
    return ok(
        {
            "plan": plan,
            "status": status,
            "creditsRemaining": _number(left),
            "currentPeriodEnd": subscriptions.milliseconds(ends),
        }
    )


@router.get("/spending-limit", response={200: answers.LimitCents, **errors(409)}, summary="Limit in cents")
def get_limit(request: HttpRequest) -> HttpResponse:
    """The monthly spending limit in cents, whether it stops requests or only alerts; null for none."""
    identity, (limit, _) = caller(request), chosen(balances.of(_account_id(request)))
    cents = None if limit is None else limits.cents_of_micros(identity.profile, identity.unit, limit)
    return ok({"limitCents": cents})


@router.post(
    "/spending-limit",
    response={200: answers.LimitCentsSet, **errors(403, 409)},
    summary="Set the limit in cents",
)
def set_limit(request: HttpRequest, body: LimitCentsBody) -> HttpResponse:
    """Sets the monthly spending limit: a hard one, which stops requests. A key under a limit of its own cannot."""
    identity = caller(request)

    def change() -> dict[str, object]:
        key_limits.refuse_limited(_account_id(request), identity.key_id)
        micros = limits.micros_of_cents(identity.profile, identity.unit, body.limitCents)
        limits.set_spending_limit(_account_id(request), micros)
        return {"limitCents": body.limitCents, "updated": True}

    return once(request, change)


def _number(micros: int) -> orjson.Fragment:
    """An amount as a JSON number, digit for digit, without a float on the way."""
    return orjson.Fragment(micros_to_text(micros))


def _account_id(request: HttpRequest) -> uuid.UUID:
    account_id = caller(request).account_id
    if account_id is None:
        raise ValueError("a customer's key has an account")
    return account_id
