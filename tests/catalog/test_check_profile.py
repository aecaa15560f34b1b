# ruff: noqa: E501  one row is a mistake and the sentence it gives
"""Bad profile files: each mistake is named with its line, all at once."""

import json
import tomllib
from io import StringIO

import jsonschema_rs
import pytest
from django.core.management import call_command
from django.test import Client

from catalog import loader
from catalog.problems import InvalidProfile
from catalog.toml_lines import line_index

GOOD = """\
format = 1

[profile]
id = "studio"
name = "Studio"
cash_currency = "USD"
credit_price = 0.10

[terms]
modes = ["prepaid"]
headline = { poster = "poster.generate" }

[[plan]]
slug = "pro"
name = "Pro"
rank = 1
monthly_limits = { posters = 5 }

[[price_list]]
id = "standard"
name = "Credits"
unit = "credit"
modes = ["prepaid"]
markup = 1.8
round_to = 0.001

[[parameter]]
name = "count"
type = "integer"
min = 1
max = 10
default = 1
counts = "image"

[[parameter]]
name = "resolution"
type = "choice"
choices = ["1K", "2K"]

[[operation]]
id = "generate"
name = "Generate"
per = "image"
parameters = ["count"]

[[operation]]
id = "site"
name = "Site"

[[modifier]]
id = "large"
name = "2K output"
when = { resolution = "2K" }
times = 2
requires = "pro"

[[pipeline]]
id = "whole"
phases = [
    { id = "image", name = "Image", uses = { model = "poster", operation = "generate" } },
    { id = "text", name = "Text", price = 3 },
]

[[model]]
id = "poster"
name = "Poster"
provider_cost = 0.02
prices = [
    { operation = "generate", price = 5, modifiers = ["large"], monthly_limit = "posters" },
    { operation = "site", pipeline = "whole" },
]
"""


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidProfile) as refusal:
        loader.parse(text, "studio.toml")
    return [str(problem) for problem in refusal.value.problems]


def test_the_good_file_is_good() -> None:
    assert len(loader.parse(GOOD, "studio.toml").lists["standard"]) == 2


