"""What only the whole file shows: doubles, missing names, mixed currencies, circular pipelines."""

from collections.abc import Callable, Iterable

from catalog.pricing.book import nearest, reaches
from catalog.pricing.types import Item
from catalog.pricing.units import CREDIT
from catalog.problems import Problems
from catalog.profile_file import ProfileFile
from catalog.resolve import ListedItem, Resolver
from catalog.terms_checks import check_terms
from catalog.toml_lines import Path

Lists = dict[str, list[ListedItem]]


def check(file: ProfileFile, resolver: Resolver, lists: Lists, problems: Problems) -> None:
    """Note every problem of a file whose values are each fine by themselves."""
    rules: list[Callable[[], None]] = [
        lambda: _doubles(file, problems),
        lambda: _units(file, problems),
        lambda: _modes(file, problems),
        lambda: _parameters(file, resolver, problems),
        lambda: _plans(file, resolver, lists, problems),
        lambda: _requirements(file, lists, problems),
        lambda: _items(lists, problems),
        lambda: _balance_gates(file, problems),
        lambda: _names(file, lists, problems),
        lambda: check_terms(file.terms, problems),
    ]
    for rule in rules:
        rule()


def _doubles(file: ProfileFile, problems: Problems) -> None:
    sections: dict[str, list[object]] = {
        "plan": [entry.slug for entry in file.plan],
        "price_list": [entry.id for entry in file.price_list],
        "parameter": [entry.name for entry in file.parameter],
        "operation": [entry.id for entry in file.operation],
        "modifier": [entry.id for entry in file.modifier],
        "pipeline": [entry.id for entry in file.pipeline],
        "model": [entry.id for entry in file.model],
    }
    for section, ids in sections.items():
        for number in _repeated(ids):
            problems.add((section, number), f"{ids[number]!r} is declared twice.")
    for number in _repeated([entry.rank for entry in file.plan]):
        problems.add(("plan", number, "rank"), f"another plan has rank {file.plan[number].rank} too.")
    counting = [entry.counts or number for number, entry in enumerate(file.parameter)]
    for number in _repeated(counting):
        problems.add(("parameter", number, "counts"), f"another parameter counts {counting[number]} too.")
    for number, pipeline in enumerate(file.pipeline):
        for place in _repeated([phase.id for phase in pipeline.phases]):
            problems.add(
                ("pipeline", number, "phases", place), f"{pipeline.phases[place].id!r} is declared twice."
            )


def _repeated(ids: Iterable[object]) -> list[int]:
    seen: set[object] = set()
    repeated = []
    for number, name in enumerate(ids):
        if name in seen:
            repeated.append(number)
        seen.add(name)
    return repeated


def _units(file: ProfileFile, problems: Problems) -> None:
    for number, entry in enumerate(file.price_list):
        if entry.unit == CREDIT and not file.profile.credit_price:
            problems.add(("price_list", number, "unit"), "credits need a credit_price above 0 in [profile].")
        if entry.unit not in {CREDIT, file.profile.cash_currency}:
            problems.add(
                ("price_list", number, "unit"),
                f"two currencies in one profile: {entry.unit} here, {file.profile.cash_currency} above.",
            )
    if file.profile.credit_price and all(entry.unit != CREDIT for entry in file.price_list):
        problems.add(("profile", "credit_price"), "no price list is counted in credits.")


def _modes(file: ProfileFile, problems: Problems) -> None:
    terms = file.terms
    if terms.default_mode not in terms.modes:
        problems.add(("terms", "default_mode"), f"{terms.default_mode} is not among the modes.")
    paid: dict[str, str] = {}
    for number, entry in enumerate(file.price_list):
        for mode in entry.modes:
            if mode in paid:
                problems.add(("price_list", number, "modes"), f"{mode} is paid by {paid[mode]!r} already.")
            if mode not in terms.modes:
                problems.add(("price_list", number, "modes"), f"{mode} is not among the profile's modes.")
            paid.setdefault(mode, entry.id)
    for mode in terms.modes:
        if mode not in paid:
            problems.add(("terms", "modes"), f"no price list says what {mode} accounts pay.")


def _parameters(file: ProfileFile, resolver: Resolver, problems: Problems) -> None:
    declared = {entry.name: entry for entry in file.parameter}
    for number, entry in enumerate(file.parameter):
        path: Path = ("parameter", number)
        numeric = entry.type in {"integer", "number"}
        if entry.type == "choice" and not entry.choices:
            problems.add((*path, "choices"), "a choice needs its choices.")
        if numeric and entry.max is None:
            problems.add((*path, "max"), "a number needs a max, so that absurd sizes are refused.")
        if entry.min is not None and entry.max is not None and entry.min > entry.max:
            problems.add((*path, "min"), "is above max.")
        if entry.counts and not numeric:
            problems.add((*path, "counts"), "only an integer or a number can be counted.")
        spec = resolver.parameter(entry.name)
        resolver.check_default(spec, path)
        if entry.implied is not None:
            by = declared.get(entry.implied.by)
            if by is None or by.type != "choice":
                problems.add((*path, "implied", "by"), f"{entry.implied.by!r} is not a declared choice.")
            elif unknown := set(entry.implied.values) - set(by.choices):
                problems.add((*path, "implied", "values"), f"{by.name} has no {', '.join(sorted(unknown))}.")


