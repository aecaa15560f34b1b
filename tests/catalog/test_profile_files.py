"""Reading profile files: what is no text or no file is explained, and a damaged one never crashes."""

import json
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import loader
from catalog.problems import InvalidProfile
from tests.catalog.test_check_profile import GOOD


def test_the_command_exits_with_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    path.write_text(GOOD.replace("price = 5,", "price = -5,"))
    with pytest.raises(
        CommandError, match=r"studio\.toml: line 69: .*must not be negative\.\n1 mistake in studio\.toml\."
    ):
        call_command("check_profile", str(path))


def test_the_command_prints_json(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    path.write_text(GOOD)
    out = StringIO()
    call_command("check_profile", str(path), "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"profile": "studio", "models": 1, "prices": 2, "problems": []}


def test_a_missing_file_names_the_bundled_profiles() -> None:
    with pytest.raises(CommandError, match="bundled profiles are ads, gateway, images, sites, toon"):
        call_command("check_profile", "nowhere")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (b"\xff\xfe\x00", "line 1: file: is not UTF-8 text."),
        (GOOD.encode().replace(b"Studio", b"Stud\xe9"), "line 5: file: is not UTF-8 text."),
        (GOOD.encode().replace(b'"Studio"', b'"Stu\x00dio"'), "line 5: syntax: "),
        (
            GOOD.encode().replace(b'"Studio"', b'"Stu\\u0000dio"'),
            "line 5: profile.name: must be one line of text.",
        ),
        (b"#" * 4_000_001, "file: is larger than 4 MB."),
        (GOOD.encode("utf-16"), "line 1: file: is not UTF-8 text."),
    ],
    ids=["two stray bytes", "Latin-1", "NUL", "NUL escaped", "huge", "UTF-16"],
)
def test_a_file_that_is_no_text_is_explained(tmp_path: Path, bad: bytes, message: str) -> None:
    path = tmp_path / "studio.toml"
    path.write_bytes(bad)
    with pytest.raises(InvalidProfile) as refusal:
        loader.read(path)
    assert any(str(problem).startswith(message) for problem in refusal.value.problems)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "studio.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert loader.read(path).file.profile.id == "studio"


@pytest.mark.parametrize("name", ["no\0where", "x" * 5000, "/dev/zero", "/", "", "imagse"])
def test_what_is_no_file_is_explained(name: str) -> None:
    with pytest.raises(CommandError, match="there is no such file"):
        call_command("check_profile", name)


lines = st.integers(0, 400)
damage = st.lists(
    st.one_of(
        st.tuples(st.just("drop"), lines, st.none()),
        st.tuples(st.just("double"), lines, st.none()),
        st.tuples(
            st.just("value"),
            lines,
            st.sampled_from(
                ["-1", "0", "true", "[]", "{}", "[[1]]", '""', '"x"', "nan", "1e400", "0x10", "9" * 30]
            ),
        ),
        st.tuples(st.just("key"), lines, st.sampled_from(["x", "price", "id", "when.x", '"" ', "a.b.c"])),
        st.tuples(st.just("text"), lines, st.text(max_size=12)),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(["ads", "sites", "gateway"]), hurts=damage)
def test_a_damaged_file_is_read_or_refused_and_never_crashed_on(
    name: str, hurts: list[tuple[str, int, str | None]]
) -> None:
    text = loader.find(name).read_text().splitlines()
    for kind, number, value in hurts:
        at = number % len(text)
        key, is_pair, _ = text[at].partition(" = ")
        if kind == "drop":
            text[at] = ""
        elif kind == "double":
            text.insert(at, text[at])
        elif kind == "text":
            text.insert(at, value or "")
        elif is_pair:
            text[at] = f"{key} = {value}" if kind == "value" else text[at].replace(key, value or "", 1)
    with suppress(InvalidProfile):
        loader.parse("\n".join(text), "damaged.toml")