BAD = [
    ("price = 5,", "price = -5,", "line 69: model[1].prices[1].price: must not be negative."),
    ("price = 5,", "price = 1e9,", "line 69: model[1].prices[1].price: must be at most 1000000."),
    (
        "price = 5,",
        "price = 1e999999999999,",
        "line 69: model[1].prices[1].price: must be a number with at most 12 digits before and 12 after the point.",
    ),
    ("price = 5,", "price = nan,", "line 69: model[1].prices[1].price: must be a number."),
    ("price = 5,", "price = inf,", "line 69: model[1].prices[1].price: must be a number."),
    ("price = 5,", "price = true,", "line 69: model[1].prices[1].price: must be a number."),
    ("price = 5,", "price = 0,", "line 69: model[1].prices[1].price: is 0; what costs nothing says free = true."),
    (
        "price = 5,",
        "price = 0.0000000000001,",
        "line 69: model[1].prices[1].price: must be a number with at most 12 digits before and 12 after the point.",
    ),
    (
        "price = 5,",
        "",
        "line 69: model[1].prices[1]: has no price: give price, variants, free, derived or pipeline.",
    ),
    (
        "price = 5,",
        "price = 5, free = true,",
        "line 69: model[1].prices[1]: is priced in more than one way: price/variants, free, derived, pipeline.",
    ),
    ("price = 5,", "price = 5, low = 6,", "line 69: model[1].prices[1].low: is above the price."),
    ("price = 5,", "price = 5, high = 4,", "line 69: model[1].prices[1].high: is below the price."),
    (
        "price = 5,",
        'price = 5, per = "page",',
        "line 69: model[1].prices[1].per: nothing counts 'page'; use image, request or declare a parameter.",
    ),
    ("price = 5,", "price = 5, colour = 1,", "line 69: model[1].prices[1].colour: is not a known key."),
    ("price = 5,", 'price = 5, requires = "gold",', "line 69: model[1].prices[1].requires: there is no plan 'gold'."),
    (
        'modifiers = ["large"]',
        'modifiers = ["huge"]',
        "line 69: model[1].prices[1].modifiers[1]: there is no [[modifier]] with the id 'huge'.",
    ),
    (
        'monthly_limit = "posters"',
        'monthly_limit = "poster"',
        "line 69: model[1].prices[1].monthly_limit: no plan has 'poster' among its monthly_limits.",
    ),
    ("provider_cost = 0.02", "", "line 69: model[1].prices[1].derived: poster has no provider_cost to derive a rate from."),
    (
        'pipeline = "whole" }',
        'pipeline = "half" }',
        "line 70: model[1].prices[2].pipeline: there is no [[pipeline]] with the id 'half'.",
    ),
    (
        'model = "poster", operation = "generate" } }',
        'model = "poster", operation = "site" } }',
        "line 70: model[1].prices[2].pipeline: poster.site is composed of itself.",
    ),
    (
        'model = "poster", operation = "generate" } }',
        'model = "gone", operation = "generate" } }',
        "line 70: model[1].prices[2].pipeline: uses gone.generate, which has no price in 'standard'.",
    ),
    (
        'operation = "generate" } }',
        'operation = "generate", parameters = { count = 99 } } }',
        "line 70: model[1].prices[2].pipeline: cannot be priced: count: must be a whole number from 1 to 10.",
    ),
    ('requires = "pro"', 'requires = "gold"', "line 55: modifier[1].requires: there is no plan 'gold'."),
    (
        'resolution = "2K" }',
        'resolution = "8K" }',
        "line 69: model[1].prices[1]: a condition asks for resolution '8K', which must be one of 1K, 2K.",
    ),
    ("times = 2\n", "\n", "line 50: modifier[1]: needs times or add."),
    ("default = 1\n", "default = 11\n", "line 32: parameter[1].default: must be a whole number from 1 to 10."),
    ("max = 10\n", "\n", "line 27: parameter[1].max: a number needs a max, so that absurd sizes are refused."),
    ('choices = ["1K", "2K"]', "", "line 35: parameter[2].choices: a choice needs its choices."),
    (
        'unit = "credit"',
        'unit = "EUR"',
        "line 22: price_list[1].unit: two currencies in one profile: EUR here, USD above.",
    ),
    ("credit_price = 0.10", "", "line 22: price_list[1].unit: credits need a credit_price above 0 in [profile]."),
    ('cash_currency = "USD"', 'cash_currency = "dollars"', "line 6: profile.cash_currency: must be a currency code of three capitals, such as USD."),
    ('modes = ["prepaid"]\nmarkup', 'modes = ["postpaid"]\nmarkup', "line 10: terms.modes: no price list says what prepaid accounts pay."),
    ('"poster.generate"', '"poster.print"', "line 11: terms.headline.poster: 'poster.print' is not a priced model.operation."),
    ("rank = 1\n", "rank = one\n", "line 16: syntax: Invalid value"),
    ("format = 1", "format = 2", "line 1: format: Input should be 1."),
    ('id = "poster"\nname = "Poster"', 'id = "Poster"\nname = "Poster"', "line 65: model[1].id: must be lower-case letters and digits"),
    ('name = "Poster"', "", "line 64: model[1].name: is missing."),
    ("rank = 1\n", "rank = true\n", "line 16: plan[1].rank: must be a whole number."),
    ("price = 5,", "high = 0,", "line 69: model[1].prices[1].price: is 0; what costs nothing says free = true."),
    (
        "price = 5,",
        'variants = [{ when = { resolution = "2K" }, price = 0 }],',
        "line 69: model[1].prices[1].variants[1]: is 0; what costs nothing is an operation with free = true.",
    ),
    ("min = 1\n", "", "line 68: model[1].prices[1]: count multiplies the price and needs a min above 0: none would be free."),
    ("min = 1\n", "min = 0\n", "line 69: model[1].prices[1]: count multiplies the price and needs a min above 0: none would be free."),
    ("price = 5,", 'price = 5, times = ["count"],', "line 69: model[1].prices[1].times: count would multiply the price twice."),
    ('modifiers = ["large"]', 'modifiers = ["large", "large"]', "line 69: model[1].prices[1].modifiers[2]: 'large' would change the price twice."),
    ('id = "text", name = "Text", price = 3 }', 'id = "text", name = "Text", price = 3, variants = [{ when = { resolution = "2K" }, price = 4, requires = "gold" }] }', "line 61: pipeline[1].phases[2].variants[1].requires: there is no plan 'gold'."),
    ('name = "resolution"\n', 'name = "resolution"\ncounts = "image"\n', "line 37: parameter[2].counts: another parameter counts image too."),
    ('modes = ["prepaid"]\nheadline', 'modes = ["prepaid"]\ntopup = { min = 10, max = 5 }\nheadline', "line 11: terms.topup.min: is above max."),
    ('modes = ["prepaid"]\nheadline', 'modes = ["prepaid"]\ntopup = { presets = [1, 20] }\nheadline', "line 11: terms.topup.presets[1]: is not between min and max."),
    ('modes = ["prepaid"]\nheadline', 'modes = ["prepaid"]\nauto_recharge = { threshold = 1, amount = 2 }\nheadline', "line 11: terms.auto_recharge.amount: is not between the least and the most that can be bought."),
    ('modes = ["prepaid"]\nheadline', 'modes = ["prepaid"]\nspending_limit = { default = 20, max = 2 }\nheadline', "line 11: terms.spending_limit.default: is above max."),
    ('modes = ["prepaid"]\nheadline', 'modes = ["prepaid"]\nvolume_offer = { tiers = [{ above = 10, percent = 5 }, { above = 10, percent = 4 }] }\nheadline', "line 11: terms.volume_offer.tiers[2].above: is not above the tier before it."),
    ('modes = ["prepaid"]\nheadline', 'modes = ["prepaid"]\nlow_balance = { window_days = 1, cover_hours = 1, floor = 3, ceiling = 2, overshoot = 1 }\nheadline', "line 11: terms.low_balance.floor: is above ceiling."),
    ("{ posters = 5 }", "{ posters = 5, sites = 2 }", "line 17: plan[1].monthly_limits.sites: no price counts towards it."),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "expected"), BAD, ids=[f"{bad[:40]!r}" for _, bad, _ in BAD])
