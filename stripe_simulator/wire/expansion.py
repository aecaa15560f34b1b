"""`expand[]`: identifiers replaced by their objects, along dotted paths, in single objects and in lists."""

from collections.abc import Callable
from typing import Any

from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError, invalid
from stripe_simulator.world import World

_DEEPEST = 4

# Fields that hold an id and may be expanded, by object. A dotted name is a field of a nested hash.
_EXPANDABLE: dict[str, set[str]] = {
    "balance_transaction": {"source"},
    "charge": {
        "application",
        "application_fee",
        "balance_transaction",
        "customer",
        "failure_balance_transaction",
        "on_behalf_of",
        "payment_intent",
        "review",
        "source_transfer",
        "transfer",
    },
    "checkout.session": {
        "customer",
        "invoice",
        "payment_intent",
        "payment_link",
        "setup_intent",
        "subscription",
    },
    "customer": {"default_source", "invoice_settings.default_payment_method", "test_clock"},
    "dispute": {"charge", "payment_intent"},
    "payment_intent": {
        "application",
        "customer",
        "latest_charge",
        "on_behalf_of",
        "payment_method",
        "review",
        "source",
    },
    "payment_method": {"customer"},
    "price": {"product"},
    "product": {"default_price", "tax_code"},
    "refund": {
        "balance_transaction",
        "charge",
        "customer",
        "failure_balance_transaction",
        "payment_intent",
        "payment_method",
        "source_transfer_reversal",
        "transfer_reversal",
    },
    "setup_attempt": {"customer", "on_behalf_of", "payment_method", "setup_intent"},
    "setup_intent": {
        "application",
        "customer",
        "latest_attempt",
        "mandate",
        "on_behalf_of",
        "payment_method",
        "single_use_mandate",
    },
    "tax_id": {"customer", "owner.customer", "owner.account"},
}

Include = Callable[[World, Json], Any]
_INCLUDABLE: dict[tuple[str, str], Include] = {}


def includable(kind: str, name: str) -> Callable[[Include], Include]:
    """Register a field that an object of `kind` shows only if `expand` asks; `a.b` is `b` in the hash `a`."""

    def register(build: Include) -> Include:
        _INCLUDABLE[kind, name] = build
        return build

    return register


def expand(world: World, body: Json, paths: list[str] | None) -> Json:
    """`body` with every path expanded; the stored objects are not touched."""
    for path in paths or []:
        steps = path.split(".")
        if len([step for step in steps if step != "data"]) > _DEEPEST:
            message = f"You cannot expand more than {_DEEPEST} levels of a property. Property: {path}"
            raise invalid(message, param="expand")
        body = _walk(world, body, steps, path)
    return body


def _walk(world: World, node: Any, steps: list[str], path: str) -> Any:
    if not steps or node is None:
        return node
    if isinstance(node, list):
        return [_walk(world, element, steps, path) for element in node]
    if not isinstance(node, dict):
        raise _refused(path)
    if node.get("object") in ("list", "search_result"):
        if steps[0] != "data":
            raise _refused(path, hint="data.")
        return node | {"data": [_walk(world, element, steps[1:], path) for element in node["data"]]}
    return _step(world, node, steps, path)


def _step(world: World, node: Json, steps: list[str], path: str) -> Json:
    kind = str(node.get("object", ""))
    name, rest = steps[0], steps[1:]
    if (kind, name) in _INCLUDABLE:
        value = node[name] if name in node else _INCLUDABLE[kind, name](world, node)
        return node | {name: _walk(world, value, rest, path)}
    allowed = _EXPANDABLE.get(kind, set())
    if name in allowed:
        return node | {name: _walk(world, _resolved(world, node.get(name)), rest, path)}
    if rest and f"{name}.{rest[0]}" in allowed:
        return node | {name: _nested(world, node.get(name), rest, path)}
    nested = node.get(name)
    if rest and (kind, f"{name}.{rest[0]}") in _INCLUDABLE:
        if not isinstance(nested, dict):
            return node  # null here, as total_details in setup mode: nothing to show more of
        return node | {name: nested | {rest[0]: _INCLUDABLE[kind, f"{name}.{rest[0]}"](world, node)}}
    if rest and isinstance(nested, dict) and "object" in nested:
        return node | {name: _walk(world, nested, rest, path)}
    raise _refused(path)


def _nested(world: World, inner: Any, rest: list[str], path: str) -> Any:
    if not isinstance(inner, dict):
        return inner
    value = _resolved(world, inner.get(rest[0]))
    return inner | {rest[0]: _walk(world, value, rest[1:], path)}


def _resolved(world: World, value: Any) -> Any:
    return world.store.get(value) or value if isinstance(value, str) else value


def _refused(path: str, hint: str = "") -> StripeError:
    advice = f" You may want to try expanding '{hint}{path}'." if hint else ""
    return invalid(f"This property cannot be expanded ({path}).{advice}", param="expand")
