"""From a profile file to complete price items: names replaced by what they stand for.

A price names parameters, modifiers and a pipeline that are declared once in the file; here each becomes
part of the item itself, so that a stored price needs nothing but itself to be computed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from catalog.pricing.book import nearest
from catalog.pricing.errors import InvalidParameter
from catalog.pricing.parameters import compile_check
from catalog.pricing.rounding import EXACT, half_up
from catalog.pricing.types import (
    Between,
    Implied,
    Item,
    Modifier,
    ParameterSpec,
    Phase,
    Rate,
    Scalar,
    Uses,
    Variant,
    When,
)
from catalog.problems import Problems
from catalog.profile_file import (
    Conditions,
    LimitEntry,
    ModelEntry,
    OperationEntry,
    Parameter,
    PhaseEntry,
    Priced,
    PriceEntry,
    PriceListEntry,
    ProfileFile,
    RateEntry,
    Span,
)
from catalog.toml_lines import Path


@dataclass(frozen=True, slots=True)
class ListedItem:
    """An item, the cost it was derived from if it was, and where in the file it stands."""

    item: Item
    provider_cost: Decimal | None
    path: Path


class Resolver:
    """Resolves the prices of one file, noting every problem on the way."""

    def __init__(self, file: ProfileFile, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._parameters = {entry.name: _parameter(entry) for entry in file.parameter}
        self._operations = {entry.id: entry for entry in file.operation}
        self._modifiers = {entry.id: entry for entry in file.modifier}
        self._pipelines = {entry.id: (number, entry) for number, entry in enumerate(file.pipeline)}
        self._lists = {entry.id: entry for entry in file.price_list}
        self._units = {"request"} | {spec.counts for spec in self._parameters.values() if spec.counts}
        self._limits = {key for plan in file.plan for key in plan.monthly_limits}
        self.used_limits: set[str] = set()

    def parameter(self, name: str) -> ParameterSpec:
        """A declared parameter as prices take it."""
        return self._parameters[name]

    def lists(self) -> dict[str, list[ListedItem]]:
        """The items of each price list, in the order of the file."""
        found: dict[str, list[ListedItem]] = {slug: [] for slug in self._lists}
        for m, model in enumerate(self._file.model):
            if not model.prices:
                self._problems.add(
                    ("model", m, "id"), f"{model.id} has no price; nothing of it could be sold."
                )
            for p, entry in enumerate(model.prices):
                path: Path = ("model", m, "prices", p)
                listed = self._item(model, entry, path)
                if listed is not None:
                    found[entry.price_list or self._file.price_list[0].id].append(listed)
        return found

    def _item(self, model: ModelEntry, entry: PriceEntry, path: Path) -> ListedItem | None:
        operation = self._operations.get(entry.operation)
        if operation is None:
            self._problems.add((*path, "operation"), _missing("operation", entry.operation, self._operations))
            return None
        price_list = self._lists.get(entry.price_list or self._file.price_list[0].id)
        if price_list is None:
            self._problems.add(
                (*path, "price_list"), _missing("price_list", entry.price_list or "", self._lists)
            )
            return None
        self._one_way(entry, path)
        derived = self._derived(model, entry, price_list, path)
        entry = entry if derived is None else entry.model_copy(update={"price": derived})
        rate, parameters = self._rate(entry, operation, path)
        self._monthly(entry, path)
        item = Item(
            model=model.id,
            operation=operation.id,
            model_name=model.name,
            operation_name=operation.name,
            description=model.description,
            tier=model.tier,
            rate=rate,
            phases=self._phases(entry, path),
            parameters=parameters,
            minimum=entry.minimum or Decimal(0),
            requires=entry.requires,
            charge_on=entry.charge_on or self._file.terms.charge_on,
            hold_ttl=entry.hold_ttl or self._file.terms.hold_ttl,
            confirm=entry.confirm,
            monthly_limit=entry.monthly_limit,
        )
        return ListedItem(item, model.provider_cost if entry.derived else None, path)

    def _one_way(self, entry: PriceEntry, path: Path) -> None:
        """A price is given in exactly one way; nothing is free by omission."""
        priced = entry.price is not None or entry.high is not None
        ways = [priced or bool(entry.variants), entry.free, entry.derived, entry.pipeline is not None]
        if sum(ways) == 0:
            self._problems.add(path, "has no price: give price, variants, free, derived or pipeline.")
        if entry.price == 0 or (entry.price is None and entry.high == 0):
            self._problems.add((*path, "price"), "is 0; what costs nothing says free = true.")
        for number, variant in enumerate(entry.variants):
            if (variant.high if variant.price is None else variant.price) == 0:
                self._problems.add(
                    (*path, "variants", number), "is 0; what costs nothing is an operation with free = true."
                )
        if sum(ways) > 1:
            self._problems.add(
                path, "is priced in more than one way: price/variants, free, derived, pipeline."
            )

    def _monthly(self, entry: PriceEntry, path: Path) -> None:
        if entry.monthly_limit:
            self.used_limits.add(entry.monthly_limit)
            if entry.monthly_limit not in self._limits:
                self._problems.add(
                    (*path, "monthly_limit"),
                    f"no plan has {entry.monthly_limit!r} among its monthly_limits."
                    f"{nearest(entry.monthly_limit, self._limits)}",
                )

    def _derived(
        self, model: ModelEntry, entry: PriceEntry, price_list: PriceListEntry, path: Path
    ) -> Decimal | None:
        if not entry.derived:
            return None
        if model.provider_cost is None:
            self._problems.add((*path, "derived"), f"{model.id} has no provider_cost to derive a rate from.")
            return None
        if price_list.markup is None or not price_list.round_to:
            self._problems.add(
                (*path, "derived"), f"price list {price_list.id!r} has no markup and round_to."
            )
            return None
        rate = derived_rate(model.provider_cost, price_list.markup, price_list.round_to)
        if rate == 0:
            self._problems.add((*path, "derived"), f"{model.id}'s provider_cost gives a rate of 0.")
        return rate

    def _rate(
        self, entry: RateEntry, operation: OperationEntry | None, path: Path
    ) -> tuple[Rate, tuple[ParameterSpec, ...]]:
        """The rate and every parameter it takes: declared, counted, or named by a condition."""
        per = entry.per or (operation.per if operation is not None else "request")
        if per not in self._units:
            self._problems.add(
                (*path, "per"),
                f"nothing counts {per!r}; use {', '.join(sorted(self._units))} or declare a parameter.",
            )
        free = isinstance(entry, PriceEntry) and entry.free
        variants = tuple(
            Variant(
                name=variant.name,
                when=_when(variant.when),
                price=self._nominal(variant, (*path, "variants", number)) or Decimal(0),
                low=variant.low,
                high=variant.high,
                requires=variant.requires,
                approximate=variant.approximate,
            )
            for number, variant in enumerate(entry.variants)
        )
        for number, variant in enumerate(entry.variants):
            if variant.price is None and variant.high is None:
                self._problems.add((*path, "variants", number), "has no price.")
        rate = Rate(
            price=Decimal(0) if free else self._nominal(entry, path),
            per=per,
            times=entry.times,
            low=entry.low,
            high=entry.high,
            approximate=entry.approximate,
            variants=variants,
            modifiers=self._chosen_modifiers(entry, path),
        )
        return rate, self._taken(entry, operation, rate, path)

    def _nominal(self, entry: Priced, path: Path) -> Decimal | None:
        """The price; where only a range is given its upper end, so that a hold covers the dearest case."""
        price, low, high = entry.price, entry.low, entry.high
        nominal = high if price is None else price
        if nominal is not None and low is not None and low > nominal:
            self._problems.add((*path, "low"), "is above the price.")
        if price is not None and high is not None and high < price:
            self._problems.add((*path, "high"), "is below the price.")
        return nominal

    def _chosen_modifiers(self, entry: RateEntry, path: Path) -> tuple[Modifier, ...]:
        chosen = []
        for number, name in enumerate(entry.modifiers):
            modifier = self._modifiers.get(name)
            if name in entry.modifiers[:number]:
                self._problems.add((*path, "modifiers", number), f"{name!r} would change the price twice.")
            if modifier is None:
                self._problems.add((*path, "modifiers", number), _missing("modifier", name, self._modifiers))
                continue
            chosen.append(
                Modifier(
                    name=modifier.name,
                    when=_when(modifier.when),
                    times=Decimal(1) if modifier.times is None else modifier.times,
                    add=modifier.add or Decimal(0),
                    requires=modifier.requires,
                )
            )
        return tuple(chosen)

    def _taken(
        self, entry: RateEntry, operation: OperationEntry | None, rate: Rate, path: Path
    ) -> tuple[ParameterSpec, ...]:
        declared = entry.parameters
        if declared is None:
            declared = operation.parameters if operation is not None else ()
        counted = [spec.name for spec in self._parameters.values() if spec.counts and spec.counts == rate.per]
        conditions = [name for when in _whens(rate) for name in when]
        names = dict.fromkeys([*declared, *counted, *rate.times, *conditions, *entry.limits])
        specs = []
        for name in names:
            spec = self._parameters.get(name)
            if spec is None:
                hint = nearest(name, self._parameters)
                self._problems.add(path, f"there is no [[parameter]] named {name!r}.{hint}")
                continue
            specs.append(self._narrowed(spec, entry.limits.get(name), (*path, "limits", name)))
        self._check_counted([*counted, *rate.times], {spec.name: spec for spec in specs}, path)
        self._check_conditions(rate, path)
        return tuple(specs)

    def _check_counted(self, names: list[str], specs: Mapping[str, ParameterSpec], path: Path) -> None:
        """What multiplies a price is a number, once, and never 0: a request for none would be free."""
        for name in dict.fromkeys(names):
            spec = specs.get(name)
            if spec is None:
                continue
            if spec.type not in {"integer", "number"}:
                self._problems.add(path, f"{name} multiplies the price and must be an integer or a number.")
            elif spec.min is None or spec.min <= 0:
                self._problems.add(
                    path, f"{name} multiplies the price and needs a min above 0: none would be free."
                )
            if names.count(name) > 1:
                self._problems.add((*path, "times"), f"{name} would multiply the price twice.")

    def _narrowed(self, spec: ParameterSpec, limit: LimitEntry | None, path: Path) -> ParameterSpec:
        if limit is None:
            return spec
        if limit.choices is not None and not set(limit.choices) <= set(spec.choices):
            self._problems.add((*path, "choices"), f"{spec.name} has only {', '.join(spec.choices)}.")
        narrowed = replace(
            spec,
            choices=limit.choices or spec.choices,
            min=spec.min if limit.min is None else limit.min,
            max=spec.max if limit.max is None else limit.max,
            default=spec.default if limit.default is None else _default(limit.default, spec),
        )
        if narrowed.type == "choice" and limit.default is None and narrowed.default not in narrowed.choices:
            narrowed = replace(narrowed, default=None)
        self.check_default(narrowed, path)
        return narrowed

    def check_default(self, spec: ParameterSpec, path: Path) -> None:
        """A default has to pass the parameter's own check."""
        if spec.default is None:
            return
        try:
            compile_check(spec, output=False)(spec.default)
        except InvalidParameter as error:
            self._problems.add((*path, "default"), error.message)

    def _check_conditions(self, rate: Rate, path: Path) -> None:
        for name, allowed in (pair for when in _whens(rate) for pair in when.items()):
            spec = self._parameters.get(name)
            if spec is None:
                continue
            if isinstance(allowed, Between):
                if spec.type not in {"integer", "number"}:
                    self._problems.add(path, f"a condition gives {name} a span, but it is not a number.")
                continue
            for value in allowed:
                try:
                    compile_check(spec, output=True)(value)
                except InvalidParameter as error:
                    self._problems.add(path, f"a condition asks for {name} {value!r}, which {error.message}")

    def _phases(self, entry: PriceEntry, path: Path) -> tuple[Phase, ...]:
        if entry.pipeline is None:
            return ()
        found = self._pipelines.get(entry.pipeline)
        if found is None:
            self._problems.add((*path, "pipeline"), _missing("pipeline", entry.pipeline, self._pipelines))
            return ()
        number, pipeline = found
        return tuple(
            self._phase(phase, ("pipeline", number, "phases", place))
            for place, phase in enumerate(pipeline.phases)
        )

    def _phase(self, entry: PhaseEntry, path: Path) -> Phase:
        own = entry.price is not None or entry.high is not None or bool(entry.variants)
        if own == (entry.uses is not None):
            self._problems.add(path, "needs either a price of its own or uses, and not both.")
        if entry.uses is not None:
            uses = Uses(
                model=entry.uses.model, operation=entry.uses.operation, parameters=dict(entry.uses.parameters)
            )
            return Phase(id=entry.id, name=entry.name, uses=uses, only_reported=entry.only_reported)
        rate, parameters = self._rate(entry, None, path)
        return Phase(
            id=entry.id, name=entry.name, rate=rate, parameters=parameters, only_reported=entry.only_reported
        )


