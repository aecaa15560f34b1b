"""What each process of a running portal takes of memory: ``python -m benchmarks.memory [--seconds 60]``.

Starts the whole portal with its sample data in a scratch folder, opens public pages, charges by the API, and lets the
worker keep its timetable meanwhile. Resident memory, largest seen, children counted (of PostgreSQL the shared part with
each); targets: web 150, worker 200 MiB.
"""

import argparse
import itertools
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any, Final

import psutil

from tests.live import LivePortal

TARGETS: Final = {"web": 150, "worker": 200}
PAGES: Final = ("/pricing", "/accounts/login/", "/v1/pricing", "/v1/openapi.json")


def main() -> int:
    """Print a line for each process; 1 when one takes more than it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        portal = LivePortal.start(Path(folder) / "portal")
        try:
            largest = _watched(portal, seconds)
        finally:
            portal.stop()
    missed = False
    print(f"{'process':<12}{'MiB':>6}{'target':>8}")
    for name, mib in largest.items():
        target = TARGETS.get(name)
        missed |= target is not None and mib > target
        print(f"{name:<12}{mib:>6}{f'≤ {target}' if target else '':>8}")
    return int(missed)


def _watched(portal: LivePortal, seconds: int) -> dict[str, int]:
    """The largest resident memory of each process, in MiB, while requests go on."""
    account = portal.manage(
        "create_account", "--email", "memory@example.com", "--credits", "1000000", "--json"
    )
    service = portal.manage("create_service_key", "--name", "memory", "--json")["api_key"]
    model, operation = _something_sold(portal)
    asked = {"customer": {"account": account["account"]}, "model": model, "operation": operation}
    largest: dict[str, int] = {}
    until = time.monotonic() + seconds
    for number in itertools.count():
        _get(portal.url + PAGES[number % len(PAGES)])
        charge = _post(f"{portal.url}/v1/charges", service, asked)
        if charge["status"] == "authorized":
            _post(f"{portal.url}/v1/charges/{charge['id']}/void", service, {"reason": "only tried"})
        for name, pid in portal.status["processes"].items():
            largest[name] = max(largest.get(name, 0), _mib(pid))
        if time.monotonic() > until:
            return largest
    raise AssertionError("counting has no end")


def _something_sold(portal: LivePortal) -> tuple[str, str]:
    first = json.loads(_get(f"{portal.url}/v1/pricing"))["models"][0]
    return first["id"], first["operations"][0]["operation"]


def _mib(pid: int) -> int:
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return sum(int(member.memory_info().rss) for member in family) // 2**20


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own address
        content: bytes = answer.read()
        return content


def _post(url: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own address
        found: dict[str, Any] = json.load(answer)
        return found


if __name__ == "__main__":
    sys.exit(main())
