"""The engine against an independent oracle, and its rules one by one."""

import uuid
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.pricing.book import BookInfo
from catalog.pricing.engine import MOST_QUOTED, PriceBook, build_book, effective, estimate
from catalog.pricing.errors import (
    InvalidBook,
    InvalidParameter,
    NotOffered,
    UnknownModel,
    UnknownOperation,
)
from catalog.pricing.types import (
    Between,
    Discount,
    Implied,
    Item,
    Modifier,
    ParameterSpec,
    Phase,
    PlanTier,
    Rate,
    Uses,
    Variant,
)
from catalog.pricing.units import micros_to_text
from tests.catalog.oracle import cost_in_micros

COUNT = ParameterSpec(
    name="count", type="integer", min=Decimal(1), max=Decimal(1000), default=1, counts="image"
)
SECONDS = ParameterSpec(
    name="seconds", type="number", min=Decimal(0), max=Decimal(600), counts="second", default=Decimal(4)
)
SIZE = ParameterSpec(name="resolution", type="choice", choices=("1K", "2K", "4K"), default="1K")
QUEUE = ParameterSpec(name="queue", type="choice", choices=("standard", "relaxed"), default="standard")
AUDIO = ParameterSpec(name="audio", type="flag", default=False)
PARAMETERS = (COUNT, SECONDS, SIZE, QUEUE, AUDIO)

prices = st.decimals(min_value=0, max_value=10_000, places=6) | st.decimals(
    min_value=0, max_value=1, places=12
)
whens = st.fixed_dictionaries(
    {},
    optional={
        "resolution": st.lists(st.sampled_from(SIZE.choices), min_size=1, max_size=2).map(tuple),
        "queue": st.sampled_from(QUEUE.choices).map(lambda value: (value,)),
        "audio": st.booleans().map(lambda value: (value,)),
        "seconds": st.builds(
            Between,
            min=st.none() | st.decimals(min_value=0, max_value=20, places=1),
            max=st.none() | st.decimals(min_value=20, max_value=60, places=1),
        ),
    },
).filter(bool)
variants = st.lists(st.builds(Variant, when=whens, price=prices), max_size=3).map(tuple)
modifiers = st.lists(
    st.builds(
        Modifier,
        name=st.just("modifier"),
        when=whens,
        times=st.decimals(min_value=0, max_value=10, places=3),
        add=st.decimals(min_value=0, max_value=5, places=4),
    ),
    max_size=3,
).map(tuple)
rates = st.builds(
    Rate,
    price=st.none() | prices,
    per=st.sampled_from(["request", "image", "second"]),
    times=st.sampled_from([(), ("count",)]),
    variants=variants,
    modifiers=modifiers,
).filter(lambda rate: not (rate.per == "image" and rate.times))
minimums = st.sampled_from([Decimal(0), Decimal("0.01"), Decimal(2)])
requests = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(1, 1000),
        "seconds": st.decimals(min_value=0, max_value=600, places=3),
        "resolution": st.sampled_from(SIZE.choices),
        "queue": st.sampled_from(QUEUE.choices),
        "audio": st.booleans(),
    },
)


def item(rate: Rate, **fields: object) -> Item:
    names = {"model": "m", "operation": "generate", "model_name": "M", "operation_name": "Generate"}
    return Item(**{**names, "parameters": PARAMETERS, "rate": rate, **fields})  # type: ignore[arg-type]


def book(*items: Item, plans: tuple[PlanTier, ...] = ()) -> PriceBook:
    info = BookInfo(id=uuid.uuid4(), profile="p", price_list="l", version=1, unit="USD", plans=plans)
    return build_book(info, items)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(rate=rates, minimum=minimums, request=requests)
def test_any_rate_costs_what_the_oracle_says(
    rate: Rate, minimum: Decimal, request: dict[str, object]
) -> None:
    priced = item(rate, minimum=minimum)
    expected = cost_in_micros(priced, request)
    if expected is None:
        with pytest.raises(NotOffered):
            estimate(book(priced), "m", "generate", request)
        return
    quote = estimate(book(priced), "m", "generate", request)
    assert quote.micros == expected
    assert sum(line.micros for line in quote.lines) == expected
    assert quote.low == quote.high == expected


@settings(max_examples=200, deadline=None)
@given(rate=rates, asked=requests, told=requests)
def test_the_effective_cost_is_the_estimate_of_what_came_back(
    rate: Rate, asked: dict[str, object], told: dict[str, object]
) -> None:
    priced = item(rate)
    expected = cost_in_micros(priced, {**asked, **told})
    if expected is None:
        with pytest.raises(NotOffered):
            effective(book(priced), "m", "generate", asked, told)
        return
    assert effective(book(priced), "m", "generate", asked, told).micros == expected