def test_a_mistake_is_shown_on_its_line(good: str, bad: str, expected: str) -> None:
    assert GOOD.count(good) >= 1
    text = GOOD.replace(good, bad, 1)
    if good == "provider_cost = 0.02":
        text = text.replace("price = 5,", "derived = true,")
    found = problems(text)
    assert any(problem.startswith(expected) for problem in found), found


def test_all_mistakes_are_reported_at_once() -> None:
    text = (
        GOOD.replace("price = 5,", "price = -5,")
        .replace("rank = 1\n", "rank = -1\n")
        .replace('"Studio"', '""')
    )
    assert [problem.split(":")[0] for problem in problems(text)] == ["line 5", "line 16", "line 69"]


def test_doubles_are_shown_where_the_second_stands() -> None:
    text = (
        GOOD
        + '\n[[model]]\nid = "poster"\nname = "Again"\nprices = [{ operation = "generate", price = 1 }]\n'
    )
    assert problems(text) == [
        "line 73: model[2]: 'poster' is declared twice.",
        "line 76: model[2].prices[1]: poster.generate is priced twice in 'standard'.",
    ]


@pytest.mark.parametrize(
    "text", ["", "format = ", "[" * 5000, "a = " + "9" * 5000, "\x00", "a = {", 'a = "\ud800"']
)
def test_hostile_texts_are_refused_and_not_crashed_on(text: str) -> None:
    assert problems(text)


@pytest.mark.slow
def test_a_ten_thousand_row_import_is_read_in_seconds_and_all_its_mistakes_named() -> None:
    rows = "".join(
        f'\n[[model]]\nid = "m-{number}"\nname = "M"\nprices = [{{ operation = "generate", price = {number % 7 - 1} }}]\n'
        for number in range(2_000)
    )
    found = problems(GOOD + rows)
    assert sum("must not be negative" in problem for problem in found) == 286


