"""Facts about processes that outlive the process asking: who runs, since when, and what dies with whom."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def dies_with_parent(signum: int, parent: int | None = None) -> Callable[[], None]:
    """A ``preexec_fn``: the kernel sends ``signum`` to the child when its parent (this process) is gone (Linux).

    Elsewhere it does nothing, and the next start cleans up by the recorded process ids.
    """
    if sys.platform != "linux":
        return lambda: None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = parent or os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:  # it died before the wish was known to the kernel
            os._exit(1)

    return prepare


def started_at(pid: int) -> str | None:
    """A mark that tells this process from a later one with the same id; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if sys.platform == "linux":
            return None
        answer = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() or None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def command_line(pid: int) -> str:
    """The command a process was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if sys.platform == "linux":
            return ""
        answer = subprocess.run(
            ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return answer.stdout


def end(pid: int, mark: str | None, *, signum: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """Stop one process of ours, told by its start mark: politely, after ``patience`` seconds by SIGKILL."""
    if mark is None or started_at(pid) != mark:
        return
    os.kill(pid, signum)
    deadline = time.monotonic() + patience
    while started_at(pid) == mark:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.05)
