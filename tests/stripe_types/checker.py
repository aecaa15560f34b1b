"""`check_request` and `check_object`: what is wrong with a request to Stripe, or with an object it returned.

Both answer a list of sentences, empty when all is well. Literals are checked, though the SDK leaves them
open.
"""

import ast
from typing import Any

from stripe_simulator.wire import forms
from stripe_simulator.wire.errors import StripeError
from stripe_simulator.wire.parameters import shape
from stripe_simulator.wire.validate import typed
from tests.stripe_types import operations
from tests.stripe_types.annotations import ERROR, Resource, fields, of_object, resolve

_DEEPEST = 14
_PLAIN: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "bool": (bool,), "float": (int, float)}
# Sent by Stripe with every error, and declared only where an error is part of another object.
_UNDECLARED_IN_ERRORS = {"request_log_url"}


def check_request(method: str, path: str, form: str) -> list[str]:
    """`form` is the body, or the query of a GET or DELETE, as sent."""
    known, params = operations.find(method, path)
    if not known:
        return [f"{method} {path}: the SDK has no such operation"]
    if params is None:
        return []
    try:
        typed(forms.decode(form), shape(params))
    except StripeError as error:
        return [f"{method} {path}: {error.message} ({error.param})"]
    return []


def check_object(body: dict[str, Any]) -> list[str]:
    """An API object, a list, a deletion stub, an event with its object, or an error body."""
    found: list[str] = []
    if set(body) == {"error"}:
        error = {name: value for name, value in body["error"].items() if name not in _UNDECLARED_IN_ERRORS}
        _fields(error, ERROR, "error", found)
    else:
        _object(body, str(body.get("object", "")), found)
    return found


def _object(body: dict[str, Any], path: str, found: list[str]) -> None:
    """An object that says itself what it is."""
    name = body.get("object")
    if name in ("list", "search_result"):
        _listing(body, path, found)
        return
    if body.get("deleted") is True:
        if set(body) != {"id", "object", "deleted"}:
            found.append(f"{path}: a deletion has id, object and deleted only, not {sorted(body)}")
        return
    resource = of_object(str(name))
    if resource is None:
        found.append(f"{path}: no object is called {name!r}")
        return
    _fields(body, resource, path, found)
    if name == "event":
        _event(body, path, found)


def _listing(body: dict[str, Any], path: str, found: list[str]) -> None:
    allowed = {"object", "data", "has_more", "url", "total_count", "next_page"}
    for name in ("data", "has_more", "url"):
        if name not in body:
            found.append(f"{path}.{name}: missing")
    found.extend(f"{path}.{name}: unknown field" for name in sorted(set(body) - allowed))
    for position, item in enumerate(body.get("data", [])):
        _object(item, f"{path}.data[{position}]", found)


def _event(body: dict[str, Any], path: str, found: list[str]) -> None:
    inner = body["data"]["object"]
    _object(inner, f"{path}.data.object", found)
    resource = of_object(str(inner.get("object")))
    for name in body["data"].get("previous_attributes") or {}:
        if resource and name not in fields(resource):
            found.append(f"{path}.data.previous_attributes.{name}: unknown field")


def _fields(body: dict[str, Any], resource: Resource, path: str, found: list[str], depth: int = 0) -> None:
    declared = fields(resource)
    for name, annotation in declared.items():
        if name in body:
            _value(body[name], annotation, resource, f"{path}.{name}", found, depth)
        elif not ast.unparse(annotation).startswith("Optional"):
            found.append(f"{path}.{name}: missing")
    if declared:
        found.extend(f"{path}.{name}: unknown field" for name in body if name not in declared)


def _value(value: Any, node: ast.expr, where: Resource, path: str, found: list[str], depth: int) -> None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    if isinstance(node, ast.Subscript):
        outer = ast.unparse(node.value).rpartition(".")[2]
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        _generic(value, outer, inner, where, path, found, depth)
        return
    _named(value, ast.unparse(node), where, path, found, depth)


def _generic(
    value: Any, outer: str, inner: list[ast.expr], where: Resource, path: str, found: list[str], depth: int
) -> None:
    absent = outer == "Optional" and value is None
    unexpanded = outer == "ExpandableField" and isinstance(value, str)
    if absent or unexpanded:
        return
    if outer in ("Optional", "ExpandableField"):
        _value(value, inner[0], where, path, found, depth)
    elif outer == "Union":
        _union(value, inner, where, path, found, depth)
    elif outer == "Literal":
        _literal(value, inner, path, found)
    elif outer in ("List", "list"):
        _list(value, inner[0], where, path, found, depth)
    elif not isinstance(value, dict):
        found.append(f"{path}: not a hash")
    elif outer == "ListObject":
        _object(value, path, found)


def _literal(value: Any, inner: list[ast.expr], path: str, found: list[str]) -> None:
    allowed = [item.value for item in inner if isinstance(item, ast.Constant)]
    if value not in allowed:
        found.append(f"{path}: {value!r} is none of {allowed[:8]}")


def _list(value: Any, node: ast.expr, where: Resource, path: str, found: list[str], depth: int) -> None:
    if not isinstance(value, list):
        found.append(f"{path}: not an array")
        return
    for position, item in enumerate(value):
        _value(item, node, where, f"{path}[{position}]", found, depth)


def _union(
    value: Any, options: list[ast.expr], where: Resource, path: str, found: list[str], depth: int
) -> None:
    """One option must fit. `Union[Literal[…], str]` is the SDK's open enum: only its literals pass."""
    literals = [option for option in options if ast.unparse(option).startswith("Literal")]
    closest: list[str] | None = None
    for option in literals or options:
        problems: list[str] = []
        _value(value, option, where, path, problems, depth)
        if not problems:
            return
        if closest is None or len(problems) < len(closest):
            closest = problems
    found.extend(closest or [])


def _named(value: Any, name: str, where: Resource, path: str, found: list[str], depth: int) -> None:
    if name in ("Any", "object"):
        return
    if name == "Decimal":
        if not isinstance(value, str):
            found.append(f"{path}: a decimal is sent as text, not {type(value).__name__}")
        return
    if name in _PLAIN:
        wrong_bool = isinstance(value, bool) and name != "bool"
        if wrong_bool or not isinstance(value, _PLAIN[name]):
            found.append(f"{path}: not {name} but {type(value).__name__}")
        return
    resource = resolve(name, where)
    if resource is None:
        found.append(f"{path}: the SDK's type {name} was not found")
    elif not isinstance(value, dict):
        found.append(f"{path}: not a {name} but {type(value).__name__}")
    elif value.get("deleted") is True:
        _object(value, path, found)
    elif depth < _DEEPEST:
        _fields(value, resource, path, found, depth + 1)
