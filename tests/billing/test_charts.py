"""The chart's geometry: bars add up, round marks, the small ones together."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.charts import BASE, OTHERS, TOP, stacked

DAYS = [date(2026, 11, 20) - timedelta(days=number) for number in range(29, -1, -1)]


def test_three_names_have_a_colour_and_the_rest_is_together() -> None:
    values = {f"m{number}": {DAYS[0]: number + 1} for number in range(6)}
    chart = stacked(DAYS, values, amount_text=str, tick_text=str)
    assert [(series.name, series.total) for series in chart.series] == [
        ("m5", "6"),
        ("m4", "5"),
        ("m3", "4"),
        (OTHERS, "6"),
    ]


def test_nothing_used_is_an_empty_chart() -> None:
    chart = stacked(DAYS, {}, amount_text=str, tick_text=str)
    assert chart.is_empty
    assert all(not day.bars for day in chart.days)


@given(st.lists(st.integers(0, 10**15), min_size=30, max_size=30), st.integers(1, 10**15))
def test_every_bar_stands_on_the_one_below_and_fits(amounts: list[int], other: int) -> None:
    values = {"a": dict(zip(DAYS, amounts, strict=True)), "b": {DAYS[3]: other}}
    chart = stacked(DAYS, values, amount_text=str, tick_text=str)
    assert 2 <= len(chart.ticks) <= 4
    assert chart.ticks[0].y == BASE
    assert chart.ticks[-1].y == TOP
    for day in chart.days:
        floor = BASE
        for bar in day.bars:
            assert TOP <= bar.y <= floor
            assert bar.height >= 1
            floor = bar.y
    assert [day.label != "" for day in chart.days].count(True) == 5
