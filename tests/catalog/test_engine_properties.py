"""Any price list against the oracle: ranges, modifiers, offers, minimum charges, pipelines within pipelines, reports."""

import uuid
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.pricing.book import BookInfo
from catalog.pricing.engine import PriceBook, build_book, effective, estimate
from catalog.pricing.errors import NotOffered
from catalog.pricing.rounding import half_up
from catalog.pricing.types import Discount, Implied, Item, ParameterSpec, Phase, Rate, Uses, Variant
from tests.catalog import oracle
from tests.catalog.oracle import Bill, Refused
from tests.catalog.test_engine import COUNT, QUEUE, SIZE, modifiers, prices, whens

TOKENS = ParameterSpec(
    name="tokens", type="integer", min=Decimal(1), max=Decimal(10**7), default=1000, counts="token"
)
SECONDS = ParameterSpec(
    name="seconds", type="number", min=Decimal(0), max=Decimal(600), default=Decimal(4), counts="second"
)
MEGAPIXELS = ParameterSpec(
    name="megapixels",
    type="number",
    min=Decimal("0.01"),
    max=Decimal(100),
    counts="megapixel",
    implied=Implied(
        by="resolution", values={"1K": Decimal("1.05"), "2K": Decimal("4.2"), "4K": Decimal("16.8")}
    ),
)
AUDIO = ParameterSpec(name="audio", type="flag", default=False)
PARAMETERS = (COUNT, SECONDS, SIZE, QUEUE, AUDIO, TOKENS, MEGAPIXELS)
UNITS = ["request", "image", "second", "token", "megapixel"]
KEYS = [("leaf", "generate"), ("inner", "generate"), ("whole", "generate")]

requests = st.fixed_dictionaries(
    {},
    optional={
        "count": st.integers(1, 1000),
        "seconds": st.decimals(min_value=0, max_value=600, places=3),
        "resolution": st.sampled_from(SIZE.choices),
        "queue": st.sampled_from(QUEUE.choices),
        "audio": st.booleans(),
        "tokens": st.integers(1, 10**7),
        "megapixels": st.decimals(min_value=Decimal("0.01"), max_value=100, places=4),
    },
)


@st.composite
def bounds(draw: st.DrawFn) -> dict[str, Any]:
    """A price, sometimes with the bounds between which it is approximate."""
    low, price, high = sorted([draw(prices), draw(prices), draw(prices)])
    return {
        "price": price,
        "low": draw(st.sampled_from([None, low])),
        "high": draw(st.sampled_from([None, high])),
    }


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    variants = draw(st.lists(st.tuples(whens, bounds()), max_size=3))
    own: dict[str, Any] = draw(st.just({}) | bounds()) if variants else draw(bounds())
    per = draw(st.sampled_from(UNITS))
    return Rate(
        per=per,
        times=draw(st.sampled_from([(), ("count",)])) if per != "image" else (),
        variants=tuple(Variant(when=when, **bound) for when, bound in variants),
        modifiers=draw(modifiers),
        **own,
    )


@st.composite
def pipelines(draw: st.DrawFn, targets: list[str]) -> tuple[Phase, ...]:
    phases = []
    for number in range(draw(st.integers(1, 4))):
        phase = Phase(id=f"p{number}", name=f"Phase {number}")
        if draw(st.booleans()):
            phases.append(replace(phase, rate=draw(rates()), parameters=PARAMETERS))
        else:
            target = draw(st.sampled_from(targets))
            fixed: Any = draw(requests) if target == "leaf" else {}
            phases.append(replace(phase, uses=Uses(model=target, operation="generate", parameters=fixed)))
    return tuple(phases)


@st.composite
def lists(draw: st.DrawFn) -> dict[tuple[str, str], Item]:
    """A plain item, a pipeline that may use it, and a pipeline that may use both."""
    minimums = st.sampled_from([Decimal(0), Decimal("0.01"), Decimal(2)])
    items = [
        _item("leaf", rate=draw(rates()), minimum=draw(minimums)),
        _item("inner", phases=draw(pipelines(["leaf"])), minimum=draw(minimums)),
        _item("whole", phases=draw(pipelines(["leaf", "inner"])), minimum=draw(minimums)),
    ]
    return {(item.model, item.operation): item for item in items}


def _item(model: str, **fields: Any) -> Item:
    return Item(
        model=model,
        operation="generate",
        model_name=model,
        operation_name="Generate",
        parameters=PARAMETERS,
        **fields,
    )


