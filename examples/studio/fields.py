"""Strict reading of a request's JSON body. Every wrong field is named at once; unknown ones are refused."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from examples.studio.problems import FieldProblem, invalid, invalid_field

_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)


def parse(body: bytes) -> dict[str, object]:
    """The body as a JSON object. Refuses NaN, duplicate names and broken text."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=Decimal,
        )
    except (ValueError, RecursionError) as error:
        raise invalid_field("body", f"This is not JSON: {_short(error)}") from None
    if not isinstance(value, dict):
        raise invalid_field("body", "Send a JSON object.")
    return value


class Fields:
    """Reads one object; ``finish`` raises when anything was wrong."""

    def __init__(self, source: Mapping[str, object]) -> None:
        self._source = source
        self._known: set[str] = set()
        self._errors: list[FieldProblem] = []

    def wrong(self, name: str, message: str) -> None:
        self._errors.append(FieldProblem(name, message))

    def text(self, name: str, *, longest: int, default: str | None = None) -> str:
        """Printable text, blanks at the ends removed; required when there is no default."""
        value = self._take(name)
        if value is None:
            if default is None:
                self.wrong(name, "is required.")
            return default or ""
        if not isinstance(value, str):
            self.wrong(name, "must be a text.")
            return ""
        value = value.strip()
        if len(value) > longest:
            self.wrong(name, f"may have at most {longest} characters.")
        elif any(not char.isprintable() and char != "\n" for char in value):
            self.wrong(name, "contains characters that cannot be printed.")
        elif not value and default is None:
            self.wrong(name, "may not be empty.")
        return value

    def choice(self, name: str, choices: Sequence[str], *, default: str | None = None) -> str:
        value = self._take(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or value not in choices:
            self.wrong(name, f"must be one of: {', '.join(choices)}.")
            return choices[0]
        return value

    def whole(self, name: str, *, least: int, most: int, default: int | None = None) -> int:
        value = self._take(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(name, f"must be a whole number from {least} to {most}.")
            return least
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._take(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.wrong(name, "must be true or false.")
            return default
        return value

    def colors(self, name: str, defaults: tuple[str, str]) -> tuple[str, str]:
        """``["#rrggbb", "#rrggbb"]``: the ground and the accent; one colour alone is the ground."""
        value = self._take(name)
        if value is None:
            return defaults
        if (
            not isinstance(value, list)
            or not 1 <= len(value) <= 2
            or not all(isinstance(item, str) and _HEX_COLOR.fullmatch(item) for item in value)
        ):
            self.wrong(name, 'must be one or two colours like "#5b2a86": the ground and the accent.')
            return defaults
        return (value[0], value[1] if len(value) == 2 else defaults[1])

    def finish(self) -> None:
        """Raises ``Refused`` (422) naming every wrong and every unknown field."""
        for name in self._source:
            if name not in self._known:
                self.wrong(_short(name), "is not a field of this request.")
        if self._errors:
            raise invalid(self._errors)

    def _take(self, name: str) -> object:
        self._known.add(name)
        return self._source.get(name)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the name {_short(name)!r} is there twice")
        result[name] = value
    return result


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON value")


def _short(value: object) -> str:
    return "".join(char if char.isprintable() else "?" for char in str(value)[:80])
