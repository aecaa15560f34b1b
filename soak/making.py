"""Short ways to open accounts and move credits, for races, random operations and kills."""

import uuid
from typing import Any, Final

from accounts.models import ApiKey, BillingAccount
from billing.ledger import balances, grants, holds
from billing.ledger.holds import FinishRequest, Outcome, PlaceRequest
from billing.ledger.models import Charge, Transaction
from billing.models import Payment
from config.ids import new_id

CREDIT: Final = 1_000_000


def account(credits: int = 0, *, credit_limit: int = 0, lots: int = 1, **fields: Any) -> uuid.UUID:
    """An account with so many credits, in as many equal grants as ``lots``."""
    made = BillingAccount.objects.create(
        **{
            "name": "Northwind",
            "email": "pay@northwind.example",
            "profile": "ads",
            "unit": "credit",
            **fields,
        }
    )
    balances.open_row(made.pk, unit=made.unit, credit_limit=credit_limit * CREDIT)
    for _ in range(lots if credits else 0):
        give(made.pk, credits // lots)
    return made.pk


def give(account_id: uuid.UUID, credits: int, **fields: Any) -> Transaction:
    """Credits as a top-up under a key of its own."""
    given = {
        "source": "topup",
        "kind": "topup",
        "description": "Given",
        "key": f"soak:{new_id().hex}",
        **fields,
    }
    return grants.add(account_id=account_id, micros=credits * CREDIT, **given)


def take(account_id: uuid.UUID, credits: int, **fields: Any) -> Transaction:
    """Credits taken back as an adjustment."""
    taken = {"kind": "adjustment", "description": "Taken", "key": f"soak:{new_id().hex}", **fields}
    return grants.withdraw(account_id=account_id, micros=credits * CREDIT, **taken)


def wanted(account_id: uuid.UUID, credits: int, **fields: Any) -> PlaceRequest:
    work = {"model": "static", "operation": "generate", "description": "Work", "ttl": 600, **fields}
    return PlaceRequest(account=account_id, amount=credits * CREDIT, **work)


def hold(account_id: uuid.UUID, credits: int, **fields: Any) -> Outcome:
    return holds.place([wanted(account_id, credits, **fields)])[0]


def held(account_id: uuid.UUID, credits: int, **fields: Any) -> uuid.UUID:
    """A hold that must fit; its charge."""
    outcome = hold(account_id, credits, **fields)
    assert outcome["code"] in ("authorized", "settled"), outcome
    return uuid.UUID(outcome["id"])


def end(charge_id: uuid.UUID, action: str, credits: int | None = None, **fields: Any) -> Outcome:
    cost = None if credits is None else credits * CREDIT
    return holds.finish([FinishRequest(id=charge_id, action=action, cost=cost, **fields)])[0]


def standing(account_id: uuid.UUID) -> tuple[int, int, int]:
    """Balance, held and available in whole credits."""
    view = balances.of(account_id)
    return view.balance // CREDIT, view.held // CREDIT, view.available // CREDIT


def status(charge_id: uuid.UUID) -> str:
    return Charge.objects.values_list("status", flat=True).get(pk=charge_id)


def kinds(account_id: uuid.UUID) -> dict[str, int]:
    """How many transactions of each kind the account has."""
    counted: dict[str, int] = {}
    for kind in Transaction.objects.filter(account_id=account_id).values_list("kind", flat=True):
        counted[kind] = counted.get(kind, 0) + 1
    return counted


def service_key() -> uuid.UUID:
    from accounts.keys import create_service_key

    return create_service_key("Studio")[0].pk


def customer_key(account_id: uuid.UUID) -> ApiKey:
    from accounts.keys import create_key

    return create_key(account=BillingAccount.objects.get(pk=account_id), name="Key")[0]


def payment(account_id: uuid.UUID, *, credits: int = 250, **fields: Any) -> Payment:
    """A top-up that Stripe has been asked for."""
    made = {
        "purpose": "topup",
        "route": "checkout",
        "status": "submitted",
        "cash_minor": credits * 10,
        "currency": "USD",
        "unit": "credit",
        "stripe_customer_id": f"cus_{account_id.hex}",
        **fields,
    }
    return Payment.objects.create(account_id=account_id, credits=credits * CREDIT, **made)


def expire_later(account_id: uuid.UUID) -> int:
    """Post what has lapsed by a little later than now."""
    import time

    time.sleep(0.005)
    return grants.expire(account_id)
