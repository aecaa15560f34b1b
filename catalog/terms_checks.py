"""Terms that contradict themselves: bounds the wrong way round, defaults nobody could choose."""

from itertools import pairwise

from catalog.problems import Problems
from catalog.terms import Settings
from catalog.toml_lines import Path

Rule = tuple[bool, Path, str]


def check_terms(terms: Settings, problems: Problems) -> None:
    """Note every contradiction within the terms of a profile."""
    for broken, path, message in (
        *_topup(terms),
        *_limits(terms),
        *_low_balance(terms),
        *_tiers(terms),
    ):
        if broken:
            problems.add(("terms", *path), message)


def _topup(terms: Settings) -> list[Rule]:
    least, most = terms.topup.min, terms.topup.max
    rules: list[Rule] = [(least > most, ("topup", "min"), "is above max.")]
    rules += [
        (not least <= preset <= most, ("topup", "presets", number), "is not between min and max.")
        for number, preset in enumerate(terms.topup.presets)
    ]
    usual = terms.auto_recharge
    if usual is not None:
        rules += [
            (
                not least <= usual.amount <= most,
                ("auto_recharge", "amount"),
                "is not between the least and the most that can be bought.",
            ),
            (
                usual.monthly_cap is not None and usual.monthly_cap < usual.amount,
                ("auto_recharge", "monthly_cap"),
                "is below the amount, so nothing would ever be charged.",
            ),
        ]
    return rules


def _limits(terms: Settings) -> list[Rule]:
    limit = terms.spending_limit
    if limit is None:
        return []
    return [(limit.default > limit.max, ("spending_limit", "default"), "is above max.")]


def _low_balance(terms: Settings) -> list[Rule]:
    low = terms.low_balance
    if low is None:
        return []
    return [(low.floor > low.ceiling, ("low_balance", "floor"), "is above ceiling.")]


def _tiers(terms: Settings) -> list[Rule]:
    """Volume discounts grow with the volume; each starts somewhere else."""
    tiers = terms.volume_offer.tiers if terms.volume_offer is not None else ()
    rules: list[Rule] = []
    for number, (lower, upper) in enumerate(pairwise(tiers), 1):
        path: Path = ("volume_offer", "tiers", number)
        rules.append((upper.above <= lower.above, (*path, "above"), "is not above the tier before it."))
        rules.append(
            (upper.percent < lower.percent, (*path, "percent"), "is less than the tier before it takes off.")
        )
    return rules
