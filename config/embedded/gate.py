"""`manage.py test`: everything that must hold before a change is kept, on a private database.

The checks that need no database come first and all of them run; pytest's closing line is the last thing said.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
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
LEFT_OUT_WHEN_FAST = "not slow and not e2e"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="manage.py test",
        description="Lint, types, import contracts, templates, then pytest on a private PostgreSQL. "
        "Anything else on the line is given to pytest, and then only pytest runs.",
    )
    parser.add_argument("--fast", action="store_true", help="leave out slow tests and the browser's")
    options, pytest_arguments = parser.parse_known_args(argv)
    failed = [] if pytest_arguments else run_checks()
    if not options.fast:
        browsers.ensure()
    return run_pytest(pytest_arguments, fast=options.fast) or len(failed)


def run_checks() -> list[str]:
    """Run every check and return the names of those that failed."""
    failed = []
    for name, (program, *arguments) in CHECKS.items():
        begun = time.monotonic()
        done = subprocess.run(
            [str(VENV / "bin" / program), *arguments],
            cwd=BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        say(f"{name:18} {'ok' if done.returncode == 0 else 'FAILED'}  {time.monotonic() - begun:.1f} s")
        if done.returncode:
            failed.append(name)
            print(done.stdout, file=sys.stderr)
    return failed


def run_pytest(arguments: list[str], *, fast: bool) -> int:
    """pytest on a private, throw-away cluster with a migrated template; DATABASE_URL overrides it."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        *(["-m", LEFT_OUT_WHEN_FAST] if fast else []),
        *(arguments or ["-n", "2"]),
    ]
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test"}
    if "DATABASE_URL" in os.environ:
        return subprocess.run(command, cwd=BASE_DIR, env=environment, check=False).returncode
    _, prepared = template.prepared(say)
    home = Path(tempfile.mkdtemp(prefix="portal-test-"))
    home.chmod(0o711)
    try:
        cluster = postgres.Cluster(home / "postgres", durable=False)
        cluster.copy_from(prepared)
        with cluster:
            environment |= {
                "DATABASE_URL": cluster.url("portal"),
                "PORTAL_TEMPLATE_DB": template.DATABASE,
                "PORTAL_DATA_DIR": str(home / "data"),
            }
            return subprocess.run(command, cwd=BASE_DIR, env=environment, check=False).returncode
    finally:
        shutil.rmtree(home, ignore_errors=True)