def _plans(file: ProfileFile, resolver: Resolver, lists: Lists, problems: Problems) -> None:
    plans = {plan.slug for plan in file.plan}
    if file.terms.default_plan and file.terms.default_plan not in plans:
        problems.add(("terms", "default_plan"), _no_plan(file.terms.default_plan, plans))
    for number, plan in enumerate(file.plan):
        for limit in plan.monthly_limits:
            if limit not in resolver.used_limits:
                problems.add(("plan", number, "monthly_limits", limit), "no price counts towards it.")
    for number, modifier in enumerate(file.modifier):
        if modifier.requires and modifier.requires not in plans:
            problems.add(("modifier", number, "requires"), _no_plan(modifier.requires, plans))
        if modifier.times is None and modifier.add is None:
            problems.add(("modifier", number), "needs times or add.")


def _requirements(file: ProfileFile, lists: Lists, problems: Problems) -> None:
    plans = {plan.slug for plan in file.plan}
    for listed in _all(lists):
        if listed.item.requires and listed.item.requires not in plans:
            problems.add((*listed.path, "requires"), _no_plan(listed.item.requires, plans))
        for place, variant in enumerate(listed.item.rate.variants):
            if variant.requires and variant.requires not in plans:
                path = (*listed.path, "variants", place, "requires")
                problems.add(path, _no_plan(variant.requires, plans))
    for number, pipeline in enumerate(file.pipeline):
        for at, phase in enumerate(pipeline.phases):
            for place, entry in enumerate(phase.variants):
                if entry.requires and entry.requires not in plans:
                    path = ("pipeline", number, "phases", at, "variants", place, "requires")
                    problems.add(path, _no_plan(entry.requires, plans))


def _no_plan(name: str, plans: Iterable[str]) -> str:
    return f"there is no plan {name!r}.{nearest(name, plans)}"


def _items(lists: Lists, problems: Problems) -> None:
    for slug, items in lists.items():
        keys = [(listed.item.model, listed.item.operation) for listed in items]
        for number in _repeated(keys):
            problems.add(items[number].path, f"{'.'.join(keys[number])} is priced twice in {slug!r}.")
        graph = {key: _used(listed.item) for key, listed in zip(keys, items, strict=True)}
        for key, listed in zip(keys, items, strict=True):
            for target in graph[key]:
                if target not in graph:
                    problems.add(
                        (*listed.path, "pipeline"),
                        f"uses {'.'.join(target)}, which has no price in {slug!r}."
                        f"{nearest('.'.join(target), map('.'.join, graph))}",
                    )
            if reaches(key, graph):
                problems.add((*listed.path, "pipeline"), f"{'.'.join(key)} is composed of itself.")


def _used(item: Item) -> list[tuple[str, str]]:
    return [(phase.uses.model, phase.uses.operation) for phase in item.phases if phase.uses is not None]


def _balance_gates(file: ProfileFile, problems: Problems) -> None:
    tiers = {entry.tier for entry in file.model if entry.tier}
    choices = {entry.name: entry.choices for entry in file.parameter}
    for number, gate in enumerate(file.terms.balance_gates):
        path: Path = ("terms", "balance_gates", number)
        for tier in gate.tiers:
            if tier not in tiers:
                problems.add((*path, "tiers"), f"no model has the tier {tier!r}.{nearest(tier, tiers)}")
        for name, values in gate.when.items():
            for value in values:
                if value not in choices.get(name, ()):
                    problems.add((*path, "when", name), f"{value!r} is not a choice of a parameter {name!r}.")


def _names(file: ProfileFile, lists: Lists, problems: Problems) -> None:
    models = {entry.id for entry in file.model}
    priced = {f"{one.item.model}.{one.item.operation}" for listed in lists.values() for one in listed}
    for name, reference in file.terms.headline.items():
        if reference not in priced:
            problems.add(
                ("terms", "headline", name),
                f"{reference!r} is not a priced model.operation.{nearest(reference, priced)}",
            )
    if file.terms.volume_offer is not None:
        for model in file.terms.volume_offer.models:
            if model not in models:
                problems.add(
                    ("terms", "volume_offer", "models"),
                    f"there is no model {model!r}.{nearest(model, models)}",
                )


def _all(lists: Lists) -> list[ListedItem]:
    return [listed for items in lists.values() for listed in items]
