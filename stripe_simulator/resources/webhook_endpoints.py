"""Webhook endpoints."""

from stripe_simulator.router import route
from stripe_simulator.values import Json, new_id, random_text
from stripe_simulator.wire.errors import invalid
from stripe_simulator.wire.merging import merged_metadata, new_metadata
from stripe_simulator.wire.paging import page
from stripe_simulator.world import Call, World

_URL = "/v1/webhook_endpoints"


def build(params: Json, now: int) -> Json:
    return {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": now,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": new_metadata(params),
        "status": "enabled",
        "url": params["url"],
    }


@route("POST", _URL, "WebhookEndpointCreateParams")
def create(call: Call) -> Json:
    """The signing secret is shown in this answer only."""
    _check_url(call["url"])
    secret = f"whsec_{random_text(32)}"
    endpoint = call.world.put(build(call.params, call.world.now()), hidden={"secret": secret})
    return endpoint | {"secret": secret}


@route("GET", _URL, "WebhookEndpointListParams")
def index(call: Call) -> Json:
    return page(call, "webhook_endpoint", _URL)


@route("GET", _URL + "/{webhook_endpoint}", "WebhookEndpointRetrieveParams")
def retrieve(call: Call) -> Json:
    return call.world.existing("webhook_endpoint", call.path["webhook_endpoint"], param="webhook_endpoint")


@route("POST", _URL + "/{webhook_endpoint}", "WebhookEndpointUpdateParams")
def update(call: Call) -> Json:
    endpoint = retrieve(call)
    for name in ("description", "enabled_events", "url"):
        if name in call.params:
            endpoint[name] = call[name]
    _check_url(endpoint["url"])
    if "disabled" in call.params:
        endpoint["status"] = "disabled" if call["disabled"] else "enabled"
    endpoint["metadata"] = merged_metadata(endpoint, call.params)
    return call.world.put(endpoint)


@route("DELETE", _URL + "/{webhook_endpoint}", "WebhookEndpointDeleteParams")
def delete(call: Call) -> Json:
    endpoint = retrieve(call)
    return call.world.store.delete({"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True})


def _check_url(url: str) -> None:
    """Stripe also wants it to be reachable from the internet; here loopback is the point."""
    if not url.startswith(("http://", "https://")):
        raise invalid(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            param="url",
            code="url_invalid",
        )


_MADE_BY = "simulator"


def register_default(world: World, url: str, secret: str) -> None:
    """The endpoint given to the simulator itself: made once, then pointed to the newest URL and secret."""
    hidden = {"secret": secret, "made_by": _MADE_BY}
    for endpoint in world.store.find("webhook_endpoint"):
        if world.store.hidden(endpoint["id"]).get("made_by") == _MADE_BY:
            world.put(endpoint | {"url": url}, hidden=hidden)
            return
    world.put(build({"url": url, "enabled_events": ["*"]}, world.now()), hidden=hidden)