@settings(max_examples=100, deadline=None)
@given(low=prices, middle=prices, high=prices, count=st.integers(1, 1000))
def test_a_range_always_holds_the_estimate(low: Decimal, middle: Decimal, high: Decimal, count: int) -> None:
    low, middle, high = sorted([low, middle, high])
    quote = estimate(
        book(item(Rate(price=middle, low=low, high=high, per="image", approximate=True))),
        "m",
        "generate",
        {"count": count},
    )
    assert quote.low <= quote.micros <= quote.high


@settings(max_examples=100, deadline=None)
@given(price=prices, percents=st.lists(st.integers(0, 100), max_size=3))
def test_discounts_never_go_below_zero_and_lines_add_up(price: Decimal, percents: list[int]) -> None:
    offers = [Discount(label="Offer", percent=Decimal(percent)) for percent in percents]
    quote = estimate(book(item(Rate(price=price))), "m", "generate", {}, discounts=offers)
    assert 0 <= quote.micros <= estimate(book(item(Rate(price=price))), "m", "generate", {}).micros
    assert sum(line.micros for line in quote.lines) == quote.micros


def test_ten_million_tiny_charges_lose_nothing() -> None:
    quote = estimate(book(item(Rate(price=Decimal("0.054"), per="image"))), "m", "generate", {"count": 1000})
    assert micros_to_text(quote.micros) == "54"


@pytest.mark.parametrize(
    ("price", "expected"), [("0.0000004", "0"), ("0.0000005", "0.000001"), ("0.0000015", "0.000002")]
)
def test_what_is_finer_than_a_micro_rounds_half_up(price: str, expected: str) -> None:
    quote = estimate(book(item(Rate(price=Decimal(price)))), "m", "generate", {})
    assert micros_to_text(quote.micros) == expected


def test_a_volume_offer_is_a_line_of_its_own() -> None:
    offer = Discount(label="Committed use", percent=Decimal(20))
    quote = estimate(book(item(Rate(price=Decimal(5)))), "m", "generate", {}, discounts=[offer])
    assert [(line["what"], line["amount"]) for line in quote.lines_json()] == [
        ("M", "5"),
        ("Committed use", "-1"),
    ]


def test_a_committed_price_replaces_the_listed_one_and_keeps_modifiers() -> None:
    double = Modifier(name="4K", when={"resolution": ("4K",)}, times=Decimal(2))
    offer = Discount(label="Agreed", price=Decimal("3.5"), models=frozenset({"m"}))
    listed = item(Rate(price=Decimal(5), modifiers=(double,)))
    quote = estimate(book(listed), "m", "generate", {"resolution": "4K"}, discounts=[offer])
    assert micros_to_text(quote.micros) == "7"


def test_a_committed_price_opens_no_variant_that_is_closed_and_leaves_free_things_free() -> None:
    """It holds for every variant; the plan a variant needs, and what no variant offers, stay as they are."""
    premium = PlanTier(slug="premium", name="Premium", rank=2)
    large = Variant(when={"resolution": ("4K",)}, price=Decimal(9), requires="premium")
    listed = book(
        item(Rate(variants=(Variant(when={"resolution": ("1K",)}, price=Decimal(5)), large))),
        item(Rate(price=Decimal(0)), operation="preview", operation_name="Preview"),
        plans=(premium,),
    )
    offers = [Discount(label="Agreed", price=Decimal(3))]
    quote = estimate(listed, "m", "generate", {"resolution": "4K"}, discounts=offers)
    assert (quote.micros, quote.gate.plan_tier) == (3_000_000, "premium")
    with pytest.raises(NotOffered):
        estimate(listed, "m", "generate", {"resolution": "2K"}, discounts=offers)
    assert estimate(listed, "m", "preview", {}, discounts=offers).micros == 0


def test_a_phase_s_own_variant_may_need_a_plan() -> None:
    plans = tuple(PlanTier(slug=slug, name=slug, rank=rank) for rank, slug in enumerate(("basic", "top")))
    hero = Rate(
        price=Decimal(20),
        variants=(Variant(when={"resolution": ("4K",)}, price=Decimal(60), requires="top"),),
    )
    phases = (
        Phase(id="hero", name="Hero", rate=hero, parameters=(SIZE,)),
        Phase(id="fee", name="Fee", rate=Rate(price=Decimal(1))),
    )
    site = book(item(Rate(), phases=phases, parameters=(SIZE,)), plans=plans)
    assert estimate(site, "m", "generate", {}).gate.plan_tier is None
    assert estimate(site, "m", "generate", {"resolution": "4K"}).gate.plan_tier == "top"
    with pytest.raises(InvalidBook, match="requires the plan 'top', which is missing"):
        book(item(Rate(), phases=phases, parameters=(SIZE,)))


