"""Amounts as people read and type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money_text import money_text, typed_micros
from catalog.pricing.errors import InvalidAmount


@pytest.mark.parametrize(
    ("micros", "unit", "locale", "options", "expected"),
    [
        (1_284_200_000, "USD", "en", {}, "$1,284.20"),
        (1_284_200_000, "EUR", "de", {}, "1.284,20 €"),
        (54_000, "USD", "en", {}, "$0.054"),
        (61_100, "EUR", "en", {}, "€0.0611"),
        (5_000_000, "USD", "en", {"short": True}, "$5"),
        (5_500_000, "USD", "en", {"short": True}, "$5.50"),
        (-25_600_000, "USD", "en", {"signed": True, "bare": True}, "−25.60"),
        (250_000_000, "USD", "en", {"signed": True}, "+$250.00"),
        (0, "USD", "en", {"signed": True}, "$0.00"),
        (500_000, "credit", "en", {}, "0.5 credits"),
        (1_000_000, "credit", "en", {}, "1 credit"),
        (1_000_000_000, "credit", "en", {"bare": True}, "1,000"),
        (1_000_000_000, "JPY", "en", {}, "¥1,000"),
        (12_000_000, "CHF", "en", {}, "CHF 12.00"),
        (17_977_777, "USD", "en", {"rounded": True}, "$17.98"),
        (-17_975_000, "USD", "en", {"rounded": True}, "−$17.98"),
        (37_857_142, "credit", "en", {"rounded": True}, "37.86 credits"),
    ],
)
def test_an_amount_reads_like_this(
    micros: int, unit: str, locale: str, options: dict[str, bool], expected: str
) -> None:
    assert money_text(micros, unit, locale, **options).replace("\xa0", " ") == expected


@pytest.mark.parametrize(
    ("typed", "locale", "micros"),
    [
        ("25", "en", 25_000_000),
        (" $1,000.50 ", "en", 1_000_500_000),
        ("1.000,50 €", "de", 1_000_500_000),
        ("0.054", "en", 54_000),
        ("20", "de", 20_000_000),
    ],
)
def test_what_is_typed_is_understood(typed: str, locale: str, micros: int) -> None:
    assert typed_micros(typed, locale) == micros


@pytest.mark.parametrize(
    "typed",
    [
        *("", "abc", "-5", "+5", "1e3", "NaN", "Infinity", "1_000", "1,00", "10,000,0", "1.0000001", "٢٥"),
        *("5 5", "1" * 13, "5\x00"),
    ],
)
def test_anything_else_is_refused(typed: str) -> None:
    with pytest.raises(InvalidAmount):
        typed_micros(typed, "en")


@given(st.integers(0, 10**17), st.sampled_from(["en", "de", "fr", "sv"]))
def test_what_is_shown_can_be_typed_back(micros: int, locale: str) -> None:
    shown = money_text(micros, "EUR", locale, bare=True)
    assert typed_micros(shown, locale) == micros
