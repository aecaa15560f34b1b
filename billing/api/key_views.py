"""Whose key is this, for the generation service before it starts work; and what each key may spend, for customers."""

from django.http import HttpRequest, HttpResponse
from ninja import Router

from accounts.models import ApiKey, BillingAccount
from billing.api import answers
from billing.api.errors_of import errors
from billing.api.http import ok, once
from billing.api.schemas import KeyLimitsBody, VerifyBody
from billing.api.security import CustomerAuth, ServiceAuth, caller
from billing.errors import NotFound
from billing.ledger import clock
from billing.selectors import api as selectors
from billing.selectors import identities
from billing.selectors import keys as key_selectors
from billing.services import key_limits
from catalog.pricing.units import micros_to_text
from config.ids import parse_id, public_id

router = Router(auth=ServiceAuth(), tags=["Keys"])


@router.post("/keys/verify", response={200: answers.KeyCheck, **errors(409)}, summary="Verify a key")
def verify(request: HttpRequest, body: VerifyBody) -> HttpResponse:
    """Whether a customer's key works now, and whose it is. Nothing is said of keys that do not."""
    return once(request, lambda: _checked(body.api_key))


@router.get("/keys", auth=CustomerAuth(), response={200: answers.Keys, **errors()}, summary="Keys and limits")
def list_keys(request: HttpRequest) -> HttpResponse:
    """Every API key of the account with what it may spend and has spent, running jobs included."""
    account = _account(request)
    rows = key_selectors.rows(account)
    return ok({"data": [_key(row, account.unit) for row in rows], "next_cursor": None})


@router.put(
    "/keys/{key_id}/limit",
    auth=CustomerAuth(),
    response={200: answers.KeyLimits, **errors(403, 404, 409)},
    summary="Limit a key",
)
def put_key_limit(request: HttpRequest, key_id: str, body: KeyLimitsBody) -> HttpResponse:
    """What the key may spend a calendar month (UTC) and in all, counting what it has spent before; null is no limit.

    Keys of one rotation spend the same limits.
    What would pass one is refused with `spending_limit_reached`. A key under a limit of its own cannot change limits.
    """
    account, wanted = _account(request), parse_id("key", key_id)
    key = ApiKey.objects.filter(pk=wanted, account=account).first() if wanted else None
    if key is None:
        raise NotFound("There is no such key.")
    key_limits.set_limits(
        key, monthly=body.monthly_limit, budget=body.total_budget, asked_by=caller(request).key_id
    )
    row = next(row for row in key_selectors.rows(account) if row.key.pk == key.pk)
    return ok(_key(row, account.unit))


def _key(row: key_selectors.KeyRow, unit: str) -> dict[str, object]:
    monthly, budget = (None, None) if row.limit is None else (row.limit.monthly, row.limit.budget)
    return {
        "id": row.key.public_id,
        "name": row.key.name,
        "prefix": row.key.prefix,
        "last4": row.key.last4,
        "status": row.state,
        "unit": unit,
        "monthly_limit": None if monthly is None else micros_to_text(monthly),
        "total_budget": None if budget is None else micros_to_text(budget),
        "spent_this_month": micros_to_text(row.spent.month),
        "spent_in_all": micros_to_text(row.spent.total),
        "limited_with": [other.public_id for other in row.together],
        "resets_at": selectors.instant(selectors.next_month(clock.now())),
    }


def _account(request: HttpRequest) -> BillingAccount:
    account_id = caller(request).account_id
    if account_id is None:
        raise ValueError("a customer's key has an account")
    return BillingAccount.objects.get(pk=account_id)


def _checked(text: str) -> dict[str, object]:
    found = identities.by_key(text)
    if found is None or found.account_id is None:
        return {"valid": False, "account": None, "plan": None, "mode": None}
    return {
        "valid": True,
        "account": public_id("acct", found.account_id),
        "plan": found.plan or None,
        "mode": found.mode,
    }
