"""Tasks through the real broker: workers killed amid a message, messages twice, lost or poisoned, a broker that is away."""

import signal
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from billing import outbox
from billing.ledger.models import Charge
from billing.models import OutboxMessage, WebhookInbox
from billing.services import inbox, payments
from config import broker
from config.celery import app
from config.ids import new_id
from soak import books, intents, kills, making, workers
from soak.crew import Crew
from soak.intents import prepare_process
from soak.workers import POINTS, Queue, until
from soak.world import Database, World

pytestmark = pytest.mark.slow

SWEEPS = (
    "billing.expire_charges",
    "billing.expire_credits",
    "billing.sweep_inbox",
    "billing.relay_outbox",
    "billing.fold_usage",
)
"""Every task that finishes what ``left_over`` leaves."""


@pytest.fixture
def database(world: World) -> Iterator[Database]:
    with world.scratch("workers") as made:
        yield made


@pytest.fixture
def crew(database: Database) -> Iterator[Crew]:
    with Crew(database, 1) as made:
        made.ask(0, broker.install)
        made.ask(0, workers.send, database)
        yield made


def work(count: int = 2) -> list[uuid.UUID]:
    """Accounts with 100 credits, each with work left for every sweep."""
    prepare_process()
    accounts = [making.account(100) for _ in range(count)]
    for account in accounts:
        kills.left_over(account)
    return accounts


def undone() -> dict[str, int]:
    """What no worker has finished, by kind."""
    left = {
        "holds": Charge.objects.filter(status="authorized"),
        "events": WebhookInbox.objects.filter(done_at__isnull=True),
        "messages": OutboxMessage.objects.filter(sent_at__isnull=True, kind="soak"),
    }
    return {name: rows.count() for name, rows in left.items() if rows.exists()}


def judge(accounts: list[uuid.UUID]) -> list[str]:
    """Each effect once, nothing left lying, the books in order."""
    wrong = books.broken() + [f"{count} {name} left lying" for name, count in undone().items()]
    for account in accounts:
        found = making.standing(account), making.kinds(account)
        if found != ((101, 0, 101), {"topup": 6, "bonus": 1, "expiry": 5}):
            wrong.append(f"{account}: {found}")
    return wrong


def test_what_a_killed_worker_had_taken_is_done_once_by_the_next(crew: Crew, database: Database) -> None:
    accounts: list[uuid.UUID] = []
    queue = Queue(database)
    for point in POINTS.values():
        accounts += crew.ask(0, work)
        crew.ask(0, workers.send, database, *SWEEPS)
        assert workers.worker(database, point).ended() == -signal.SIGKILL, f"it never came by {point}"
        assert max(queue.rows("read_ct")) > 0, f"nothing was left unacknowledged at {point}"
    last = workers.worker(database)
    until(lambda: not queue.tasks, "every message acknowledged")
    last.kill()
    assert crew.ask(0, judge, accounts) == []


def test_acknowledged_at_once_it_would_be_lost(crew: Crew, database: Database) -> None:
    """The control: the worker dies with a message that the queue has forgotten, and only the next sweep would know."""
    crew.ask(0, work)
    crew.ask(0, workers.send, database, "billing.relay_outbox")
    point = POINTS["sent, message not noted"]
    victim = workers.worker(database, point, before=workers.acknowledged_first)
    assert victim.ended() == -signal.SIGKILL
    assert "billing.relay_outbox" not in Queue(database).tasks
    assert crew.ask(0, undone)["messages"]


def test_a_message_handed_out_again_and_again_has_one_effect(crew: Crew, database: Database) -> None:
    """Asked for three times, and each of those messages twice in the queue; two workers at once."""
    accounts = crew.ask(0, work)
    crew.ask(0, workers.send, database, *SWEEPS * 3)
    queue = Queue(database)
    queue.put(queue.rows("message"))
    assert len(queue.tasks) == len(SWEEPS) * 6
    two = [workers.worker(database) for _ in range(2)]
    until(lambda: not queue.tasks, "every message acknowledged")
    for one in two:
        one.kill()
    assert crew.ask(0, judge, accounts) == []


SELDOM = Counter(
    entry["task"]
    for entry in app.conf.beat_schedule.values()
    if not isinstance(entry["schedule"], float) or entry["schedule"] >= 60
)
"""What a beat sends once in a minute at most: in the time of a test, once."""


def test_lost_messages_are_made_up_for_by_two_beats_after_three_days(
    crew: Crew, database: Database, tmp_path: Path
) -> None:
    """A beat that was away sends each of its tasks once, not once for every time that it missed; two send it twice."""
    accounts = crew.ask(0, work)
    crew.ask(0, workers.send, database, *SWEEPS)
    queue = Queue(database)
    assert queue.lose() == len(SWEEPS)
    beats = [workers.beat(database, tmp_path / f"beat{number}", timedelta(days=3)) for number in range(2)]
    until(lambda: Counter(queue.tasks) >= SELDOM + SELDOM, "both beats have sent everything")
    assert {task: count for task, count in Counter(queue.tasks).items() if task in SELDOM} == SELDOM + SELDOM
    worker = workers.worker(database)
    until(lambda: not crew.ask(0, undone), "all that was lost is done")
    for beat in beats:
        beat.kill()
    until(lambda: not queue.tasks, "every message acknowledged")
    worker.kill()
    assert crew.ask(0, judge, accounts) == []


