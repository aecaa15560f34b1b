"""Accounts with a ledger row, and a short way to ask the ledger for holds."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from accounts.models import BillingAccount
from billing.ledger import balances, grants
from billing.ledger.holds import FinishRequest, Outcome, PlaceRequest, finish, place

CREDIT = 1_000_000
OpenAccount = Callable[..., uuid.UUID]


@pytest.fixture
def open_account(db: None) -> OpenAccount:
    """Opens an account with this many credits in one grant without expiry."""

    def open_account(credits: int = 0, *, credit_limit: int = 0) -> uuid.UUID:
        account = BillingAccount.objects.create(
            name="Northwind", email="pay@example.com", profile="ads", unit="credit"
        )
        balances.open_row(account.pk, unit="credit", credit_limit=credit_limit * CREDIT)
        if credits:
            give(account.pk, credits)
        return account.pk

    return open_account


def give(account_id: uuid.UUID, credits: int, **fields: Any) -> None:
    """Grants credits under a key of its own."""
    grants.add(
        account_id=account_id,
        micros=credits * CREDIT,
        description="Given",
        key=f"test:{uuid.uuid4()}",
        **{"source": "topup", "kind": "topup", **fields},
    )


def wanted(account_id: uuid.UUID, credits: int, **fields: Any) -> PlaceRequest:
    """A request for work of this many credits."""
    return PlaceRequest(
        account=account_id,
        amount=credits * CREDIT,
        **{"model": "m", "operation": "generate", "description": "Work", "ttl": 600, **fields},
    )


def hold(account_id: uuid.UUID, credits: int, **fields: Any) -> uuid.UUID:
    """Places one hold that must fit, and names its charge."""
    outcome = place([wanted(account_id, credits, **fields)])[0]
    assert outcome["code"] in ("authorized", "settled"), outcome
    return uuid.UUID(outcome["id"])


def settle(charge_id: uuid.UUID, credits: int, **fields: Any) -> Outcome:
    return finish([FinishRequest(id=charge_id, action="settle", cost=credits * CREDIT, **fields)])[0]


def void(charge_id: uuid.UUID, **fields: Any) -> Outcome:
    return finish([FinishRequest(id=charge_id, action="void", **fields)])[0]


def standing(account_id: uuid.UUID) -> tuple[int, int, int]:
    """Balance, held and available in whole credits."""
    view = balances.of(account_id)
    return view.balance // CREDIT, view.held // CREDIT, view.available // CREDIT


def at(moment: datetime) -> None:
    """Move the ledger's clock for the rest of the test."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.now', %s, true)", [moment.isoformat()])
