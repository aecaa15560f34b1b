"""A stored profile as a profile file: loading it again changes nothing.

Stored prices are complete by themselves. What several of them share (parameters, modifiers, pipelines) is
declared once again, and each price says only what it narrows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.utils.text import slugify

from catalog import drafts, toml_text
from catalog.drafts import Entry, Key
from catalog.models import AIModel, PriceList, Profile
from catalog.pricing.types import Between, Item, Modifier, ParameterSpec, Phase, Rate, When
from catalog.store import plan_document
from catalog.terms import PlanEntry, Settings
from catalog.values import Section
from catalog.versions import latest

Document = dict[str, Any]


class CannotExport(Exception):
    """What is stored says something that a file cannot; the message names it."""


def write(profile: Profile) -> str:
    """The profile as a file. Raises CannotExport."""
    return _Export(profile).text()


@dataclass(slots=True)
class _Shared:
    """What prices refer to by name: parameters, modifiers and pipelines."""

    parameters: dict[str, ParameterSpec] = field(default_factory=dict)
    modifiers: dict[str, tuple[str, Modifier]] = field(default_factory=dict)
    pipelines: dict[str, tuple[str, tuple[Phase, ...]]] = field(default_factory=dict)


class _Export:
    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._settings = Settings.model_validate(profile.settings)
        self._lists = list(profile.price_lists.filter(active=True))
        self._models = list(profile.ai_models.filter(active=True))
        self._operations = list(profile.operations.filter(active=True))
        offered = {row.slug for row in self._models}
        known = {row.slug for row in self._operations}
        self._entries: list[tuple[PriceList, Key, Entry]] = []
        for row in self._lists:
            book = latest(row)
            for key, entry in (drafts.entries(book) if book is not None else {}).items():
                if key[0] in offered and key[1] in known:
                    self._entries.append((row, key, entry))
        self._shared = _shared([entry.item for _, _, entry in self._entries])
        self._per = self._usual(lambda item: item.rate.per)

    def _usual(self, read: Any) -> dict[str, Any]:
        """For each operation the most common value among its prices."""
        counts: dict[str, Counter[Any]] = {}
        for _, (_, operation), entry in self._entries:
            counts.setdefault(operation, Counter())[read(entry.item)] += 1
        return {operation: count.most_common(1)[0][0] for operation, count in counts.items()}

    def text(self) -> str:
        parts = [*self._head(), *self._plans(), *self._price_lists(), *self._declared()]
        parts += [
            toml_text.element("operation", {"id": row.slug, "name": row.name, "per": self._per.get(row.slug)})
            for row in self._operations
        ]
        parts += [self._modifier(name, modifier) for name, modifier in self._shared.modifiers.values()]
        for name, phases in self._shared.pipelines.values():
            parts += self._pipeline(name, phases)
        for model in self._models:
            parts += self._model(model)
        return "\n".join(parts)

    def _head(self) -> Iterator[str]:
        profile = self._profile
        head = {
            "id": profile.slug,
            "name": profile.name,
            "cash_currency": profile.cash_currency,
            "credit_price": profile.credit_price,
        }
        yield f'# Profile "{profile.slug}", written from what is stored. The format: docs/profiles.md.\nformat = 1\n'
        yield toml_text.table("profile", head)
        terms = section(self._settings)
        own = {name: part for name, part in terms.items() if name not in _TABLES}
        yield toml_text.table("terms", own)
        for name in _TABLES:
            if name == "balance_gates":
                for gate in terms.get(name, ()):
                    yield toml_text.element("terms.balance_gates", gate)
            elif terms.get(name):
                yield toml_text.table(f"terms.{name}", terms[name])

    def _plans(self) -> Iterator[str]:
        for plan in self._profile.plans.filter(active=True):
            yield toml_text.element("plan", section(PlanEntry.model_validate(plan_document(plan))))

    def _price_lists(self) -> Iterator[str]:
        for row in self._lists:
            yield toml_text.element(
                "price_list",
                {
                    **{"id": row.slug, "name": row.name, "unit": row.unit, "modes": row.modes},
                    **{"markup": row.markup, "round_to": row.round_to},
                },
            )

    def _declared(self) -> Iterator[str]:
        for spec in self._shared.parameters.values():
            implied = spec.implied and {"by": spec.implied.by, "values": dict(spec.implied.values)}
            yield toml_text.element(
                "parameter",
                {
                    **{"name": spec.name, "type": spec.type, "choices": spec.choices},
                    **{"min": spec.min, "max": spec.max, "default": spec.default},
                    **{"counts": spec.counts, "implied": implied},
                },
            )

    def _modifier(self, name: str, modifier: Modifier) -> str:
        return toml_text.element(
            "modifier",
            {
                **{"id": name, "name": modifier.name, "when": _when(modifier.when)},
                **{"times": modifier.times, "add": modifier.add or None, "requires": modifier.requires},
            },
        )

    def _pipeline(self, name: str, phases: tuple[Phase, ...]) -> Iterator[str]:
        yield toml_text.element("pipeline", {"id": name})
        for phase in phases:
            values: Document = {
                "id": phase.id,
                "name": phase.name,
                "only_reported": phase.only_reported or None,
            }
            if phase.uses is not None:
                uses = phase.uses
                values["uses"] = {"model": uses.model, "operation": uses.operation}
                if uses.parameters:
                    values["uses"]["parameters"] = dict(uses.parameters)
            if phase.rate is not None:
                values |= self._rate(phase.rate, phase.parameters, "request")
            yield toml_text.element("pipeline.phases", values)

    def _model(self, model: AIModel) -> Iterator[str]:
        mine = [(row, key, entry) for row, key, entry in self._entries if key[0] == model.slug]
        if not mine:
            yield f"# {model.slug} ({model.name}) has no price, and a file has no place for it.\n"
            return
        yield toml_text.element(
            "model",
            {
                **{"id": model.slug, "name": model.name, "tier": model.tier},
                **{"description": model.description, "provider_cost": model.provider_cost},
            },
        )
        for row, key, entry in mine:
            yield toml_text.element("model.prices", self._price(row, key[1], entry))

    def _price(self, row: PriceList, operation: str, entry: Entry) -> Document:
        item = entry.item
        rate = self._rate(item.rate, item.parameters, self._per[operation])
        price = rate.pop("price", None)
        values: Document = {
            "operation": operation,
            "price_list": row.slug if row.pk != self._lists[0].pk else None,
        }
        if item.phases:
            values["pipeline"] = self._shared.pipelines[repr(item.phases)][0]
        elif entry.cost is not None:
            values["derived"] = True
        elif price == 0 and not item.rate.variants:
            values["free"] = True
        else:
            values["price"] = price
        return {
            **values,
            **rate,
            "minimum": item.minimum or None,
            "requires": item.requires,
            "charge_on": item.charge_on if item.charge_on != self._settings.charge_on else None,
            "hold_ttl": item.hold_ttl if item.hold_ttl != self._settings.hold_ttl else None,
            "confirm": item.confirm or None,
            "monthly_limit": item.monthly_limit,
        }

    def _rate(self, rate: Rate, parameters: tuple[ParameterSpec, ...], usual: str) -> Document:
        limits = {spec.name: limit for spec in parameters if (limit := self._limit(spec))}
        return {
            "price": rate.price,
            "per": rate.per if rate.per != usual else None,
            "low": rate.low,
            "high": rate.high,
            "approximate": rate.approximate or None,
            "times": rate.times,
            "variants": [_variant(variant) for variant in rate.variants],
            "modifiers": [self._shared.modifiers[repr(modifier)][0] for modifier in rate.modifiers],
            "parameters": [spec.name for spec in parameters],
            "limits": limits,
        }

    def _limit(self, spec: ParameterSpec) -> Document:
        """What this price narrows of the declared parameter."""
        base = self._shared.parameters[spec.name]
        parts = ("choices", "min", "max", "default")
        found = {part: getattr(spec, part) for part in parts if getattr(spec, part) != getattr(base, part)}
        if found.get("default", "") is None and "choices" not in found:
            raise CannotExport(f"{spec.name} has a default in some prices only.")  # pragma: no cover
        return {part: value for part, value in found.items() if value is not None}


_TABLES = tuple(
    name
    for name, info in Settings.model_fields.items()
    if name == "balance_gates" or (info.default is None or isinstance(info.default, Section))
    if name not in ("key_slots",)
)


def section(settings: Section) -> Document:
    """What a section says beyond its defaults, amounts as the decimals a file has."""
    plain = settings.model_dump(exclude_defaults=True)
    found: Document = _exact(plain, settings.model_dump(mode="json", exclude_defaults=True))
    return found


def _exact(value: Any, text: Any) -> Any:
    """An integer that JSON writes as a text is an amount in micros: the text is its decimal."""
    if isinstance(value, Mapping):
        return {key: _exact(part, text[key]) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(part, other) for part, other in zip(value, text, strict=True)]
    if isinstance(text, str) and not isinstance(value, str):
        return Decimal(text)
    return value


def _shared(items: Iterable[Item]) -> _Shared:
    shared = _Shared()
    taken: dict[str, list[ParameterSpec]] = {}
    for item in items:
        for rate, parameters in ((item.rate, item.parameters), *_phase_rates(item)):
            for spec in parameters:
                taken.setdefault(spec.name, []).append(spec)
            for modifier in rate.modifiers:
                _name(shared.modifiers, modifier, slugify(modifier.name) or "modifier")
        if item.phases:
            _name(shared.pipelines, item.phases, f"{item.model}-{item.operation}"[:46])
    shared.parameters = {name: _widest(specs) for name, specs in taken.items()}
    return shared


def _phase_rates(item: Item) -> Iterator[tuple[Rate, tuple[ParameterSpec, ...]]]:
    for phase in item.phases:
        if phase.rate is not None:
            yield phase.rate, phase.parameters


def _name(known: dict[str, tuple[str, Any]], part: Any, wish: str) -> None:
    """Give a part a name of its own, the same part the same one."""
    if repr(part) in known:
        return
    names = {name for name, _ in known.values()}
    wish = wish[:46].strip("-")
    number = 1
    while (name := wish if number == 1 else f"{wish}-{number}") in names:
        number += 1
    known[repr(part)] = (name, part)


def _widest(specs: list[ParameterSpec]) -> ParameterSpec:
    """The declaration all uses of a parameter are narrowed from."""
    first = specs[0]
    for spec in specs:
        if (spec.type, spec.counts, spec.implied) != (first.type, first.counts, first.implied):
            raise CannotExport(f"The parameter {first.name} is not the same thing in all prices.")
    lows, highs = [spec.min for spec in specs], [spec.max for spec in specs]
    defaults = {repr(spec.default): spec.default for spec in specs}
    return ParameterSpec(
        name=first.name,
        type=first.type,
        choices=tuple(dict.fromkeys(choice for spec in specs for choice in spec.choices)),
        min=None if None in lows else min(low for low in lows if low is not None),
        max=None if None in highs else max(high for high in highs if high is not None),
        default=next(iter(defaults.values())) if len(defaults) == 1 else None,
        counts=first.counts,
        implied=first.implied,
    )


def _variant(variant: Any) -> Document:
    parts: Document = {"name": variant.name or None, "when": _when(variant.when), "price": variant.price}
    parts |= {"low": variant.low, "high": variant.high, "requires": variant.requires or None}
    return {**parts, "approximate": variant.approximate or None}


def _when(when: When) -> Document:
    found: Document = {}
    for name, allowed in when.items():
        if isinstance(allowed, Between):
            bounds = {"min": allowed.min, "max": allowed.max}
            found[name] = {part: bound for part, bound in bounds.items() if bound is not None}
        else:
            found[name] = allowed[0] if len(allowed) == 1 else list(allowed)
    return found
