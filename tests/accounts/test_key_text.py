"""The text of a key: form, checksum, digest. Nothing here may touch the database."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import keys

KEY = keys.generate("customer")
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(("kind", "prefix"), [("customer", "bpk_"), ("service", "bps_")])
def test_a_fresh_key_has_its_prefix_and_is_well_formed(kind: str, prefix: str) -> None:
    text = keys.generate(kind)
    assert text.startswith(prefix)
    assert len(text) == 42
    assert keys.well_formed(text)


def test_fresh_keys_differ() -> None:
    assert len({keys.generate("customer") for _ in range(1000)}) == 1000


@given(place=st.integers(4, 41), digit=st.sampled_from(BASE62))
def test_one_wrong_character_is_noticed(place: int, digit: str) -> None:
    mistyped = KEY[:place] + digit + KEY[place + 1 :]
    assert keys.well_formed(mistyped) == (mistyped == KEY)


@given(place=st.integers(4, 40))
def test_two_swapped_characters_are_noticed(place: int) -> None:
    swapped = KEY[:place] + KEY[place + 1] + KEY[place] + KEY[place + 2 :]
    assert keys.well_formed(swapped) == (swapped == KEY)


def test_a_customer_key_relabelled_as_service_key_is_noticed() -> None:
    assert not keys.well_formed("bps_" + KEY[4:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bpk_",
        KEY[:-1],
        KEY + "0",
        " " + KEY,
        KEY + "\n",
        KEY.replace("bpk", "BPK"),
        "é" * 42,
        "bpk_" + "٣" * 38,
    ],
    ids=["nothing", "prefix", "short", "long", "space", "newline", "capitals", "accents", "other digits"],
)
def test_what_has_not_the_form_of_a_key_is_refused(text: str) -> None:
    assert not keys.well_formed(text)


@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    assert keys.well_formed(text) is False


def test_the_digest_is_sha256() -> None:
    assert keys.digest(KEY) == hashlib.sha256(KEY.encode()).digest()
