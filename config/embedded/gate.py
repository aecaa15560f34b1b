"""`manage.py test`: everything that must hold before a change is kept, on a private database.

The checks that need no database run beside its preparation, all at once, and are told before the tests begin; pytest's
closing line is the last thing said.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from config.embedded import browsers, postgres, template
from config.embedded.bootstrap import BASE_DIR, VENV, say

CHECKS = {
    "ruff": ["ruff", "check", "."],
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "types": ["mypy", "."],
    "import contracts": ["lint-imports"],
    "templates": ["djlint", "templates", "--lint", "--quiet"],
}
# The fuzzer's cases, all of them slow, take seconds to make before one is left out.
LEFT_OUT_WHEN_FAST = ("-m", "not slow and not e2e", "--ignore", "tests/billing/api/test_fuzz.py")
# Two at once; who has nothing left takes from the other, so that no processor waits at the end.
ALL_OF_THEM = ("-n", "2", "--dist", "worksteal")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="manage.py test",
        description="Lint, types, import contracts, templates, then pytest on a private PostgreSQL. "
        "Anything else on the line is given to pytest, and then only pytest runs.",
    )
    parser.add_argument("--fast", action="store_true", help="leave out slow tests and the browser's")
    options, pytest_arguments = parser.parse_known_args(argv)
    with ThreadPoolExecutor(max_workers=len(CHECKS)) as pool:
        checks = [] if pytest_arguments else [pool.submit(check, name) for name in CHECKS]
        if not options.fast:
            browsers.ensure()
        with database() as environment:
            failed = [holds for holds in checks if not holds.result()]
            return run_pytest(pytest_arguments, environment, fast=options.fast) or len(failed)


def check(name: str) -> bool:
    """Run one check and say how it went, with all it says where it failed."""
    program, *arguments = CHECKS[name]
    begun = time.monotonic()
    done = subprocess.run(
        [str(VENV / "bin" / program), *arguments],
        cwd=BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    outcome = f"{name:18} {'ok' if done.returncode == 0 else 'FAILED'}  {time.monotonic() - begun:.1f} s"
    say(outcome if done.returncode == 0 else f"{outcome}\n{done.stdout.rstrip()}")
    return done.returncode == 0


@contextmanager
def database() -> Iterator[dict[str, str]]:
    """The environment of tests: a private, throw-away cluster with a migrated template; DATABASE_URL overrides it."""
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    if "DATABASE_URL" in os.environ:
        yield environment
        return
    _, prepared = template.prepared(say)
    home = Path(tempfile.mkdtemp(prefix="portal-test-"))
    home.chmod(0o711)
    try:
        cluster = postgres.Cluster(home / "postgres", durable=False)
        cluster.copy_from(prepared)
        with cluster:
            yield environment | {
                "DATABASE_URL": cluster.url("portal"),
                "PORTAL_TEMPLATE_DB": template.DATABASE,
                "PORTAL_DATA_DIR": str(home / "data"),
            }
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run_pytest(arguments: list[str], environment: dict[str, str], *, fast: bool) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        *(LEFT_OUT_WHEN_FAST if fast else ()),
        *(arguments or ALL_OF_THEM),
    ]
    return subprocess.run(command, cwd=BASE_DIR, env=environment, check=False).returncode