def test_an_offer_for_other_models_changes_nothing() -> None:
    offer = Discount(label="Agreed", percent=Decimal(50), models=frozenset({"other"}))
    assert (
        estimate(book(item(Rate(price=Decimal(5)))), "m", "generate", {}, discounts=[offer]).micros
        == 5_000_000
    )


def test_nothing_delivered_costs_nothing_in_spite_of_a_minimum() -> None:
    priced = item(Rate(price=Decimal(5), per="image"), minimum=Decimal(2))
    assert effective(book(priced), "m", "generate", {"count": 3}, {"count": 0}).micros == 0


def test_a_minimum_charge_is_shown_as_a_line() -> None:
    quote = estimate(book(item(Rate(price=Decimal("0.25")), minimum=Decimal(2))), "m", "generate", {})
    assert [(line["what"], line["amount"]) for line in quote.lines_json()] == [
        ("M", "0.25"),
        ("Minimum charge", "1.75"),
    ]


def test_an_implied_quantity_follows_its_parameter_until_one_is_given() -> None:
    implied = Implied(by="resolution", values={"1K": Decimal(1), "4K": Decimal(16)})
    size = ParameterSpec(
        name="megapixels", type="number", max=Decimal(100), counts="megapixel", implied=implied
    )
    priced = book(item(Rate(price=Decimal("0.03"), per="megapixel"), parameters=(SIZE, size)))
    assert estimate(priced, "m", "generate", {}).micros == 30_000
    assert estimate(priced, "m", "generate", {"resolution": "4K"}).micros == 480_000
    assert estimate(priced, "m", "generate", {"resolution": "4K", "megapixels": 2}).micros == 60_000
    with pytest.raises(InvalidParameter, match="megapixels: is needed: the price is per megapixel"):
        estimate(priced, "m", "generate", {"resolution": "2K"})


def test_what_a_quote_keeps_lets_the_outputs_imply_anew() -> None:
    implied = Implied(by="resolution", values={"1K": Decimal(1), "4K": Decimal(16)})
    size = ParameterSpec(
        name="megapixels", type="number", max=Decimal(100), counts="megapixel", implied=implied
    )
    priced = book(item(Rate(price=Decimal("0.03"), per="megapixel"), parameters=(SIZE, size)))
    kept = estimate(priced, "m", "generate", {}).parameters
    assert kept == {"resolution": "1K"}
    assert effective(priced, "m", "generate", kept, {}).micros == 30_000
    assert effective(priced, "m", "generate", kept, {"resolution": "4K"}).micros == 480_000
    assert effective(priced, "m", "generate", kept, {"megapixels": Decimal("0.5")}).micros == 15_000


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", True, "must be a whole number from 1 to 1000."),
        ("count", "2", "must be a whole number from 1 to 1000."),
        ("count", 0, "must be a whole number from 1 to 1000."),
        ("count", 1001, "must be a whole number from 1 to 1000."),
        ("count", 10**4000, "must be a whole number from 1 to 1000."),
        ("count", 1.5, "must be a whole number from 1 to 1000."),
        ("count", None, "must be a whole number from 1 to 1000."),
        ("count", [1], "must be a whole number from 1 to 1000."),
        ("seconds", float("nan"), "must be a number from 0 to 600."),
        ("seconds", float("inf"), "must be a number from 0 to 600."),
        ("seconds", Decimal("1e-400"), "must be a number from 0 to 600."),
        ("seconds", Decimal("NaN"), "must be a number from 0 to 600."),
        ("seconds", Decimal("-0.1"), "must be a number from 0 to 600."),
        ("resolution", "8K", "must be one of 1K, 2K, 4K."),
        ("resolution", 4, "must be one of 1K, 2K, 4K."),
        ("audio", 1, "must be true or false."),
        ("audio", "yes", "must be true or false."),
        (
            "colour",
            "red",
            "is not a parameter of M; it takes audio, count, queue, resolution, seconds.",
        ),
    ],
)
def test_a_bad_parameter_is_refused_by_name(field: str, value: object, message: str) -> None:
    with pytest.raises(InvalidParameter) as refusal:
        estimate(book(item(Rate(price=Decimal(5)))), "m", "generate", {field: value})
    assert (refusal.value.field, refusal.value.message) == (field, message)


