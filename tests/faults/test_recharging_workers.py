"""Workers killed while they charge a card: the card is charged once, and what was charged is credited once."""

import signal
import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils.timezone import now
from stripe import StripeClient

from billing.models import AutoRecharge, Payment
from billing.services import payments
from config import broker
from soak import books, making, workers
from soak.crew import Crew
from soak.races.recharges import low_account
from soak.simulator import point_at, simulator
from soak.workers import RECHARGE_POINTS, Queue, until
from soak.world import World

pytestmark = pytest.mark.slow


def a_while_later() -> None:
    """What was begun is as old as a payment that Stripe would know of by now, and due to be looked up."""
    earlier = now() - payments.LOST_AFTER - timedelta(seconds=1)
    Payment.objects.update(created_at=earlier, submitted_at=earlier)
    Payment.objects.filter(status__in=Payment.IN_FLIGHT).update(next_check_at=now())
    AutoRecharge.objects.update(next_attempt_at=None)


def unfinished(accounts: list[uuid.UUID]) -> list[uuid.UUID]:
    """Those whose credits are not in, or who have a payment under way."""
    under_way = Payment.objects.filter(status__in=Payment.IN_FLIGHT).values_list("account_id", flat=True)
    return [
        account
        for account in accounts
        if making.standing(account) != (260, 0, 260) or account in set(under_way)
    ]


def judge(accounts: list[uuid.UUID]) -> list[str]:
    at_stripe = StripeClient(settings.STRIPE_SECRET_KEY, base_addresses={"api": settings.STRIPE_API_HOST})
    intents = at_stripe.v1.payment_intents.list({"limit": 100}).data
    paid = sorted(intent.metadata["account"] for intent in intents if intent.status == "succeeded")
    wrong = books.broken()
    if paid != sorted(f"acct_{account.hex}" for account in accounts):
        wrong.append(f"charged: {paid}")
    for account in accounts:
        if (kinds := making.kinds(account)) != {"topup": 1, "auto_recharge": 1}:
            wrong.append(f"{account}: {kinds}")
    return wrong


def test_a_card_is_charged_once_though_the_worker_dies(world: World) -> None:
    sweeps = ("billing.sweep_payments", "billing.sweep_recharges")
    with simulator() as stripe, world.scratch("recharging") as database, Crew(database, 1) as crew:
        crew.ask(0, broker.install)
        crew.ask(0, point_at, stripe)
        accounts = []
        for name, point in RECHARGE_POINTS.items():
            accounts.append(crew.ask(0, low_account))
            crew.ask(0, workers.send, database, f"billing.recharge {accounts[-1]}")
            assert workers.worker(database, point, stripe=stripe).ended() == -signal.SIGKILL, name
        last = workers.worker(database, stripe=stripe)
        queue = Queue(database)
        for _ in range(2):  # what never reached Stripe is given up first, and charged anew then
            crew.ask(0, a_while_later)
            crew.ask(0, workers.send, database, *sweeps)
            until(lambda: not queue.tasks, "every message acknowledged")
        until(lambda: not crew.ask(0, unfinished, accounts), "all credits are in")
        last.kill()
        assert crew.ask(0, judge, accounts) == []
