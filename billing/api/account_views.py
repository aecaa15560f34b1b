"""A customer's own account: balance, history, auto-recharge, spending limit, top-ups."""

import hashlib
import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from accounts.models import BillingAccount
from billing.api import answers
from billing.api.errors_of import errors
from billing.api.history_views import known_by
from billing.api.http import key_header, ok, once
from billing.api.schemas import AutoRechargeBody, BalanceQuery, SpendingLimitBody, TopupBody, UsageQuery
from billing.api.security import CustomerAuth, caller
from billing.ledger import balances, clock
from billing.selectors import api as selectors
from billing.selectors import api_history, as_of
from billing.selectors.limits import chosen
from billing.services import auto_recharge, key_limits, limits, topups
from catalog import snapshot
from catalog.pricing.units import Amount

router = Router(auth=CustomerAuth(), tags=["Account"])


@router.get("/balance", response={200: answers.Balance | answers.BalanceAsOf, **errors()}, summary="Balance")
def balance(request: HttpRequest, query: Query[BalanceQuery]) -> HttpResponse:
    """What the account has, what of it is set aside, and the terms it is used under.

    With `as_of`, what it had at that instant: `account`, `unit`, `as_of`, `balance`, `held`, `credit_limit`, `available`,
    `transactions`.
    """
    identity = caller(request)
    if query.as_of is not None:
        known_by("as_of", query.as_of, clock.now())
        account_id = _account_id(request)
        return ok(api_history.as_of_body(account_id, as_of.standing(account_id, query.as_of)))
    terms = snapshot.current().terms(identity.profile)
    return ok(selectors.balance_body(selectors.standing(_account_id(request)), identity, terms))


@router.get("/usage", response={200: answers.Usage, **errors()}, summary="Transactions")
def usage(request: HttpRequest, query: Query[UsageQuery]) -> HttpResponse:
    """The history, newest first. `from` is included, `to` is not."""
    return ok(
        selectors.usage(
            _account_id(request),
            kind=query.type,
            model=query.model,
            since=query.from_,
            until=query.to,
            cursor=query.cursor,
            limit=query.limit,
        )
    )


@router.get("/auto-recharge", response={200: answers.AutoRecharge, **errors()}, summary="Auto-recharge")
def get_auto_recharge(request: HttpRequest) -> HttpResponse:
    """How the account tops itself up; off, with the profile's figures, until it is set."""
    terms = snapshot.current().terms(caller(request).profile)
    return ok(selectors.auto_recharge_body(selectors.auto_recharge(_account_id(request)), terms))


@router.put(
    "/auto-recharge",
    response={200: answers.AutoRecharge, **errors(403, 409)},
    summary="Set auto-recharge",
)
def put_auto_recharge(request: HttpRequest, body: AutoRechargeBody) -> HttpResponse:
    """`threshold` in the account's unit, `amount` and `monthly_cap` in its cash currency.

    Switching it on ends a pause. Without a saved card it waits for one (`pause_reason` is `no_card`). A key under a
    limit of its own cannot change it.
    """
    account = _account(request)
    key_limits.refuse_limited(account.pk, caller(request).key_id)
    terms = snapshot.current().terms(account.profile)
    cash = terms.cash_currency
    auto_recharge.configure(
        account=account,
        enabled=body.enabled,
        threshold=body.threshold,
        amount=Amount(body.amount, cash),
        monthly_cap=None if body.monthly_cap is None else Amount(body.monthly_cap, cash),
    )
    return ok(selectors.auto_recharge_body(selectors.auto_recharge(account.pk), terms))


@router.get("/spending-limit", response={200: answers.SpendingLimit, **errors()}, summary="Spending limit")
def get_spending_limit(request: HttpRequest) -> HttpResponse:
    """The most that may be accepted in a calendar month (UTC), and what was so far."""
    return ok(_limit(_account_id(request)))


@router.put(
    "/spending-limit", response={200: answers.SpendingLimit, **errors(403)}, summary="Set the spending limit"
)
def put_spending_limit(request: HttpRequest, body: SpendingLimitBody) -> HttpResponse:
    """`limit` in the account's unit; null takes it away. With `mode` `hard` what would pass it is refused, holds
    included; with `alert` nothing is. Without `mode` it stays what it is, and is hard at first. A key under a limit of
    its own cannot change it.
    """
    account_id = _account_id(request)
    key_limits.refuse_limited(account_id, caller(request).key_id)
    mode = body.mode or chosen(balances.of(account_id))[1]
    limits.set_spending_limit(account_id, body.limit, body.currency, mode=mode)
    return ok(_limit(account_id))


@router.post("/topups", response={200: answers.Topup, **errors(409)}, summary="Start a top-up")
def start_topup(request: HttpRequest, body: TopupBody) -> HttpResponse:
    """Opens a payment page for an amount of cash. The credits are there once it is paid."""
    account, key = _account(request), key_header(request)

    def start() -> dict[str, str]:
        payment = topups.start(
            account=account,
            cash=Amount(body.amount, body.currency.upper()),
            return_url=f"{settings.PORTAL_BASE_URL}/credits/return",
            cancel_url=f"{settings.PORTAL_BASE_URL}/credits/add",
            request_key=None if key is None else _request_key(request, key),
        )
        return {"checkout_url": payment.checkout_url}

    return once(request, start, atomic=False)


def _request_key(request: HttpRequest, key: str) -> str:
    """The payment's own key: the caller's, made so short that it fits and so long that no two meet."""
    return "api:" + hashlib.sha256(f"{caller(request).key_id}:{key}".encode()).hexdigest()


def _limit(account_id: uuid.UUID) -> dict[str, object]:
    standing = balances.of(account_id)
    return selectors.limit_body(standing.unit, *chosen(standing), standing.spent, clock.now())


def _account(request: HttpRequest) -> BillingAccount:
    return BillingAccount.objects.get(pk=_account_id(request))


def _account_id(request: HttpRequest) -> uuid.UUID:
    account_id = caller(request).account_id
    if account_id is None:
        raise ValueError("a customer's key has an account")
    return account_id
