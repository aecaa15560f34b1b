"""The studio as a process of its own, and plain HTTP calls to it."""

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from tests.client.stand_in import CUSTOMER_KEY, SERVICE_KEY
from tests.studio.ports import free_port

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
OWN = ""  # for ``key``: the caller's own


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        assert isinstance(value, dict)
        return value


class StudioCalls:
    """Calls to a running studio, with one customer's key unless told otherwise."""

    def __init__(self, url: str, key: str = CUSTOMER_KEY) -> None:
        self.url = url
        self.key = key

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = OWN,
        **headers: str,
    ) -> Reply:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        address = path if path.startswith("http") else self.url + path
        request = urllib.request.Request(address, data=content, method=method)
        if key is not None:
            request.add_header("Authorization", f"Bearer {key or self.key}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return Reply(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, dict(error.headers), error.read())

    def finished(self, job_id: str) -> dict[str, Any]:
        """The job once it is completed or failed."""

        def look() -> dict[str, Any] | None:
            job = self.call("GET", f"/v1/jobs/{job_id}").json
            return job if job["status"] != "running" else None

        return wait_until(look, what=f"{job_id} to finish")

    def pictures(self, job: dict[str, Any]) -> list[Image.Image]:
        return [Image.open(io.BytesIO(self.call("GET", item["url"]).body)) for item in job["results"]]


class StudioProcess(StudioCalls):
    """``python -m examples.studio`` on a free port. ``kill`` is kill -9; the data stay for ``start``."""

    def __init__(self, portal_url: str, data: Path, service_key: str = SERVICE_KEY) -> None:
        self.data = data
        self._port = free_port()
        super().__init__(f"http://127.0.0.1:{self._port}")
        self._environment = {**os.environ, "STUDIO_SERVICE_KEY": service_key, "PYTHONPATH": str(ROOT)}
        self._portal_url = portal_url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "examples.studio", "--portal", self._portal_url]
        command += ["--port", str(self._port), "--data", str(self.data)]
        log = (self.data.parent / "studio.log").open("ab")
        self._process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)
        log.close()
        wait_until(self._answers, what="the studio to answer")

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """The exit status after a polite end."""
        return self._end(signal.SIGTERM)

    def settle_down(self) -> None:
        """Wait until no job has anything left to do."""
        if self._process is None:
            return
        states = "('accepting', 'orphaned', 'accepted', 'delivered', 'failing')"
        with closing(sqlite3.connect(self.data / "studio.sqlite3")) as database:
            wait_until(
                lambda: (
                    database.execute(f"SELECT count(*) FROM job WHERE state IN {states}").fetchone()[0] == 0
                ),
                what="the studio to settle down",
            )

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.data.parent / "studio.log").read_text()
        try:
            return self.call("GET", "/healthz", key=None).status == 200
        except OSError:
            return False

    def _end(self, how: signal.Signals) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        process.send_signal(how)
        return process.wait(30)


def wait_until(look: Callable[[], T | None], *, what: str, seconds: float = 30) -> T:
    """The first true answer of ``look``."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s in vain for {what}")
