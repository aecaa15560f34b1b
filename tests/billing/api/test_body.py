"""Strict JSON, line by line: what is refused before anything looks at its meaning."""

from decimal import Decimal

import pytest

from billing.api.body import parse
from billing.api.schemas import BatchBody, validated
from billing.errors import InvalidRequest

REFUSED = [
    ("nothing", b""),
    ("blank", b"   "),
    ("not JSON", b"amount=5"),
    ("cut off", b'{"amount": '),
    ("more after it", b"{} {}"),
    ("a list", b"[]"),
    ("a text", b'"amount"'),
    ("null", b"null"),
    ("a number", b"1"),
    ("NaN", b'{"a": NaN}'),
    ("Infinity", b'{"a": Infinity}'),
    ("minus Infinity", b'{"a": -Infinity}'),
    ("1e400", b'{"a": 1e400}'),
    ("1e-400", b'{"a": 1e-400}'),
    ("5,000 digits", b'{"a": ' + b"9" * 5000 + b"}"),
    ("5,000 decimals", b'{"a": 0.' + b"9" * 5000 + b"}"),
    ("1_000", b'{"a": 1_000}'),
    ("leading zero", b'{"a": 007}'),
    ("hexadecimal", b'{"a": 0x10}'),
    ("Arabic digits", '{"a": ١٢}'.encode()),
    ("full-width digits", '{"a": １２}'.encode()),
    ("a name twice", b'{"a": 1, "a": 1}'),
    ("a name twice, deep", b'{"a": [{"b": 1, "b": 2}]}'),
    ("a name twice, escaped", b'{"a": 1, "\\u0061": 2}'),
    ("raw NUL", b'{"a": "\x00"}'),
    ("escaped NUL", b'{"a": "\\u0000"}'),
    ("escaped NUL in a name", b'{"a\\u0000": 1}'),
    ("lone high surrogate", b'{"a": "\\ud800"}'),
    ("lone low surrogate", b'{"a": "x\\udfffx"}'),
    ("surrogates the wrong way round", b'{"a": "\\ude00\\ud83d"}'),
    ("raw surrogate", b'{"a": "\xed\xa0\x80"}'),
    ("not UTF-8", b'{"a": "\xff"}'),
    ("UTF-16", '{"a": 1}'.encode("utf-16")),
    ("byte order mark", b"\xef\xbb\xbf{}"),
    ("raw control character", b'{"a": "\x01"}'),
    ("21 levels", b'{"a":' * 21 + b"1" + b"}" * 21),
    ("100,000 levels", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    ("100,000 lists", b"[" * 100_000),
    ("257 KiB", b'{"a": "' + b"x" * (257 * 1024) + b'"}'),
    ("comment", b'{"a": 1} // one'),
    ("trailing comma", b'{"a": 1,}'),
    ("single quotes", b"{'a': 1}"),
]


@pytest.mark.parametrize(("what", "raw"), REFUSED, ids=[what for what, _ in REFUSED])
def test_refuses(what: str, raw: bytes) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse(raw)
    assert refusal.value.extra["errors"][0]["field"] == "body"


TAKEN = [
    (b"{}", {}),
    (b' {"a": 1}\n', {"a": 1}),
    (b'{"a": 0.1}', {"a": Decimal("0.1")}),
    (b'{"a": 12345678901234567890.5}', {"a": Decimal("12345678901234567890.5")}),
    (b'{"a": 1e3}', {"a": Decimal("1e3")}),
    (b'{"a": [true, false, null]}', {"a": [True, False, None]}),
    ('{"a": "Grüße 🎨"}'.encode(), {"a": "Grüße 🎨"}),
    (b'{"a": "\\ud83c\\udfa8"}', {"a": "🎨"}),
    (b'{"a":' * 20 + b"1" + b"}" * 20, None),
]


@pytest.mark.parametrize(("raw", "value"), TAKEN, ids=range(len(TAKEN)))
def test_takes(raw: bytes, value: object) -> None:
    parsed = parse(raw)
    assert value is None or parsed == value


def test_numbers_with_a_fraction_never_pass_through_a_float() -> None:
    assert str(parse(b'{"a": 0.1000000000000000055}')["a"]) == "0.1000000000000000055"


@pytest.mark.parametrize("sent", [{"charges": []}, {"charges": [{}] * 1001}])
def test_a_list_of_the_wrong_size_is_said_by_the_lane_too(sent: dict[str, list[object]]) -> None:
    """The lane validates by itself: the bound in the sentence has to come along."""
    with pytest.raises(InvalidRequest) as refused:
        validated(BatchBody, sent)
    assert "entr" in str(refused.value.extra)
