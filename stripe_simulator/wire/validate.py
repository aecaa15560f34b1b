"""Turning a decoded form into typed parameters, or into the error Stripe answers.

Text stays text, integers and booleans become such, indexed hashes become lists, empty becomes None ("unset").
"""

import difflib
import re
from typing import Any

from stripe_simulator.values import Json
from stripe_simulator.wire.errors import StripeError, invalid, invalid_integer, missing_param
from stripe_simulator.wire.parameters import (
    Choice,
    Either,
    Flag,
    Integer,
    Items,
    Kind,
    Mapping,
    Number,
    Shape,
    Text,
)

_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,12})?", re.ASCII)
_NEVER_EMPTY = (Integer, Number, Flag)
_METADATA_KEYS, _METADATA_KEY, _METADATA_VALUE = 50, 40, 500
_LONGEST_TEXT = 5000


def typed(form: Json, shape: Shape) -> Json:
    """Raises StripeError with the parameter's bracketed name."""
    return _hash(form, shape, "")


def _hash(form: Json, shape: Shape, prefix: str) -> Json:
    fields = shape.fields()
    unknown = [name for name in form if name not in fields]
    if unknown:
        raise _unknown(unknown, list(fields), prefix)
    for name, field in fields.items():
        if field.required and name not in form:
            raise missing_param(_path(prefix, name))
    return {
        name: _value(value, fields[name].kind, _path(prefix, name), required=fields[name].required)
        for name, value in form.items()
    }


def _path(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def _unknown(names: list[str], known: list[str], prefix: str) -> StripeError:
    paths = [_path(prefix, name) for name in names]
    if len(paths) > 1:
        message = f"Received unknown parameters: {', '.join(paths)}"
    else:
        near = difflib.get_close_matches(names[0], known, n=1)
        hint = f". Did you mean {near[0]}?" if near else ""
        message = f"Received unknown parameter: {paths[0]}{hint}"
    return invalid(message, param=paths[0], code="parameter_unknown")


def _value(value: Any, kind: Kind, path: str, *, required: bool = False) -> Any:
    if isinstance(kind, Either):
        return _either(value, kind, path)
    if value == "" and not isinstance(kind, Choice | Shape | Mapping | Items):
        if required or isinstance(kind, _NEVER_EMPTY):
            raise _empty(path)
        return None
    if isinstance(kind, Shape):
        return _shape(value, kind, path)
    if isinstance(kind, Items):
        return _items(value, kind, path)
    if isinstance(kind, Mapping):
        return _mapping(value, path)
    return _scalar(value, kind, path)


def _empty(path: str) -> StripeError:
    return invalid(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a "
        f"parameter; however '{path}' cannot be unset. You should remove '{path}' from your request or "
        "supply a non-empty value.",
        param=path,
        code="parameter_invalid_empty",
    )


def _either(value: Any, kind: Either, path: str) -> Any:
    options = [
        option for option in kind.options if not (isinstance(option, Choice) and option.values == ("",))
    ]
    if value == "" and len(options) < len(kind.options):
        return None
    nested = [option for option in options if isinstance(option, Shape | Items | Mapping)]
    plain = [option for option in options if option not in nested]
    candidates = nested if isinstance(value, dict) else plain
    first, *others = candidates or options
    for option in others:
        try:
            return _value(value, option, path)
        except StripeError:
            continue
    return _value(value, first, path)


def _shape(value: Any, kind: Shape, path: str) -> Json:
    if not isinstance(value, dict):
        raise _empty(path) if value == "" else invalid("Invalid object", param=path)
    return _hash(value, kind, path)


def _items(value: Any, kind: Items, path: str) -> list[Any]:
    if value == "":
        return []
    if not isinstance(value, dict) or not all(key.isdigit() for key in value):
        raise invalid("Invalid array", param=path)
    ordered = sorted(value, key=int)
    return [_value(value[key], kind.of, f"{path}[{key}]", required=True) for key in ordered]


def _mapping(value: Any, path: str) -> Json:
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise invalid(f"Invalid hash: {value}", param=path)
    if path.rpartition("[")[2].rstrip("]") == "metadata":
        _check_metadata(value, path)
    return dict(value)


def _check_metadata(value: Json, path: str) -> None:
    if len(value) > _METADATA_KEYS:
        raise invalid(f"Metadata can have up to {_METADATA_KEYS} keys", param=path)
    for key, text in value.items():
        if not isinstance(text, str):
            raise invalid("Invalid string: metadata values must be strings", param=f"{path}[{key}]")
        if len(key) > _METADATA_KEY:
            raise invalid(
                f"Metadata keys can be up to {_METADATA_KEY} characters, but you passed in a key that was "
                f"{len(key)} characters. Invalid key: {key}",
                param=path,
            )
        if len(text) > _METADATA_VALUE:
            raise invalid(
                f"Metadata values can have up to {_METADATA_VALUE} characters, but you passed in a value "
                f"that is {len(text)} characters. Invalid value: {text}",
                param=f"{path}[{key}]",
            )


def _scalar(value: Any, kind: Text | Integer | Number | Flag | Choice, path: str) -> Any:
    if not isinstance(value, str):
        raise invalid(f"Invalid string: {value}", param=path)
    if isinstance(kind, Integer):
        if not _INTEGER.fullmatch(value):
            raise invalid_integer(path, f"Invalid integer: {value}")
        return int(value)
    if isinstance(kind, Number):
        if not _NUMBER.fullmatch(value):
            raise invalid(f"Invalid decimal: {value}", param=path)
        return value
    if isinstance(kind, Flag):
        if value not in ("true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=path)
        return value == "true"
    if isinstance(kind, Choice):
        return _choice(value, kind, path)
    if len(value) > _LONGEST_TEXT:
        raise invalid(
            f"Invalid string: {value[:10]}...{value[-10:]}; must be at most {_LONGEST_TEXT} characters",
            param=path,
        )
    return value


def _choice(value: str, kind: Choice, path: str) -> str:
    if value in kind.values:
        return value
    *first, last = kind.values
    names = f"{', '.join(first)}, or {last}" if len(first) > 1 else " or ".join(kind.values)
    raise invalid(
        f"Invalid {path}: must be one of {names}" if first else f"Invalid {path}: must be {last}", param=path
    )
