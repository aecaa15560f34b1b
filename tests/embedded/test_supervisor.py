"""Keeping processes alive, with small stand-ins for the portal's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.embedded.problems import Problem
from config.embedded.procs import started_at
from config.embedded.supervisor import Service, Supervisor, program

SLEEPER = "import time; time.sleep(60)"
PARENT = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(child.pid, flush=True); time.sleep(60)"
)
DEAF = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(60)"
)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    one = Supervisor(said.append, lambda now: None, tmp_path)
    yield one
    for service in one.services:
        if service.alive and service.process is not None:
            service.process.kill()


def service(tmp_path: Path, code: str, ready: Callable[[], bool] = lambda: True) -> Service:
    def spawn() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", code]
        return program(command, cwd=tmp_path, environment=dict(os.environ), log=tmp_path / "one.log")

    return Service("one", spawn, ready)


def eventually(holds: Callable[[], bool], patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_killed_process_is_started_again(supervisor: Supervisor, said: list[str], tmp_path: Path) -> None:
    supervisor.launch(service(tmp_path, SLEEPER))
    before = supervisor.pids()["one"]
    os.kill(before, signal.SIGKILL)
    eventually(lambda: "one" not in supervisor.pids())

    eventually(lambda: supervisor.look_after() is None)

    assert supervisor.pids()["one"] != before
    assert said == ["one ended by SIGKILL; it is started again"]


def test_a_process_that_dies_again_and_again_is_given_more_and_more_time(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    one = service(tmp_path, "raise SystemExit(3)")
    supervisor.services.append(one)
    delays = []
    for _ in range(4):
        one.due = 0.0
        one.start()
        assert one.process is not None
        one.process.wait()
        supervisor.look_after()
        delays.append(one.delay)

    assert delays == [0.2, 0.4, 0.8, 1.6]


def test_a_process_that_does_not_come_up_is_shown_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with pytest.raises(Problem, match=r"(?s)one did not start.*no such setting"):
        supervisor.launch(service(tmp_path, "raise SystemExit('no such setting')", ready=lambda: False))


def test_stopping_ends_a_process_and_what_it_has_started(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.launch(
        service(tmp_path, PARENT, ready=lambda: (tmp_path / "one.log").read_text().endswith("\n"))
    )
    child = int((tmp_path / "one.log").read_text())

    supervisor.stop()

    assert supervisor.pids() == {}
    eventually(lambda: started_at(child) is None)


@pytest.mark.slow
def test_a_process_that_does_not_listen_is_ended(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.launch(service(tmp_path, DEAF, ready=lambda: "deaf" in (tmp_path / "one.log").read_text()))

    supervisor.stop()

    assert supervisor.pids() == {}
