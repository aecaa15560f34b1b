"""The database is an hour old again: what was paid since is found at Stripe, and nothing is credited twice."""

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.utils.timezone import now

from accounts.models import BillingAccount
from billing.services import inbox, payments, topups
from billing.services.accounts import open_account
from billing.webhooks import endpoint
from catalog.pricing.units import Amount
from soak import books, deliveries, making, simulator
from soak.crew import Crew
from soak.world import Database, World

pytestmark = pytest.mark.slow


@pytest.fixture
def stripe_url() -> Iterator[str]:
    with simulator.simulator() as url:
        yield url


def open_accounts(count: int) -> list[uuid.UUID]:
    endpoint.set_up()
    return [
        open_account(name="Northwind", email=f"pay{number}@northwind.example", profile="ads").pk
        for number in range(count)
    ]


def pay(accounts: list[uuid.UUID]) -> None:
    """A top-up of 250 credits each, paid on Stripe's page."""
    back = f"{settings.STRIPE_API_HOST}/_sim/health"
    for account in BillingAccount.objects.filter(pk__in=accounts):
        payment = topups.start(
            account=account, cash=Amount.parse("25", "USD"), return_url=back, cancel_url=back
        )
        simulator.pay(payment.checkout_url)


def compare() -> int:
    return payments.compare_recent(since=now() - timedelta(hours=24))


def credits(accounts: list[uuid.UUID]) -> list[int]:
    return [making.standing(account)[0] for account in accounts]


def copy(world: World, source: Database) -> Database:
    name = f"{source.name}_restored"
    with world.cluster.connect() as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source.name}"')
    return Database(source.host, name)


def test_an_hour_old_backup_is_brought_up_to_date_from_stripe(world: World, stripe_url: str) -> None:
    point = partial(simulator.point_at, stripe_url)
    with world.scratch("restore") as lost:
        with Crew(lost, 1, before=point) as crew:
            accounts = crew.ask(0, open_accounts, 6)
            crew.ask(0, pay, accounts[:3])
            crew.ask(0, compare)
            assert crew.ask(0, credits, accounts) == [300] * 3 + [50] * 3
        restored = copy(world, lost)  # the backup, made now and put in place an hour later
        try:
            with Crew(lost, 1, before=point) as crew:
                crew.ask(0, pay, accounts[2:])
                crew.ask(0, compare)
                assert crew.ask(0, credits, accounts) == [300, 300, 550, 300, 300, 300]
            rows = simulator.control(stripe_url, "GET", "events")
            events = [json.dumps(row["event"]) for row in rows if row["event"]["type"] in inbox.EFFECTS]
            with Crew(restored, 3, before=point) as crew:
                assert sum(crew.each(compare)) >= 4, "three look at once"
                assert crew.ask(0, compare) == 0
                assert crew.ask(0, credits, accounts) == [300, 300, 550, 300, 300, 300]
                crew.share(deliveries.deliver, events * 2)
                assert crew.ask(0, credits, accounts) == [300, 300, 550, 300, 300, 300]
                assert crew.ask(0, books.broken) == []
        finally:
            world.drop(restored)
