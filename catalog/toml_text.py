"""Writing TOML: tables and lists of tables as people write them, inline where they are small. Exact numbers."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from catalog.pricing.units import decimal_to_text

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def table(path: str, values: Mapping[str, Any]) -> str:
    """A ``[path]`` table; values that are empty texts, None or empty collections are left out."""
    return f"[{path}]\n{pairs(values)}"


def element(path: str, values: Mapping[str, Any]) -> str:
    """One ``[[path]]`` element of a list of tables."""
    return f"[[{path}]]\n{pairs(values)}"


def pairs(values: Mapping[str, Any]) -> str:
    """Keys and values, one to a line."""
    return "".join(
        f"{_key(name)} = {value(part)}\n" for name, part in values.items() if _says_something(part)
    )


def value(part: Any) -> str:
    """A value in TOML. Decimals are written digit for digit."""
    if isinstance(part, bool):
        return "true" if part else "false"
    if isinstance(part, Decimal):
        return decimal_to_text(part)
    if isinstance(part, int):
        return str(part)
    if isinstance(part, str):
        return json.dumps(part, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(part, Mapping):
        pairs_ = ", ".join(f"{_key(name)} = {value(each)}" for name, each in part.items() if each is not None)
        return f"{{ {pairs_} }}" if pairs_ else "{}"
    if isinstance(part, list | tuple):
        inside = [value(each) for each in part]
        if any(isinstance(each, Mapping) for each in part) and len("".join(inside)) > 60:
            return "[\n" + "".join(f"    {text},\n" for text in inside) + "]"
        return f"[{', '.join(inside)}]"
    raise TypeError(f"{type(part).__name__} has no place in a TOML file.")


def _says_something(part: Any) -> bool:
    return part is not None and part != "" and not (isinstance(part, Mapping | list | tuple) and not part)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else value(name)
