"""Pipelines: the sum of their phases, a line for each. Only what is reported done is charged.

Without a report of phases the work counts as delivered as asked. With one, a phase that failed, was skipped or
is not mentioned costs nothing and is shown as a line of 0. While the work goes on, what is not mentioned is still to come.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from catalog.pricing.book import CompiledItem, CompiledPhase
from catalog.pricing.errors import InvalidAmount, InvalidParameter
from catalog.pricing.parameters import Values
from catalog.pricing.rates import Priced
from catalog.pricing.types import Line
from catalog.pricing.units import micros_to_decimal, parse_micros

_ONE = Decimal(1)
_ZERO = Decimal(0)
_STATUSES = ("succeeded", "failed", "skipped")
Reports = dict[str, Mapping[str, object]]


def estimated(item: CompiledItem, values: Values) -> tuple[Priced, ...]:
    """Each phase at its expected cost, reserves included."""
    parts: list[Priced] = []
    for phase in item.phases:
        parts += _expected(phase, values)
    return tuple(parts)


def told(item: CompiledItem, reported: object) -> dict[str, dict[str, object]]:
    """What a report says of which phases, in one form: ``{"<id>": {"status": …, what it produced}}``.

    Raises InvalidParameter where it is malformed or names a phase the item does not have.
    """
    if not item.phases:
        raise InvalidParameter("phases", f"{item.spec.label} has no phases; it is settled as a whole.")
    return {
        name: {"status": "succeeded", **{key: value for key, value in report.items() if key != "id"}}
        for name, report in _reports(item, reported).items()
    }


def delivered(
    item: CompiledItem, values: Values, reported: object, *, unfinished: bool = False
) -> tuple[Priced, ...]:
    """Each phase by its report; ``reported`` None: all as asked, without the reserves.

    ``unfinished``: what is not reported is still to come, at its expected cost.

    Raises InvalidParameter where the report is malformed or names a phase the pipeline does not have.
    """
    reports = None if reported is None else _reports(item, reported)
    parts: list[Priced] = []
    for phase in item.phases:
        report = None if reports is None else reports.get(phase.spec.id)
        if report is not None:
            parts += _reported(phase, values, report)
        elif unfinished:
            parts += _expected(phase, values)
        elif not phase.spec.only_reported:
            parts += _expected(phase, values) if reports is None else _nothing(phase, "not reported")
    return tuple(parts)


def _expected(phase: CompiledPhase, values: Values) -> tuple[Priced, ...]:
    if phase.rate is not None:
        return (phase.rate.price(phase.parameters.of_request(_passed(phase, values))),)
    target, fixed = _target(phase)
    checked = target.parameters.of_request(fixed)
    parts = estimated(target, checked) if target.phases else (target.rate.price(checked),)
    return _renamed(phase, parts)


def _reported(phase: CompiledPhase, values: Values, report: Mapping[str, object]) -> tuple[Priced, ...]:
    if report.get("status", "succeeded") != "succeeded":
        return _nothing(phase, str(report["status"]))
    if "cost" in report:
        micros = _cost(phase, report["cost"])
        return (
            Priced(
                Line(phase.spec.name, _ONE, micros_to_decimal(micros), micros), micros, micros, False, None
            ),
        )
    outputs = {name: value for name, value in report.items() if name not in {"id", "status"}}
    if phase.rate is not None:
        return (phase.rate.price(phase.parameters.of_outputs(_passed(phase, values), outputs)),)
    target, fixed = _target(phase)
    if target.phases:
        nested = outputs.pop("phases", None)
        checked = target.parameters.of_outputs(fixed, outputs)
        return _renamed(phase, delivered(target, checked, nested))
    return _renamed(phase, (target.rate.price(target.parameters.of_outputs(fixed, outputs)),))


def _nothing(phase: CompiledPhase, why: str) -> tuple[Priced, ...]:
    line = Line(f"{phase.spec.name} ({why}, not charged)", _ZERO, _ZERO, 0)
    return (Priced(line, 0, 0, False, None),)


def _renamed(phase: CompiledPhase, parts: tuple[Priced, ...]) -> tuple[Priced, ...]:
    if len(parts) == 1:
        return (replace(parts[0], line=replace(parts[0].line, what=phase.spec.name), tier=None),)
    return tuple(
        replace(part, line=replace(part.line, what=f"{phase.spec.name}: {part.line.what}"), tier=None)
        for part in parts
    )


def _passed(phase: CompiledPhase, values: Values) -> Values:
    """What the request says that the phase asks for by the same name (hero_resolution, say)."""
    return {name: values[name] for name in phase.parameters.specs if name in values}


def _target(phase: CompiledPhase) -> tuple[CompiledItem, Mapping[str, object]]:
    assert phase.target is not None and phase.spec.uses is not None  # noqa: PT018  build_book set both
    return phase.target, phase.spec.uses.parameters


def _cost(phase: CompiledPhase, cost: object) -> int:
    try:
        micros = parse_micros(cost) if isinstance(cost, str) else -1
    except InvalidAmount:
        micros = -1
    if micros < 0:
        raise InvalidParameter(
            "phases", f"the cost of {phase.spec.id} must be a plain decimal string such as 12.5."
        )
    return micros


def _reports(item: CompiledItem, reported: object) -> Reports:
    """The reports by phase id. Both ``[{"id": …}]`` and ``{"<id>": {…} | "<status>"}`` are understood."""
    known = [phase.spec.id for phase in item.phases]
    entries: list[object]
    if isinstance(reported, Mapping):
        entries = [
            {"id": name, "status": told} if isinstance(told, str) else {**_mapping(told), "id": name}
            for name, told in reported.items()
        ]
    elif isinstance(reported, list | tuple):
        entries = list(reported)
    else:
        raise InvalidParameter("phases", "must be a list of phases, each with its id.")
    reports: Reports = {}
    for entry in entries:
        report = _mapping(entry)
        name = report.get("id")
        if not isinstance(name, str) or name not in known:
            raise InvalidParameter("phases", f"each phase needs an id, one of {', '.join(known)}.")
        if name in reports:
            raise InvalidParameter("phases", f"{name} is reported twice.")
        if report.get("status", "succeeded") not in _STATUSES:
            raise InvalidParameter("phases", f"the status of {name} must be one of {', '.join(_STATUSES)}.")
        reports[name] = report
    return reports


def _mapping(entry: object) -> Mapping[str, object]:
    if not isinstance(entry, Mapping):
        raise InvalidParameter("phases", "must be a list of phases, each with its id.")
    return entry
