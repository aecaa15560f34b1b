"""Periods are counted from the anchor: the last days of months, leap years, and never a gap."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.services.periods import month_of, number_at, period

JANUARY_31 = datetime(2027, 1, 31, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "day"),
    [(0, "2027-01-31"), (1, "2027-02-28"), (2, "2027-03-31"), (3, "2027-04-30"), (13, "2028-02-29")],
)
def test_a_period_starts_on_the_anchor_s_day_or_the_month_s_last(number: int, day: str) -> None:
    assert period(JANUARY_31, number)[0].isoformat() == f"{day}T12:30:00+00:00"


def test_a_leap_day_comes_back_in_four_years() -> None:
    leap = datetime(2028, 2, 29, tzinfo=UTC)
    assert [period(leap, 12 * years)[0].day for years in range(5)] == [29, 28, 28, 28, 29]


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_the_boundary_belongs_to_the_new_period(microseconds: int) -> None:
    end = period(JANUARY_31, 0)[1]
    assert number_at(JANUARY_31, end + timedelta(microseconds=microseconds)) == (0 if microseconds < 0 else 1)


moments = st.integers(0, 20 * 366 * 86400).map(
    lambda seconds: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(moments, moments)
def test_every_moment_lies_in_the_period_of_its_number(anchor: datetime, moment: datetime) -> None:
    number = number_at(anchor, moment)
    start, end = period(anchor, number)
    assert start <= max(moment, anchor) < end
    assert period(anchor, number + 1)[0] == end


def test_a_month_begins_at_midnight_utc() -> None:
    tokyo = datetime.fromisoformat("2027-03-01T08:59:59+09:00")
    assert month_of(tokyo) == datetime(2027, 2, 1, tzinfo=UTC)
