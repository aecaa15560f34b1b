"""The data folder: what is kept in it, who may read it, and how other commands find the portal by it."""

import os
import stat
from pathlib import Path

import pytest

from config.embedded import datadir
from config.embedded.datadir import DataDir, State
from config.embedded.problems import Problem
from config.embedded.procs import started_at

HERE = ["manage.py", "reconcile"]


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    folder = DataDir(tmp_path / "data")
    folder.make()
    return folder


def running_state(**values: str) -> State:
    return State(supervisor=os.getpid(), since=started_at(os.getpid()) or "", environment=values)


def test_a_kept_value_is_made_once_and_for_its_owners_eyes_only(data: DataDir) -> None:
    first = data.keep_or_make("password", lambda: "one")
    second = data.keep_or_make("password", lambda: "two")

    assert (first, second) == ("one", "one")
    assert stat.S_IMODE((data.root / "kept.json").stat().st_mode) == 0o600


def test_a_state_whose_process_is_gone_or_another_one_is_not_a_running_portal(data: DataDir) -> None:
    data.write_state(State(supervisor=os.getpid(), since="the start time of another process"))
    assert data.running() is None

    data.write_state(running_state())
    assert data.running() is not None


@pytest.mark.parametrize("option", [["--data", "/srv/portal"], ["--data=/srv/portal"]])
def test_the_data_option_is_taken_out_of_any_command(option: list[str]) -> None:
    assert datadir.take_option([*HERE, *option, "--json"]) == ([*HERE, "--json"], Path("/srv/portal"))


def test_what_follows_two_dashes_is_left_alone() -> None:
    assert datadir.take_option([*HERE, "--", "--data", "x"]) == ([*HERE, "--", "--data", "x"], None)


def test_a_command_sees_what_the_running_portal_sees(data: DataDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("STUDIO_URL", "https://chosen.example")
    monkeypatch.delenv("STRIPE_API_HOST", raising=False)
    monkeypatch.setenv("PORTAL_DATA_DIR", "replaced")
    data.write_state(
        running_state(
            DATABASE_URL="postgres://there", STRIPE_API_HOST="http://sim", STUDIO_URL="http://other"
        )
    )

    datadir.adopt(data.root)

    assert os.environ["DATABASE_URL"] == "postgres://there"
    assert os.environ["STRIPE_API_HOST"] == "http://sim"
    assert os.environ["STUDIO_URL"] == "https://chosen.example"  # the caller's own word wins
    assert os.environ["PORTAL_DATA_DIR"] == str(data.root)
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.delenv("STRIPE_API_HOST")


def test_a_named_folder_without_a_running_portal_is_said_in_one_sentence(
    data: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PORTAL_DATA_DIR", "replaced")

    with pytest.raises(Problem, match="No portal runs on"):
        datadir.adopt(data.root)


def test_a_database_named_by_the_caller_needs_no_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://mine")
    monkeypatch.setenv("PORTAL_DATA_DIR", "/nowhere")

    datadir.adopt(None)

    assert os.environ["DATABASE_URL"] == "postgres://mine"
