"""dj-stripe's signals: every event that matters here is kept in the inbox, inside dj-stripe's transaction."""

from typing import Any

from djstripe.event_handlers import djstripe_receiver
from djstripe.models import Event

from billing.services import inbox


def keep(sender: type[Event], event: Event, **_: Any) -> None:
    """Keep the event; the guard or the sweeper carries it out once this transaction is committed."""
    inbox.receive({"id": event.id, "type": event.type, "data": event.data})


djstripe_receiver(list(inbox.EFFECTS))(keep)
