"""Items as JSON and back: what a stored price keeps besides its own columns."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from catalog.pricing.types import Item, ParameterSpec, Phase
from catalog.pricing.units import decimal_to_text

_ITEMS = TypeAdapter(Item)
_NUMERIC = frozenset({"integer", "number"})
Document = dict[str, Any]


def to_document(item: Item) -> Document:
    """The item as JSON values, decimals as plain strings, defaults left out."""
    plain = _plain(_ITEMS.dump_python(item, exclude_defaults=True))
    assert isinstance(plain, dict)  # an item is a mapping
    return plain


def from_document(document: Mapping[str, Any]) -> Item:
    """The item behind its JSON. Raises pydantic's ValidationError for anything else."""
    item = _ITEMS.validate_python(document)
    return replace(
        item,
        parameters=tuple(_revived(spec) for spec in item.parameters),
        phases=tuple(_revived_phase(phase) for phase in item.phases),
    )


def _revived_phase(phase: Phase) -> Phase:
    return replace(phase, parameters=tuple(_revived(spec) for spec in phase.parameters))


def _revived(spec: ParameterSpec) -> ParameterSpec:
    """A numeric default is a number again; JSON kept it as text to keep it exact."""
    if spec.type in _NUMERIC and isinstance(spec.default, str):
        number = Decimal(spec.default)
        return replace(spec, default=int(number) if spec.type == "integer" else number)
    return spec


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return decimal_to_text(value)
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
