"""What the sources leave open is filled with sensible figures, and says in the file that it is an example."""

import re
import tomllib

import pytest

from catalog import loader

# Keys of each file that no source gives, and where the word stands that says so.
OPEN = {
    "ads": [
        r"bounds and the presets are examples\.\nmin",
        r"# An example:.*\nwindow_days",
        r"percentages are examples",
    ],
    "images": [
        r"every\n# price, range and multiplier, the trial amount and the auto-recharge defaults are EXAMPLES"
    ],
    "toon": [
        r"# An example:.*(\n#.*)?\ncredit_price",
        r"# An example: the source sells credits by plan only.*\nmin",
    ],
    "sites": [
        r"# An example:.*\ncredit_price",
        r"# Examples: extra credits may be bought.*\nmin",
        r"every price and the other two allowances are examples",
        r"60 divide by model and resolution is an example",
    ],
    "gateway": [r"every price, range, threshold and\n# limit below is an EXAMPLE"],
}


@pytest.mark.parametrize(("name", "mark"), [(name, mark) for name, marks in OPEN.items() for mark in marks])
def test_what_no_source_gives_is_marked_as_an_example(name: str, mark: str) -> None:
    assert re.search(mark, loader.find(name).read_text()), mark


@pytest.mark.parametrize("name", OPEN)
def test_a_file_s_top_ups_recharges_and_limits_could_be_used_as_they_are(name: str) -> None:
    terms = tomllib.loads(loader.find(name).read_text())["terms"]
    topup = terms["topup"]
    assert all(topup["min"] <= preset <= topup["max"] for preset in topup["presets"])
    if "auto_recharge" in terms:
        assert topup["min"] <= terms["auto_recharge"]["amount"] <= topup["max"]


def test_plans_with_figures_of_the_company_s_own_say_so() -> None:
    plans = tomllib.loads(loader.find("sites").read_text())["plan"]
    assert [plan["example"] for plan in plans] == [True, True, True]
    toon = tomllib.loads(loader.find("toon").read_text())["plan"]
    assert all("example" not in plan for plan in toon)
