"""Stripe's events delivered fifty times each, shuffled, by several at once: every payment counts once."""

import json
import random
import time
import uuid
from collections.abc import Sequence
from functools import partial
from typing import Final

import stripe
from django.conf import settings
from django.test import Client

from accounts.models import BillingAccount
from billing.gateways import gateway
from billing.ledger.models import Transaction
from billing.models import Payment, WebhookInbox
from billing.services import inbox, topups
from billing.services.accounts import open_account
from billing.webhooks import endpoint
from catalog.pricing.units import Amount
from soak import books, simulator
from soak.crew import Crew
from soak.intents import never_give_up
from soak.told import Progress, Told, go_on
from soak.world import World

COPIES: Final = 50
PROCESSES: Final = 4
SHARE: Final = 500
"""Deliveries told to a process at a time."""
OF_PAYMENT: Final = 3
OF_REFUND: Final = 2
"""Events with an effect here that a payment and its refund bring."""


def run(world: World, deliveries: int, seed: int, progress: Progress = go_on) -> Told:
    """At least so many deliveries, and what they came to."""
    begun, done = time.monotonic(), 0
    chance = random.Random(seed)  # noqa: S311
    with (
        simulator.simulator() as url,
        world.scratch("deliveries") as database,
        Crew(database, PROCESSES, before=partial(simulator.point_at, url)) as crew,
    ):
        crew.ask(0, endpoint.set_up)
        payments = crew.ask(0, buy, *purchases(-(-deliveries // COPIES)), seed)
        events = [row["event"] for row in simulator.control(url, "GET", "events")]
        everything = [json.dumps(event) for event in events if event["type"] in inbox.EFFECTS] * COPIES
        chance.shuffle(everything)
        answers: list[int] = []
        goes_on = True
        while goes_on and done < len(everything):
            some = everything[done : done + SHARE]
            answers += crew.share(deliver, some)
            done += len(some)
            goes_on = progress(done)
        rest = sorted(set(everything[done:]) - set(everything[:done]))
        answers += crew.share(deliver, rest)
        breaches = crew.ask(0, judge, payments)
    odd = {status for status in answers if status not in (200, 409, 500, 503)}
    return Told(
        done + len(rest),
        breaches + [f"answered {status}" for status in sorted(odd)],
        time.monotonic() - begun,
    )


def purchases(events: int) -> tuple[int, int]:
    """How many payments, about a third of them refunded, bring so many events."""
    for payments in range(events // OF_PAYMENT * 9 // 11, events):
        if (left := events - OF_PAYMENT * payments) % OF_REFUND == 0 and left // OF_REFUND <= payments:
            return payments, max(0, left // OF_REFUND)
    return events, 0


def buy(count: int, refunds: int, seed: int) -> list[tuple[uuid.UUID, int]]:
    """Top-ups paid on Stripe's page, the first ones refunded in part; each with the credits that must come of it."""
    chance, expected = random.Random(seed), []  # noqa: S311
    back = f"{settings.STRIPE_API_HOST}/_sim/health"
    for number in range(count):
        account = open_account(name="Northwind", email=f"pay{number}@northwind.example", profile="ads")
        cash = Amount.parse(str(chance.choice((25, 50, 100))), "USD")
        payment = topups.start(account=account, cash=cash, return_url=back, cancel_url=back)
        simulator.pay(payment.checkout_url)
        credits = payment.credits
        if number < refunds:
            intent = _intent(payment)
            gateway().refund(
                key=f"refund:{payment.public_id}", intent_id=intent, amount_minor=payment.cash_minor // 5
            )
            credits -= payment.credits // 5
        expected.append((payment.pk, credits))
    return expected


def _intent(payment: Payment) -> str:
    standing = gateway().checkout(payment.stripe_checkout_id or "")
    assert standing.intent_id is not None
    return standing.intent_id


def deliver(bodies: Sequence[str]) -> list[int]:
    """Post each as Stripe does; the statuses. One that was not finished stays for the sweeper."""
    client = Client(raise_request_exception=False)
    statuses = []
    for body in bodies:
        signature = stripe.WebhookSignature.generate_signature_header(body, simulator.SECRET)
        answer = client.post(
            f"/stripe/webhook/{simulator.ENDPOINT}/",
            body,
            content_type="application/json",
            headers={"stripe-signature": signature},
        )
        statuses.append(answer.status_code)
    return statuses


def judge(payments: Sequence[tuple[uuid.UUID, int]]) -> list[str]:
    """After a sweep: each payment credited once, each refund taken once, no event left."""
    inbox.LEASE = inbox.FIRST_WAIT * 0  # type: ignore[misc]
    never_give_up()
    from django.db.models.functions import Now

    WebhookInbox.objects.filter(done_at__isnull=True).update(next_attempt_at=Now())
    inbox.sweep(100_000)
    wrong = books.broken()
    for payment_id, credits in payments:
        payment = Payment.objects.get(pk=payment_id)
        account = BillingAccount.objects.get(pk=payment.account_id)
        lines = Transaction.objects.filter(account_id=account.pk, kind__in=("topup", "refund"))
        if payment.status != "succeeded" or sum(lines.values_list("amount", flat=True)) != credits:
            wrong.append(
                f"{payment} came to {sum(lines.values_list('amount', flat=True))} instead of {credits}"
            )
    left = WebhookInbox.objects.filter(done_at__isnull=True)
    return wrong + [f"{row} not done: {row.last_error}" for row in left[:3]]