def test_every_bad_parameter_is_named_and_good_ones_are_not() -> None:
    wrong = {"count": 0, "seconds": 5, "resolution": "8K", "colour": "red"}
    with pytest.raises(InvalidParameter) as refusal:
        estimate(book(item(Rate(price=Decimal(5)))), "m", "generate", wrong)
    assert [field for field, _ in refusal.value.problems] == ["count", "resolution", "colour"]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    priced = book(item(Rate(price=Decimal(5), per="image")))
    assert estimate(priced, "m", "generate", {"count": Decimal("2.0")}).micros == 10_000_000
    assert estimate(priced, "m", "generate", {"count": 2.0}).micros == 10_000_000


def test_a_json_fraction_counts_exactly_as_written() -> None:
    priced = book(item(Rate(price=Decimal(1), per="second")))
    assert estimate(priced, "m", "generate", {"seconds": 0.1}).micros == 100_000


def test_a_request_that_was_priced_before_lets_no_look_alike_pass() -> None:
    priced = book(item(Rate(price=Decimal(2), per="image"), parameters=(COUNT, SECONDS, AUDIO)))
    first = estimate(priced, "m", "generate", {"count": 1, "audio": True})
    assert estimate(priced, "m", "generate", {"count": 1, "audio": True}) is first
    assert estimate(priced, "m", "generate", {"audio": True, "count": 2}).micros == 2 * first.micros
    for count, audio in ((True, True), (1, 1), ("1", True)):
        with pytest.raises(InvalidParameter):
            estimate(priced, "m", "generate", {"count": count, "audio": audio})
    assert (
        str(estimate(priced, "m", "generate", {"seconds": Decimal("1.50")}).parameters["seconds"]) == "1.50"
    )
    assert str(estimate(priced, "m", "generate", {"seconds": Decimal("1.5")}).parameters["seconds"]) == "1.5"


def test_what_is_remembered_of_prices_stays_small() -> None:
    priced = book(item(Rate(price=Decimal(2), per="second"), parameters=(SECONDS,)))
    for number in range(MOST_QUOTED + 10):
        seconds = Decimal(number) / 100
        assert estimate(priced, "m", "generate", {"seconds": seconds}).micros == number * 20_000
    assert len(priced.item("m", "generate").quoted) == 10


def test_unknown_names_suggest_near_ones() -> None:
    priced = book(item(Rate(price=Decimal(5)), model="seedream-4-5", model_name="Seedream 4.5"))
    with pytest.raises(UnknownModel, match=r"There is no model 'seedream-45'\. Did you mean seedream-4-5\?"):
        estimate(priced, "seedream-45", "generate", {})
    with pytest.raises(UnknownOperation, match=r"no operation 'generat'\. Did you mean generate\?"):
        estimate(priced, "seedream-4-5", "generat", {})


def test_a_book_with_circles_doubles_and_missing_plans_is_refused_with_all_problems() -> None:
    circle = Phase(id="again", name="Again", uses=Uses(model="m", operation="loop"))
    dangling = Phase(id="gone", name="Gone", uses=Uses(model="m", operation="gone"))
    with pytest.raises(InvalidBook) as refusal:
        book(
            item(Rate(price=Decimal(1)), requires="platinum"),
            item(Rate(price=Decimal(1))),
            item(Rate(), operation="loop", operation_name="Loop", phases=(circle, dangling)),
        )
    assert refusal.value.problems == (
        "M is priced twice.",
        "M requires the plan 'platinum', which is missing.",
        "M, loop uses m.gone, which has no price.",
        "M, loop is composed of itself.",
    )


def test_a_pipeline_within_a_pipeline_adds_up() -> None:
    plain = item(Rate(price=Decimal(2), per="image"))
    inner = Phase(
        id="image", name="Image", uses=Uses(model="m", operation="generate", parameters={"count": 3})
    )
    page = item(
        Rate(),
        operation="page",
        operation_name="Page",
        phases=(inner, Phase(id="fee", name="Fee", rate=Rate(price=Decimal(1)))),
        parameters=(),
    )
    outer = Phase(id="page", name="Page", uses=Uses(model="m", operation="page"))
    site = item(Rate(), operation="site", operation_name="Site", phases=(outer,), parameters=())
    quote = estimate(book(plain, page, site), "m", "site", {})
    assert [(line["what"], line["amount"]) for line in quote.lines_json()] == [
        ("Page: Image", "6"),
        ("Page: Fee", "1"),
    ]
    failed = {"id": "image", "status": "failed"}
    for inner_report, cost in (([failed, {"id": "fee"}], 1_000_000), ([failed], 0), (None, 7_000_000)):
        told = {} if inner_report is None else {"phases": inner_report}
        report = {"phases": [{"id": "page", **told}]}
        assert effective(book(plain, page, site), "m", "site", {}, report).micros == cost
