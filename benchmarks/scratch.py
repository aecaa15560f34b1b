"""A scratch database with a past and servers in front of it, for the benchmarks over HTTP."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import django
import psutil

from config.embedded import ports, template
from config.embedded.bootstrap import BASE_DIR
from config.embedded.postgres import Cluster, binaries

HERE: Final = Path(__file__).parent
ACCOUNTS: Final = 10_000
"""The last thousand of them have their credits in twenty grants, the others in one (``fill.sql``)."""
MODEL: Final = "flux-2-pro"
TUNING: Final = {
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "min_wal_size": "4GB",
    "synchronous_commit": "on",
    "checkpoint_timeout": "30min",
}


@dataclass(frozen=True)
class Place:
    """The scratch cluster, the file with the customers' keys, and the service's key."""

    cluster: Cluster
    keys: Path
    service: str

    def environment(self) -> dict[str, str]:
        """What a process needs to use this database."""
        return {
            **os.environ,
            "DATABASE_URL": self.cluster.url("bench"),
            "DJANGO_SETTINGS_MODULE": "config.settings.local",
            "STRIPE_SECRET_KEY": "sk_test_" + "0" * 24,
            "BENCH_MODEL": MODEL,
        }


@contextmanager
def place(past: int) -> Iterator[Place]:
    """A cluster tuned as a database of this size would be, with accounts that never run dry and so many past charges."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        _, prepared = template.prepared(lambda line: print(line, file=sys.stderr))
        cluster = Cluster(folder / "postgres")
        cluster.copy_from(prepared)
        with cluster, cluster.connect() as connection:
            for setting, value in TUNING.items():
                connection.execute(f"ALTER SYSTEM SET {setting} = '{value}'")
        with cluster:
            with cluster.connect() as connection:
                connection.execute(f"CREATE DATABASE bench TEMPLATE {template.DATABASE}")
            yield _filled(cluster, folder, past)


def _filled(cluster: Cluster, folder: Path, past: int) -> Place:
    django.setup()
    from accounts.keys import digest, generate

    filled = Place(cluster, folder / "keys", generate("service"))
    subprocess.run(
        [sys.executable, "manage.py", "load_profile", "images", "--default"],
        cwd=BASE_DIR,
        env=filled.environment(),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    keys = [generate("customer") for _ in range(ACCOUNTS)]
    with cluster.connect("bench") as connection:
        connection.execute((HERE / "fill.sql").read_text().replace(":accounts", str(ACCOUNTS)))
        with connection.cursor().copy(
            "COPY accounts_apikey (id, kind, account_id, name, prefix, last4, digest, created_at) FROM STDIN"
        ) as rows:
            service = digest(filled.service)
            rows.write_row((_id("a000", 1), "service", None, "bench", "bps", "0000", service, "now"))
            for number, key in enumerate(keys, 1):
                account = _id("8000", number)
                rows.write_row(
                    (_id("9000", number), "customer", account, "k", "bpk", "0000", digest(key), "now")
                )
        connection.execute("SELECT bench_past(%s)", [past])
        connection.execute("VACUUM ANALYZE")
        # A database that has been at work writes its log into old files; making new ones would stop everybody now and then.
        connection.execute("CHECKPOINT")
    filled.keys.write_text("\n".join(keys))
    return filled


def _id(kind: str, number: int) -> str:
    return f"00000000-0000-7000-{kind}-{number:012x}"


@contextmanager
def server(
    place: Place, application: str = "config.asgi:application"
) -> Iterator[tuple[int, psutil.Process]]:
    """An ASGI application under uvicorn; its port and process."""
    port = ports.free()
    command = ["-m", "uvicorn", application, "--port", str(port), "--no-access-log", "--log-level", "warning"]
    process = subprocess.Popen([sys.executable, *command], cwd=BASE_DIR, env=place.environment())
    try:
        while not ports.listens(port):
            if process.poll() is not None:
                sys.exit(f"the web server of {application} did not start")
            time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


class Load(NamedTuple):
    """What a load generator found: requests a second, and how much slower the slowest hundredth is than the middle."""

    rate: float
    tail: float


def pgbench(place: Place, script: str, seconds: int, *, first: int = 1, last: int = ACCOUNTS) -> Load:
    """How often a second pgbench's 8 clients run the script on the accounts ``first`` to ``last``."""
    command = [
        str(binaries() / "pgbench"),
        "-n",
        "-M",
        "prepared",
        "-c",
        "8",
        "-j",
        "2",
        "-T",
        str(seconds),
        "-l",
    ]
    arguments = ["-D", f"first={first}", "-D", f"last={last}", "-f", str(HERE / script)]
    where = ["-h", str(place.cluster.sockets), "-U", "portal", "bench"]
    with tempfile.TemporaryDirectory() as logs:
        done = subprocess.run(
            [*command, *arguments, *where], capture_output=True, text=True, check=True, cwd=logs
        )
        # Client, number, microseconds, script, and when it ended.
        lines = (line.split() for log in Path(logs).iterdir() for line in log.read_text().splitlines())
        micros = sorted(int(line[2]) for line in lines)
    rate = float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])  # type: ignore[index]
    return Load(rate, micros[len(micros) * 99 // 100] / micros[len(micros) // 2])


def needs_wrk() -> None:
    """Ends the program where the load generator is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is not on the PATH; it is the package 'wrk' of most systems.")
