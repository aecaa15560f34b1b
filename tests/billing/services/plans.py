"""Accounts with plans on the profiles ``toon`` and ``sites``, opened at a moment the test chooses."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import BillingAccount
from billing.ledger import balances, clock, grants
from billing.ledger.models import Transaction
from billing.models import Subscription
from billing.services import reconciliation
from billing.services.accounts import open_account
from catalog import snapshot
from catalog.models import Plan
from tests import price_lists
from tests.billing.ledger.conftest import CREDIT, at

AGES = ("holds_in_time", "outbox_sent", "periods_renewed")
"""How long something waits, which a clock that is moved gets wrong."""
START = datetime(2027, 1, 31, 10, tzinfo=UTC)


def load() -> None:
    """The three profiles, as they are bundled."""
    price_lists.load("toon", "sites", "gateway")
    snapshot.refresh()


@pytest.fixture
def profiles(db: None) -> Iterator[None]:
    """Profiles ``toon``, ``sites`` and ``gateway``; the ledger's clock stands at START, the books are in order after."""
    load()
    at(START)
    yield
    found = {finding.name: finding.examples for finding in reconciliation.run() if finding.breaches}
    broken = {name: examples for name, examples in found.items() if name not in AGES}
    assert not broken, broken
    snapshot.expire()


def account(profile: str, **options: Any) -> BillingAccount:
    """A new account, opened at the ledger's present moment."""
    made = open_account(name="Acme", email="pay@acme.example", profile=profile, **options)
    BillingAccount.objects.filter(pk=made.pk).update(created_at=clock.now())
    made.refresh_from_db()
    return made


def buy(payer: BillingAccount, credits: int, source: str = "topup") -> None:
    """Credits that are not the plan's."""
    grants.add(
        account_id=payer.pk, micros=credits * CREDIT, source=source, kind=source, description="Bought",
        key=f"test:{uuid.uuid4()}",
    )  # fmt: skip


def has(payer: BillingAccount) -> int:
    """What it can spend, in whole units."""
    return balances.of(payer.pk).available // CREDIT


def running(payer: BillingAccount) -> Subscription:
    return Subscription.objects.get(account=payer, status__in=Subscription.LIVE)


def history(payer: BillingAccount) -> list[tuple[str, int]]:
    """Kind and whole units of every transaction, oldest first."""
    rows = Transaction.objects.filter(account_id=payer.pk).order_by("seq")
    return [(row.kind, row.amount // CREDIT if row.amount % CREDIT == 0 else row.amount) for row in rows]


def edit_plan(profile: str, slug: str, **fields: object) -> None:
    Plan.objects.filter(profile_id=profile, slug=slug).update(**fields)
    snapshot.refresh()
