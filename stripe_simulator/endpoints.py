"""The webhook endpoint given on the command line, registered like any other."""

from stripe_simulator.resources.webhook_endpoints import build
from stripe_simulator.world import World

_MARK = "simulator"


def register_default(world: World, url: str, secret: str) -> None:
    """Create it, or point the one from an earlier start to this URL and secret."""
    for endpoint in world.store.find("webhook_endpoint"):
        if world.store.hidden(endpoint["id"]).get("made_by") == _MARK:
            world.put(endpoint | {"url": url}, hidden={"secret": secret, "made_by": _MARK})
            return
    endpoint = build({"url": url, "enabled_events": ["*"]}, world.now())
    world.put(endpoint, hidden={"secret": secret, "made_by": _MARK})
