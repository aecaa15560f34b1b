"""The soak's own promises: a report whatever happens, the time it was given, and the figures of the suite by one command."""

import json
import time
from pathlib import Path

import pytest

from soak import command
from soak.command import Soak
from soak.figures import FIGURES, Figure
from soak.races.everything import RACES
from soak.told import Progress, Told
from soak.world import World
from tests.fire import note, world

__all__ = ["note", "world"]
pytestmark = pytest.mark.slow

AGREED = {
    "races": len(RACES) * 200, "operations": 250_000, "kills": 1_000,
    "crashes": 10, "deliveries": 10_000, "inputs": 20_000,
}  # fmt: skip


def fine(world: World, count: int, seed: int, progress: Progress) -> Told:
    progress(count)
    return Told(count, [], 0.0, f"with seed {seed}")


def broken(world: World, count: int, seed: int, progress: Progress) -> Told:
    return Told(count, ["a credit too many"], 0.0)


def dies(world: World, count: int, seed: int, progress: Progress) -> Told:
    progress(3)
    raise RuntimeError("the tester fell")


def endless(world: World, count: int, seed: int, progress: Progress) -> Told:
    done = 0
    while progress(done):
        done += 1
        time.sleep(0.01)
    return Told(done, [], 0.0)


def soak(folder: Path, *runs: tuple[str, object], seconds: float = 60, column: str = "suite") -> Soak:
    figures = [Figure(name, name, 10, 1_000_000, 10, run) for name, run in runs]  # type: ignore[arg-type]
    return Soak(figures, column, seconds, 7, "abc", folder / "report")


@pytest.fixture(autouse=True)
def _one_world(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The world of the other tests instead of one for each figure."""
    from contextlib import nullcontext

    from soak import world as worlds

    monkeypatch.setattr(worlds, "world", lambda **options: nullcontext(world))


def test_the_suite_s_column_is_what_was_agreed() -> None:
    assert {figure.name: figure.suite for figure in FIGURES} == AGREED
    assert len(RACES) >= 30
    assert command._options(["--column", "ci"]).column == "ci"
    assert set(command.ROWS) == set(AGREED)


def test_a_figure_that_raises_is_in_the_report_and_the_others_are_run(tmp_path: Path) -> None:
    asked = soak(tmp_path, ("one", dies), ("two", fine))
    assert asked.run() == 1
    told = json.loads((tmp_path / "report.json").read_text())
    assert [row["error"] for row in told["rows"]] == ["RuntimeError: the tester fell", ""]
    assert [row["reached"] for row in told["rows"]] == [3, 10]
    assert "one ended with RuntimeError: the tester fell" in (tmp_path / "report.md").read_text()


def test_seed_and_commit_are_printed_with_each_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert soak(tmp_path, ("one", fine), ("two", fine)).run() == 0
    assert capsys.readouterr().out.count("seed 7  commit abc  with seed 7") == 2
    assert "Column ci, seed 7, commit abc." in (tmp_path / "report.md").read_text()


def test_a_violation_is_an_exit_code(tmp_path: Path) -> None:
    assert soak(tmp_path, ("one", broken)).run() == 1
    assert "one: a credit too many" in (tmp_path / "report.md").read_text()


def test_the_first_slice_too_ends_with_its_time(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert soak(tmp_path, ("one", endless), ("two", endless), seconds=1, column="soak").run() == 0
    assert time.monotonic() - begun < 3


def test_a_figure_of_the_suite_that_was_not_reached_is_no_success(tmp_path: Path) -> None:
    def slow(world: World, count: int, seed: int, progress: Progress) -> Told:
        progress(1)
        time.sleep(0.2)
        return Told(1, [], 0.0)

    assert soak(tmp_path, ("one", slow), seconds=0.1).run() == 1
