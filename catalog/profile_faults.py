"""Reading a parsed profile file into its shape, with every wrong value named, and going on in spite of them.

A wrong amount or an unknown key says nothing about the rest: a stand-in takes its place, so that what only the
whole file shows (missing plans, circular pipelines, two currencies) is reported together with it.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from catalog.pricing.book import nearest
from catalog.problems import Problems
from catalog.profile_file import ProfileFile
from catalog.toml_lines import Path
from catalog.values import SPELLINGS, Section

# What nothing else in a file refers to: a stand-in for it makes no further mistakes, except beside it.
_AMOUNTS = {
    "price",
    "low",
    "high",
    "add",
    "times",
    "minimum",
    "min",
    "max",
    "provider_cost",
    "markup",
    "round_to",
}
_AMOUNTS |= {
    "credits",
    "credits_once",
    "key_slots",
    "rank",
    "trial_days",
    "hold_ttl",
    "credit_price",
    "amount",
}
_AMOUNTS |= {
    "welcome_bonus",
    "threshold",
    "monthly_cap",
    "window_days",
    "limit",
    "percent",
    "above",
    "available",
}
_TEXTS = {"name", "description", "features", "confirm", "approximate", "example", "enabled", "only_reported"}
_STAND_INS = (900, 1, "x", False)


def validated(document: dict[str, Any], problems: Problems) -> ProfileFile | None:
    """The file, noting every wrong value; with stand-ins where that is possible, None where it is not."""
    try:
        return ProfileFile.model_validate(document)
    except ValidationError as error:
        faults = _own(error)
    paths = [_known(fault["loc"], document) for fault in faults]
    for fault, path in zip(faults, paths, strict=True):
        problems.add(path, _reason(fault, path))
    for path in paths:
        problems.mute(path[:-1])
    return _with_stand_ins(document, faults)


def _with_stand_ins(document: dict[str, Any], faults: list[ErrorDetails]) -> ProfileFile | None:
    patched = deepcopy(document)
    for value in _STAND_INS:
        for number, fault in enumerate(faults):
            path = _known(fault["loc"], patched)
            if not _replaceable(fault, path):
                return None
            _put(patched, path, value + number if value == _STAND_INS[0] else value, fault["type"])
        try:
            return ProfileFile.model_validate(patched)
        except ValidationError as error:
            faults = _own(error)
    return None


def _own(error: ValidationError) -> list[ErrorDetails]:
    """The mistakes without their echoes: a list is also called too short when all of its entries are wrong."""
    return [fault for fault in error.errors() if not (fault["type"] == "too_short" and fault["input"])]


def _replaceable(fault: ErrorDetails, path: Path) -> bool:
    if fault["type"] == "extra_forbidden":
        return True
    leaf = path[-1] if path else ""
    return leaf in _AMOUNTS or (leaf in _TEXTS and path[0] != "parameter")


def _put(document: Any, path: Path, value: Any, kind: str) -> None:
    for part in path[:-1]:
        document = document[part]
    if kind == "extra_forbidden":
        del document[path[-1]]
    else:
        document[path[-1]] = value


def _known(location: tuple[int | str, ...], document: Any) -> Path:
    """The part of pydantic's location that are keys of the file, with the missing or unknown key last."""
    path: list[int | str] = []
    for part in location:
        inside = isinstance(document, dict) and part in document
        inside = inside or (isinstance(document, list) and isinstance(part, int) and part < len(document))
        path.append(part)
        if not inside:
            break
        document = document[part]
    return tuple(path)


def _reason(fault: ErrorDetails, path: Path) -> str:
    """A validation error in the words of this format."""
    if fault["type"] == "extra_forbidden":
        return f"is not a known key.{nearest(str(path[-1]), _keys_at(path[:-1]))}"
    if fault["type"] == "missing":
        return "is missing."
    if fault["type"] == "string_pattern_mismatch":
        return SPELLINGS[fault["ctx"]["pattern"]]
    return fault["msg"].removeprefix("Value error, ").rstrip(".") + "."


def _keys_at(path: Path) -> list[str]:
    """The keys the format has at a place of the file."""
    sections: list[type[Section]] = [ProfileFile]
    for part in path:
        if isinstance(part, str):
            fields = [section.model_fields[part] for section in sections if part in section.model_fields]
            sections = [inner for field in fields for inner in _sections(field.annotation)]
    return sorted({key for section in sections for key in section.model_fields})


def _sections(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections(inner)
