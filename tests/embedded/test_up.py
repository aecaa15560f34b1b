"""`manage.py up` as a person meets it: real processes, killed, restarted, stopped."""

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded import ports
from config.embedded.bootstrap import BASE_DIR
from config.embedded.procs import started_at
from tests.live import LivePortal, clean_environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def started(place: Path) -> Iterator[list[LivePortal]]:
    portals: list[LivePortal] = []
    yield portals
    for portal in portals:
        portal.stop()


@pytest.fixture
def portal(started: list[LivePortal], place: Path) -> LivePortal:
    """One portal for the tests of this file; started again after a test that has stopped it."""
    if not started or started[-1].process.poll() is not None:
        started.append(LivePortal.start(place / "up", "--no-sample-data"))
    return started[-1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def manage(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=BASE_DIR,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_everything_is_up_says_so_and_stops_on_ctrl_c(portal: LivePortal) -> None:
    portal.wait_until(lambda: answers(f"{portal.url}/readyz"), "ready by its own word")

    assert set(portal.status["processes"]) == {"postgres", "stripe", "worker", "beat", "web", "studio"}
    assert portal.status["database"].startswith("postgres://")
    assert set(portal.status["staff"]) == {"email", "password"}
    assert portal.status["staff"]["password"] in portal.said
    for name in ("kept.json", "state.json"):
        assert stat.S_IMODE((portal.data / name).stat().st_mode) == 0o600

    marks = {pid: started_at(pid) for pid in portal.status["processes"].values()}
    assert portal.stop() == 0
    assert [pid for pid, mark in marks.items() if started_at(pid) == mark] == []
    assert manage("status", "--data", str(portal.data)).returncode == 1


@pytest.mark.parametrize("name", ["web", "worker", "postgres"])
def test_a_killed_process_is_back_and_nothing_is_lost(portal: LivePortal, name: str) -> None:
    made = portal.manage("create_account", "--email", f"{name}@portal.example", "--json")
    before = portal.pid(name)

    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        portal.refresh()
        return portal.status["processes"].get(name, before) != before and answers(f"{portal.url}/readyz")

    portal.wait_until(back, f"{name} is back")
    request = urllib.request.Request(
        f"{portal.url}/v1/balance", headers={"Authorization": f"Bearer {made['api_key']}"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["account"] == made["account"]


def test_a_killed_supervisor_leaves_nothing_running_and_nothing_in_the_way(
    portal: LivePortal, started: list[LivePortal]
) -> None:
    marks = {pid: started_at(pid) for pid in portal.status["processes"].values()}
    os.kill(portal.process.pid, signal.SIGKILL)
    portal.process.wait()

    again = LivePortal.start(portal.data, "--no-sample-data")
    started.append(again)

    assert [pid for pid, mark in marks.items() if started_at(pid) == mark] == []
    assert again.status["staff"] == portal.status["staff"]


def test_a_second_start_on_the_same_folder_is_refused_in_one_sentence(portal: LivePortal) -> None:
    second = manage("up", "--port", "0", "--data", str(portal.data))

    assert second.returncode == 1
    assert second.stderr == f"A portal already runs on {portal.data.resolve()} at {portal.url}.\n"


def test_a_taken_port_is_refused_in_one_sentence(portal: LivePortal, place: Path) -> None:
    port = portal.url.rpartition(":")[2]

    other = manage("up", "--port", port, "--data", str(place / "other"))

    assert other.returncode == 1
    assert other.stderr.startswith(f"Port {port} is taken by another program: choose another with --port")
    assert other.stderr.count("\n") == 1


def test_two_portals_run_side_by_side(portal: LivePortal, place: Path) -> None:
    other = LivePortal.start(place / "beside", "--no-sample-data", "--port", str(ports.free()))
    try:
        assert answers(f"{portal.url}/healthz")
        assert answers(f"{other.url}/healthz")
        assert not set(portal.status["processes"].values()) & set(other.status["processes"].values())
    finally:
        other.stop()
