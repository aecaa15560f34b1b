"""Reading what the client returned as plain values, as they were on the wire."""

import json
from typing import Any

import stripe


def plain(body: stripe.StripeObject) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(str(body))
    return values
