"""What must be sent because of what was committed: rows written in that transaction, relayed afterwards.

A message is handed to the handler of its kind at least once, seldom twice (a relay that dies between
sending and saying so). One that keeps failing waits longer each time and is parked in the end, also where
its relay never comes to say that it failed; the others flow on.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from itertools import takewhile
from typing import Any, Final

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from billing.models import OutboxMessage
from billing.nudges import nudge

log = logging.getLogger(__name__)

Payload = dict[str, Any]
Handler = Callable[[Payload], None]

LEASE: Final = timedelta(minutes=2)
"""How long a relay may take over one message before another one tries."""
FIRST_WAIT: Final = timedelta(seconds=15)
LONGEST_WAIT: Final = timedelta(hours=1)
PARK_AFTER: Final = 12
BATCH: Final = 20
NEVER_TOLD: Final = "Whoever tried this last ended before it could say what became of it."

_handlers: dict[str, Handler] = {}


def handles(kind: str) -> Callable[[Handler], Handler]:
    """Register the function that sends messages of this kind."""

    def register(handler: Handler) -> Handler:
        _handlers[kind] = handler
        return handler

    return register


def put(*, kind: str, key: str, payload: Payload) -> None:
    """Leave a message inside the caller's transaction; ``key`` says it once, however often it is put."""
    OutboxMessage.objects.bulk_create(
        [OutboxMessage(kind=kind, key=key, payload=payload)], ignore_conflicts=True
    )
    transaction.on_commit(lambda: nudge("billing.relay_outbox"))


def relay(limit: int = 200) -> int:
    """Send what is due, oldest first; returns how many went out."""
    sent = 0
    left = limit
    while left > 0 and (messages := _claim(min(BATCH, left))):
        left -= len(messages)
        sent += sum(_send(message) for message in messages)
    return sent


@transaction.atomic
def _claim(size: int) -> list[OutboxMessage]:
    """Take some due messages for this relay; others skip them until the lease is over.

    One that was tried before is taken alone: if whoever tried it died of it, it takes no others along.
    """
    due = OutboxMessage.objects.filter(
        sent_at__isnull=True, parked_at__isnull=True, next_attempt_at__lte=now()
    )
    due.filter(attempts__gte=PARK_AFTER).update(parked_at=now(), last_error=NEVER_TOLD)
    found = list(due.select_for_update(skip_locked=True).order_by("next_attempt_at")[:size])
    messages = list(takewhile(lambda message: not message.attempts, found)) or found[:1]
    OutboxMessage.objects.filter(pk__in=[message.pk for message in messages]).update(
        next_attempt_at=now() + LEASE, attempts=F("attempts") + 1
    )
    for message in messages:
        message.attempts += 1
    return messages


def _send(message: OutboxMessage) -> bool:
    mine = OutboxMessage.objects.filter(pk=message.pk)
    try:
        _handlers[message.kind](message.payload)
    except Exception as error:
        log.exception("outbox message %s failed", message)
        parked = now() if message.attempts >= PARK_AFTER else None
        wait = min(FIRST_WAIT * 2 ** (message.attempts - 1), LONGEST_WAIT)
        mine.update(
            last_error=f"{type(error).__name__}: {error}"[:2000],
            next_attempt_at=now() + wait,
            parked_at=parked,
        )
        return False
    mine.update(sent_at=now(), last_error="")
    return True
