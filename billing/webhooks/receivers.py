"""dj-stripe's signals: every event that matters here is kept in the inbox, inside dj-stripe's transaction."""

from typing import Any

import stripe
from djstripe.event_handlers import djstripe_receiver
from djstripe.models import Event

from billing.services import inbox

# dj-stripe asks Stripe inside its transaction: it may not wait there for long, nor ask again and again.
stripe.default_http_client = stripe.RequestsClient(timeout=(5, 10))
stripe.max_network_retries = 0


def keep(sender: type[Event], event: Event, **_: Any) -> None:
    """Keep the event; the guard or the sweeper carries it out once this transaction is committed."""
    inbox.receive({"id": event.id, "type": event.type, "data": event.data})


djstripe_receiver(list(inbox.EFFECTS))(keep)