def book(items: dict[tuple[str, str], Item]) -> PriceBook:
    info = BookInfo(id=uuid.uuid4(), profile="p", price_list="l", version=1, unit="USD")
    return build_book(info, items.values())


offers = st.lists(
    st.builds(
        Discount,
        label=st.just("Offer"),
        percent=st.decimals(min_value=0, max_value=100, places=2),
        price=st.none() | prices,
        models=st.sampled_from([frozenset(), frozenset({"leaf"}), frozenset({"other"})]),
        operations=st.sampled_from([frozenset(), frozenset({"generate"}), frozenset({"other"})]),
    ),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(items=lists(), key=st.sampled_from(KEYS), request=requests, agreed=offers)
def test_any_estimate_is_the_oracle_s(
    items: dict[tuple[str, str], Item],
    key: tuple[str, str],
    request: dict[str, object],
    agreed: list[Discount],
) -> None:
    try:
        expected = oracle.bill(items, key, request, offers=agreed)
    except Refused:
        with pytest.raises(NotOffered):
            estimate(book(items), *key, request, discounts=agreed)
        return
    quote = estimate(book(items), *key, request, discounts=agreed)
    assert Bill(quote.micros, quote.low, quote.high) == expected
    assert sum(line.micros for line in quote.lines) == quote.micros
    assert 0 <= quote.low <= quote.micros <= quote.high


reports = st.none() | st.dictionaries(
    st.sampled_from(["p0", "p1", "p2", "p3"]),
    st.one_of(
        st.sampled_from(["failed", "skipped"]),
        st.just({}),
        st.fixed_dictionaries(
            {"cost": st.decimals(min_value=0, max_value=10_000, places=6).map(lambda cost: f"{cost:f}")}
        ),
        st.fixed_dictionaries({}, optional={"count": st.integers(0, 1000), "tokens": st.integers(0, 10**7)}),
    ),
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(items=lists(), request=requests, report=reports, agreed=offers)
def test_any_delivered_pipeline_costs_what_its_report_says_is_done(
    items: dict[tuple[str, str], Item],
    request: dict[str, object],
    report: dict[str, Any] | None,
    agreed: list[Discount],
) -> None:
    known = {phase.id for phase in items["whole", "generate"].phases}
    report = None if report is None else {name: told for name, told in report.items() if name in known}
    outputs: dict[str, object] = {} if report is None else {"phases": report}
    try:
        expected = oracle.bill(items, ("whole", "generate"), request, offers=agreed, phases=report)
    except Refused:
        with pytest.raises(NotOffered):
            effective(book(items), "whole", "generate", request, outputs, discounts=agreed)
        return
    quote = effective(book(items), "whole", "generate", request, outputs, discounts=agreed)
    assert (quote.micros, quote.low, quote.high) == (expected.cost,) * 3
    assert sum(line.micros for line in quote.lines) == quote.micros


@settings(max_examples=150, deadline=None)
@given(rate=rates(), asked=requests, told=requests)
def test_any_delivered_item_costs_the_estimate_of_what_came_back(
    rate: Rate, asked: dict[str, object], told: dict[str, object]
) -> None:
    """Megapixels of the request are no figure for an output of another size."""
    kept = {name: value for name, value in asked.items() if name != "megapixels" or "resolution" not in told}
    items = {("leaf", "generate"): _item("leaf", rate=rate)}
    try:
        expected = oracle.bill(items, ("leaf", "generate"), {**kept, **told})
    except Refused:
        with pytest.raises(NotOffered):
            effective(book(items), "leaf", "generate", kept, told)
        return
    assert effective(book(items), "leaf", "generate", kept, told).micros == expected.cost


@settings(max_examples=200, deadline=None)
@given(
    cost=st.decimals(min_value=0, max_value=1000, places=6),
    markup=st.decimals(min_value=1, max_value=10, places=3),
    step=st.sampled_from([Decimal("0.001"), Decimal("0.01"), Decimal("0.05"), Decimal(1)]),
)
def test_a_derived_rate_is_the_nearest_step_and_halves_go_up(
    cost: Decimal, markup: Decimal, step: Decimal
) -> None:
    exact = oracle.fraction(cost) * oracle.fraction(markup)
    rate = oracle.fraction(half_up(cost * markup, step))
    unit = oracle.fraction(step)
    assert rate % unit == 0
    assert -unit / 2 < exact - rate < unit / 2 or rate - exact == unit / 2
