"""Events: what happened, newest first."""

from typing import Any

from stripe_simulator.delivery import queue
from stripe_simulator.router import route
from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call


@route("GET", "/v1/events", "EventListParams")
def index(call: Call) -> Json:
    if call.get("type") and call.get("types"):
        raise invalid("You may not specify both `type` and `types`.", param="type")
    types: list[str] = call.get("types") or ([call["type"]] if call.get("type") else [])
    return page(call, "event", "/v1/events", type=_patterns(types))


def _patterns(types: list[str]) -> Any:
    """`charge.*` takes every type below it; None for no filter."""
    return [name.replace("*", "%") for name in types] or None


@route("POST", "/v1/events/{id}/retry")
def retry(call: Call) -> Json:
    """Deliver it again, to one endpoint or to all: `events resend` of Stripe's command-line tool."""
    event = retrieve(call)
    wanted = call.get("webhook_endpoint")
    for endpoint in call.world.store.find("webhook_endpoint"):
        if wanted in (None, endpoint["id"]) and queue.subscribes(endpoint, event["type"]):
            queue.insert(call.world.store, event, endpoint["id"])
    return event


@route("GET", "/v1/events/{id}", "EventRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("event", call.path["id"])