def spoil(count: int) -> None:
    """Messages and events that cannot be carried out, tried until one time before the last; due before all others."""
    for number in range(count):
        message = OutboxMessage(
            kind="nobody's", key=f"spoilt:{number}", payload={}, attempts=outbox.PARK_AFTER - 1
        )
        event = WebhookInbox(
            event_id=f"spoilt:{number}", type="nobody's", payload={}, attempts=inbox.PARK_AFTER - 1
        )
        message.save()
        event.save()


def parked() -> tuple[int, int]:
    return (
        OutboxMessage.objects.filter(parked_at__isnull=False).count(),
        WebhookInbox.objects.filter(parked_at__isnull=False).count(),
    )


def test_what_cannot_be_done_is_parked_and_the_others_flow(crew: Crew, database: Database) -> None:
    """Messages that name no task, no account, or have no sense, then rows that no handler wants; all others are done."""
    crew.ask(0, spoil, 5)
    accounts = crew.ask(0, work)
    senseless = (
        "billing.no_such_task",
        "billing.recharge",
        "billing.recharge x",
        f"billing.recharge {new_id()}",
    )
    crew.ask(0, workers.send, database, *senseless, *SWEEPS)
    queue = Queue(database)
    worker = workers.worker(database)
    until(lambda: not queue.tasks, "every message acknowledged")
    worker.kill()
    assert crew.ask(0, parked) == (5, 5)
    crew.ask(0, forget_spoilt)
    assert crew.ask(0, judge, accounts) == []


def forget_spoilt() -> None:
    """What was parked waits for staff, and is counted by ``reconcile`` until they have looked at it."""
    OutboxMessage.objects.filter(parked_at__isnull=False).delete()
    WebhookInbox.objects.filter(parked_at__isnull=False).delete()


def poison(account: uuid.UUID) -> None:
    """A message that kills whoever sends it, tried until two times before the last, and ordinary ones after it."""
    kinds = [(workers.DEADLY, outbox.PARK_AFTER - 2), *[("soak", 0)] * 5]
    for number, (kind, attempts) in enumerate(kinds):
        payload = {"account": str(account)}
        OutboxMessage.objects.create(kind=kind, key=f"{number}", payload=payload, attempts=attempts)


def test_a_message_that_kills_its_worker_takes_no_others_along_and_is_parked(
    crew: Crew, database: Database
) -> None:
    crew.ask(0, poison, crew.ask(0, making.account))
    for _ in range(2):
        crew.ask(0, workers.send, database, "billing.relay_outbox")
        assert workers.worker(database).ended() == -signal.SIGKILL
    assert crew.ask(0, undone) == {}, "the others were sent before it came to its turn again"
    worker = workers.worker(database)
    until(lambda: crew.ask(0, parked) == (1, 0), "the message is parked")
    until(lambda: not Queue(database).tasks, "every message acknowledged")
    worker.kill()


def paid(queues: Database, account: uuid.UUID) -> float:
    """A payment of 5 credits is recorded, as by its return page; the seconds that took."""
    workers.aim(queues)
    payment = making.payment(account, credits=5)
    begun = time.monotonic()
    payments.record(payment.pk, intents.paid_in_full(payment))
    return time.monotonic() - begun


def receipts() -> tuple[int, int]:
    """How many are sent, and how many are not."""
    mails = OutboxMessage.objects.filter(kind="email.receipt")
    return mails.filter(sent_at__isnull=False).count(), mails.filter(sent_at__isnull=True).count()


def test_requests_succeed_while_the_broker_is_away_and_the_rest_is_done_when_it_is_back(
    world: World, crew: Crew, database: Database, tmp_path: Path
) -> None:
    with world.scratch("broker") as queues:
        account = crew.ask(0, making.account)
        with Crew(queues, 1) as other:
            other.ask(0, broker.install)
        crew.ask(0, paid, queues, account)
        worker = workers.worker(database, queues=queues)
        until(lambda: crew.ask(0, receipts) == (1, 0), "the first receipt, with the broker there")
        away(world, queues)
        took = [crew.ask(0, paid, queues, account) for _ in range(3)]
        assert max(took) < 5, "a broker that is away costs every request that long"
        assert crew.ask(0, making.standing, account) == (20, 0, 20)
        assert crew.ask(0, receipts) == (1, 3)
        back(world, queues)
        beat = workers.beat(queues, tmp_path / "beat", timedelta(minutes=1))
        until(lambda: crew.ask(0, receipts) == (4, 0), "the others, by the next sweep")
        beat.kill()
        worker.kill()
    assert crew.ask(0, books.broken) == []


def away(world: World, queues: Database) -> None:
    with world.cluster.connect() as connection:
        connection.execute(f'ALTER DATABASE "{queues.name}" ALLOW_CONNECTIONS false'.encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [queues.name]
        )


def back(world: World, queues: Database) -> None:
    with world.cluster.connect() as connection:
        connection.execute(f'ALTER DATABASE "{queues.name}" ALLOW_CONNECTIONS true'.encode())
