"""The whole portal as real processes, started by its own command, for tests that need all of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from config.embedded.bootstrap import BASE_DIR
from config.embedded.procs import dies_with_parent

OURS = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "SECRET_KEY", "CELERY_BROKER_URL", "EMAIL_URL")
PATIENCE = 180.0  # seconds; the first start on a busy machine may have to migrate


def clean_environment() -> dict[str, str]:
    """The environment without what the test run itself was told about its own database and payments."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith(("PORTAL_", "STRIPE_", "PYTEST_"))
    }


@dataclass
class LivePortal:
    """One running `manage.py up` on a data folder of its own."""

    data: Path
    process: subprocess.Popen[bytes]
    status: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def start(cls, data: Path, *options: str, environment: dict[str, str] | None = None) -> Self:
        """Start it on any free port (unless ``options`` name one) and wait until it says that it is ready."""
        data.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "manage.py", "up", "--data", str(data)]
        port = () if "--port" in options else ("--port", "0")
        with data.with_suffix(".out").open("wb") as output:
            process = subprocess.Popen(
                [*command, *port, *options],
                cwd=BASE_DIR,
                env=clean_environment() | (environment or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=dies_with_parent(signal.SIGTERM),
            )
        portal = cls(data, process)
        try:
            portal.wait_until(lambda: "The portal is ready" in portal.said, "ready")
        except BaseException:
            portal.stop()
            raise
        portal.refresh()
        return portal

    @property
    def said(self) -> str:
        """What `up` has printed so far."""
        return self.data.with_suffix(".out").read_text()

    def refresh(self) -> None:
        self.status = self.manage("status", "--json")

    @property
    def url(self) -> str:
        return str(self.status["portal"])

    @property
    def studio(self) -> str:
        return str(self.status["studio"])

    @property
    def stripe(self) -> str:
        return str(self.status["stripe"])

    def pid(self, name: str) -> int:
        return int(self.status["processes"][name])

    def manage(self, *arguments: str) -> Any:
        """Run a management command against this portal; its JSON, if it printed any, else its text."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments, "--data", str(self.data)],
            cwd=BASE_DIR,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    def wait_until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            assert self.process.poll() is None, f"up ended before: {what}\n{self.said}"
            assert time.monotonic() < deadline, f"not within {patience} s: {what}\n{self.said}"
            time.sleep(0.1)

    def stop(self) -> int:
        """Ctrl-C, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(60)