def test_lines_are_found_in_every_way_toml_can_be_written() -> None:
    text = (
        'a.b = 1\n"quoted key" = [\n  1,\n  { c = """x\n#]"""  , d = 2 },\n]\n'
        "[t.u]\nv = '[['\n[[t.list]]\nw = 1\n[[t.list]]\nw = 2\n[t.list.deep]\nz = 1979-05-27 07:32:00\n"
    )
    index = line_index(text)
    assert index["a", "b"] == 1
    assert index["quoted key", 1, "d"] == 5
    assert index["t", "u", "v"] == 8
    assert index["t", "list", 1, "w"] == 12
    assert index["t", "list", 1, "deep", "z"] == 14


def test_the_published_schema_is_the_generated_one(client: Client) -> None:
    response = client.get("/schema/profile.json")
    assert (response.status_code, response["Content-Type"]) == (200, "application/schema+json")
    assert b"".join(response).decode() == loader.schema_text()
    printed = StringIO()
    call_command("check_profile", "--schema", stdout=printed)
    assert printed.getvalue() == loader.schema_text()


@pytest.mark.parametrize("name", ["ads", "images", "toon", "sites", "gateway"])
def test_the_bundled_files_name_the_schema_and_are_of_it(name: str) -> None:
    path = loader.find(name)
    first = path.read_text().splitlines()[0]
    assert (path.parent / first.removeprefix("#:schema ")).resolve() == loader.SCHEMA
    validator = jsonschema_rs.validator_for(json.loads(loader.schema_text()))
    validator.validate(tomllib.loads(path.read_text()))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("price = 5,", "pirce = 5,"),
        ("price = 5,", "price = -5,"),
        ("format = 1", "format = 2"),
        ('id = "poster"', 'id = "Poster!"'),
        ("rank = 1\n", 'rank = "one"\n'),
    ],
)
def test_the_schema_finds_what_editors_should_mark(good: str, bad: str) -> None:
    validator = jsonschema_rs.validator_for(json.loads(loader.schema_text()))
    assert validator.is_valid(tomllib.loads(GOOD))
    assert not validator.is_valid(tomllib.loads(GOOD.replace(good, bad, 1)))


def test_mistakes_of_the_whole_file_are_reported_together_with_wrong_values() -> None:
    """A negative price, a misspelt key, a gate on a missing plan, a circle, two currencies and a double, at once."""
    text = (
        GOOD.replace("price = 5,", "price = -5,")
        .replace("rank = 1\n", "rank = 1\nfeatuers = []\n")
        .replace('requires = "pro"', 'requires = "por"')
        .replace('unit = "credit"', 'unit = "EUR"')
        .replace('model = "poster", operation = "generate" } }', 'model = "poster", operation = "site" } }')
    ) + '\n[[plan]]\nslug = "pro"\nname = "Pro"\nrank = 2\n'
    assert problems(text) == [
        "line 7: profile.credit_price: no price list is counted in credits.",
        "line 17: plan[1].featuers: is not a known key. Did you mean features?",
        "line 23: price_list[1].unit: two currencies in one profile: EUR here, USD above.",
        "line 56: modifier[1].requires: there is no plan 'por'. Did you mean pro?",
        "line 70: model[1].prices[1].price: must not be negative.",
        "line 71: model[1].prices[2].pipeline: poster.site is composed of itself.",
        "line 74: plan[2]: 'pro' is declared twice.",
    ]


def test_a_wrong_value_has_no_echo_beside_it() -> None:
    assert problems(GOOD.replace("price = 5,", "pirce = 5,")) == [
        "line 69: model[1].prices[1].pirce: is not a known key. Did you mean price, price_list or per?"
    ]
    assert problems(GOOD.replace("max = 10\n", "max = -1\n").replace("rank = 1\n", 'rank = "one"\n')) == [
        "line 16: plan[1].rank: must be a whole number.",
        "line 30: parameter[1].min: is above max.",
        "line 32: parameter[1].default: must be a whole number from 1 to -1.",
    ]