def _missing(section: str, name: str, known: Iterable[str]) -> str:
    return f"there is no [[{section}]] with the id {name!r}.{nearest(name, known)}"


def derived_rate(cost: Decimal, markup: Decimal, round_to: Decimal) -> Decimal:
    """Provider cost x markup, rounded half up to a step: 0.034 x 1.8 -> 0.061 at 0.001."""
    return half_up(EXACT.multiply(cost, markup), round_to)


def _parameter(entry: Parameter) -> ParameterSpec:
    implied = None
    if entry.implied is not None:
        implied = Implied(by=entry.implied.by, values=dict(entry.implied.values))
    return ParameterSpec(
        name=entry.name,
        type=entry.type,
        choices=entry.choices,
        min=entry.min,
        max=entry.max,
        default=_whole(entry.default) if entry.type == "integer" else entry.default,
        counts=entry.counts,
        implied=implied,
    )


def _whole(value: Scalar | None) -> Scalar | None:
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else value


def _default(value: Scalar, spec: ParameterSpec) -> Scalar:
    whole = _whole(value) if spec.type == "integer" else None
    return value if whole is None else whole


def _when(conditions: Conditions) -> When:
    return {
        name: Between(min=allowed.min, max=allowed.max) if isinstance(allowed, Span) else tuple(allowed)
        for name, allowed in conditions.items()
    }


def _whens(rate: Rate) -> list[When]:
    return [*(variant.when for variant in rate.variants), *(modifier.when for modifier in rate.modifiers)]
