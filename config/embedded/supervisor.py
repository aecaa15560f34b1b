"""Keeps a few processes running: starts them in order, starts again what dies, stops all of them together."""

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from config.embedded.problems import Problem, clear_disk_errors
from config.embedded.procs import dies_with_parent, started_at

FIRST_DELAY, LONGEST_DELAY = 0.2, 15.0  # seconds before a start that follows a death
HEALTHY_AFTER = 30.0  # seconds of life after which a death counts as the first again
LARGEST_LOG = 20_000_000  # bytes; a larger log is set aside at the next start
Report = Callable[[str], None]


@dataclass
class Service:
    """One process: how it is started, how one sees that it is up, how it is asked to stop."""

    name: str
    spawn: Callable[[], "subprocess.Popen[bytes]"]
    ready: Callable[[], bool]
    stop_signal: int = signal.SIGTERM
    last: bool = False  # stopped after all others: they need it until their end
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    born: float = field(default=0.0, init=False)
    delay: float = field(default=0.0, init=False)
    due: float = field(default=0.0, init=False)

    def start(self) -> None:
        self.process = self.spawn()
        self.born = time.monotonic()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


def program(
    command: list[str], *, cwd: Path, environment: dict[str, str], log: Path
) -> "subprocess.Popen[bytes]":
    """Start a command in a session of its own, writing to ``log``, ending when we end."""
    with clear_disk_errors(log):
        if log.exists() and log.stat().st_size > LARGEST_LOG:
            log.replace(log.with_suffix(".old.log"))
        with log.open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )


class Supervisor:
    def __init__(self, report: Report, changed: Callable[["Supervisor"], None], logs: Path) -> None:
        self.services: list[Service] = []
        self.report = report
        self.changed = changed
        self.logs = logs

    def launch(self, *services: Service, patience: float = 90.0) -> None:
        """Start services at the same time and wait until all of them are up."""
        for service in services:
            self.services.append(service)
            service.start()
        self.changed(self)
        deadline = time.monotonic() + patience
        for service in services:
            while not service.ready():
                if not service.alive or time.monotonic() > deadline:
                    raise Problem(f"{service.name} did not start. {self._last_words(service)}")
                time.sleep(0.05)

    def _last_words(self, service: Service) -> str:
        log = self.logs / f"{service.name}.log"
        lines = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
        return f"The end of {log}:\n" + "\n".join(lines)

    def pids(self) -> dict[str, int]:
        return {one.name: one.process.pid for one in self.services if one.process is not None and one.alive}

    def marks(self) -> dict[str, str]:
        return {name: mark for name, pid in self.pids().items() if (mark := started_at(pid))}

    # -- keeping them alive ------------------------------------------------------------------
    def watch(self) -> None:
        """Start again whatever dies, until a signal's handler raises."""
        wake, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            pause = self.look_after()
            if select.select([wake], [], [], pause)[0]:
                os.read(wake, 4096)

    def look_after(self) -> float | None:
        """One round; answers the seconds until the next start is due, None when all are alive."""
        now = time.monotonic()
        waits = [wait for one in self.services if (wait := self._look_at(one, now)) is not None]
        return min(waits, default=None)

    def _look_at(self, one: Service, now: float) -> float | None:
        if one.alive:
            return None
        if one.process is not None:
            self._note_death(one, now)
        if now < one.due:
            return one.due - now
        try:
            one.start()
        except (OSError, Problem) as error:  # such as a full disk: said, and tried again later
            self.report(f"{one.name} could not be started again: {error}")
            self._put_off(one, now)
            return one.delay
        self.changed(self)
        return None

    def _note_death(self, one: Service, now: float) -> None:
        code = one.process.returncode if one.process else 0
        self._end_group(one)
        one.process = None
        if now - one.born > HEALTHY_AFTER:
            one.delay = 0.0
        self._put_off(one, now)
        why = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        self.report(f"{one.name} ended {why}; it is started again")

    @staticmethod
    def _put_off(one: Service, now: float) -> None:
        one.delay = min(max(one.delay * 2, FIRST_DELAY), LONGEST_DELAY)
        one.due = now + one.delay

    @staticmethod
    def _end_group(one: Service) -> None:
        """What a process has started itself goes with it. The database's own children end by themselves."""
        if one.process is not None and not one.last:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(one.process.pid, signal.SIGKILL)

    # -- stopping ----------------------------------------------------------------------------
    def stop(self) -> None:
        """Ask all to stop, those with ``last`` after the others; who does not listen is ended."""
        for wave, patience in ((False, 8.0), (True, 30.0)):
            group = [one for one in self.services if one.last is wave and one.process is not None]
            for one in group:
                self._signal(one, one.stop_signal)
            deadline = time.monotonic() + patience
            for one in group:
                self._await_end(one, deadline)

    @staticmethod
    def _signal(one: Service, signum: int) -> None:
        if one.process is not None and one.process.poll() is None:
            one.process.send_signal(signum)

    def _await_end(self, one: Service, deadline: float) -> None:
        if one.process is None:
            return
        try:
            one.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._signal(one, signal.SIGKILL)
            one.process.wait()
        self._end_group(one)
