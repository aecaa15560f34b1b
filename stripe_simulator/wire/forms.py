"""Decoding of `application/x-www-form-urlencoded` bodies and query strings with nested brackets.

`a[b][0][c]=1` becomes `{"a": {"b": {"0": {"c": "1"}}}}`; whether `{"0": …}` is a list is known only to the
parameter's type, so `parameters.py` decides that. `a[]=1&a[]=2` becomes `{"a": {"0": "1", "1": "2"}}`, and
`a[][b]=1&a[][c]=2` one element with both keys, until a key repeats.
"""

import re
from urllib.parse import parse_qsl

from stripe_simulator.values import Json
from stripe_simulator.wire.errors import invalid

_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")
_DEEPEST = 20


def decode(text: str) -> Json:
    """Raises StripeError for text that is no form."""
    root: Json = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=10_000)
    except (ValueError, UnicodeDecodeError):
        raise invalid("Invalid request body: it could not be decoded as a form in UTF-8.") from None
    for key, value in pairs:
        if "\x00" in key or "\x00" in value:
            raise invalid("Invalid request: it contains a null byte.", param=key.replace("\x00", ""))
        _put(root, _split(key), value, key)
    return root


def _split(key: str) -> list[str]:
    match = _KEY.match(key)
    if not match:
        return [key]
    parts = [match[1], *_PART.findall(match[2])]
    if len(parts) > _DEEPEST:
        raise invalid("Invalid request: parameters are nested too deeply.", param=match[1])
    return parts


def _put(root: Json, parts: list[str], value: str, key: str) -> None:
    node = root
    for position, part in enumerate(parts[:-1]):
        step = part or _element(node, parts[position + 1 :])
        child = node.setdefault(step, {})
        if not isinstance(child, dict):
            raise invalid(f"Invalid request: {key} is given both as a value and as a hash.", param=parts[0])
        node = child
    last = parts[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise invalid(f"Invalid request: {key} is given both as a value and as a hash.", param=parts[0])
    node[last] = value


def _element(node: Json, rest: list[str]) -> str:
    """Which element `a[][rest]` belongs to: the last one, unless it already has all of that path."""
    if not node:
        return "0"
    newest = str(len(node) - 1)
    return str(len(node)) if not rest[0] or _has(node.get(newest), rest) else newest


def _has(node: object, path: list[str]) -> bool:
    for step in path:
        if not isinstance(node, dict) or step not in node:
            return False
        node = node[step]
    return True
