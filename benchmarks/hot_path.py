"""Authorize and settle over HTTP against pgbench on the same two database calls, side by side in one run.

    .venv/bin/python -m benchmarks.hot_path [--rounds 5] [--seconds 5]

Needs wrk on the PATH. A scratch PostgreSQL cluster (durable: fsync and synchronous_commit on), accounts that never run
dry, our server and pgbench in turn, medians of the rounds. Only the ratios mean anything on another machine.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import psutil

from config.embedded import ports, template
from config.embedded.bootstrap import BASE_DIR
from config.embedded.postgres import Cluster, binaries

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
HERE = Path(__file__).parent
TUNING = {
    "shared_buffers": "2GB",
    "max_wal_size": "16GB",
    "synchronous_commit": "on",
    "checkpoint_timeout": "30min",
}
MODEL = "flux-2-pro"


@dataclass(frozen=True)
class Case:
    """One row of the table: how many accounts the load is spread over, and over how many connections."""

    name: str
    accounts: int
    connections: int
    target: str


CASES = (
    Case("spread, 32 connections", 10_000, 32, "≥ 1.0"),
    Case("spread, 128 connections", 10_000, 128, "≥ 1.3"),
    Case("hot account, 32 connections", 1, 32, "≥ 2.5"),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument(
        "--preload", type=int, default=200_000, help="charges in the ledger before the first round"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not on the PATH; it is the package 'wrk' of most systems.")
    with tempfile.TemporaryDirectory() as folder, _cluster(Path(folder)) as cluster:
        Path(folder).chmod(0o755)
        keys, service = _fill(cluster, Path(folder), options.preload)
        with _server(cluster) as (port, server):
            rows = [_measure(case, cluster, port, keys, service, options) for case in CASES]
            memory = server.memory_info().rss // 2**20
        _check(cluster)
    report = {"cases": rows, "web_process_mib": memory}
    print(json.dumps(report, indent=2) if options.json else _table(rows, memory))


@contextmanager
def _cluster(folder: Path) -> Iterator[Cluster]:
    """A scratch cluster with the portal's tables, tuned as a database of this size would be."""
    _, prepared = template.prepared(lambda line: print(line, file=sys.stderr))
    folder.chmod(0o755)
    cluster = Cluster(folder / "postgres")
    cluster.copy_from(prepared)
    with cluster, cluster.connect() as connection:
        for name, value in TUNING.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    with cluster:
        with cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE bench TEMPLATE {template.DATABASE}")
        yield cluster


def _fill(cluster: Cluster, folder: Path, preload: int) -> tuple[Path, str]:
    """Ten thousand accounts with a key each, and a past; returns the file of keys and the service's key."""
    django.setup()
    from accounts.keys import digest, generate

    _manage(cluster, "load_profile", "images", "--default")
    service = generate("service")
    keys = [generate("customer") for _ in range(max(case.accounts for case in CASES))]
    with cluster.connect("bench") as connection:
        connection.execute((HERE / "fill.sql").read_text().replace(":accounts", str(len(keys))))
        with connection.cursor().copy(
            "COPY accounts_apikey (id, kind, account_id, name, prefix, last4, digest, created_at) FROM STDIN"
        ) as rows:
            rows.write_row((_id("a000", 1), "service", None, "bench", "bps", "0000", digest(service), "now"))
            for number, key in enumerate(keys, 1):
                account = _id("8000", number)
                rows.write_row(
                    (_id("9000", number), "customer", account, "k", "bpk", "0000", digest(key), "now")
                )
        connection.execute("SELECT bench_past(%s)", [preload])
        connection.execute("VACUUM ANALYZE")
    file = folder / "keys"
    file.write_text("\n".join(keys))
    return file, service


def _id(kind: str, number: int) -> str:
    return f"00000000-0000-7000-{kind}-{number:012x}"


def _environment(cluster: Cluster) -> dict[str, str]:
    settings = {"DATABASE_URL": cluster.url("bench"), "DJANGO_SETTINGS_MODULE": "config.settings.local"}
    return {**os.environ, **settings, "STRIPE_SECRET_KEY": "sk_test_" + "0" * 24, "BENCH_MODEL": MODEL}


def _manage(cluster: Cluster, *command: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=BASE_DIR,
        env=_environment(cluster),
        check=True,
        capture_output=True,
    )


@contextmanager
def _server(cluster: Cluster) -> Iterator[tuple[int, psutil.Process]]:
    port = ports.free()
    command = [
        "-m",
        "uvicorn",
        "config.asgi:application",
        "--port",
        str(port),
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    process = subprocess.Popen([sys.executable, *command], cwd=BASE_DIR, env=_environment(cluster))
    try:
        while not ports.listens(port):
            if process.poll() is not None:
                sys.exit("the web server did not start")
            time.sleep(0.1)
        yield port, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def _measure(
    case: Case, cluster: Cluster, port: int, keys: Path, service: str, options: argparse.Namespace
) -> dict[str, object]:
    ours, theirs, tails = [], [], []
    _wrk(case, port, keys, service, 2)
    for _ in range(options.rounds):
        pairs, tail = _wrk(case, port, keys, service, options.seconds)
        ours.append(pairs)
        tails.append(tail)
        theirs.append(_pgbench(case, cluster, options.seconds))
    return {
        "case": case.name,
        "target": case.target,
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 2),
        "pairs_a_second": round(statistics.median(ours)),
        "pgbench_pairs_a_second": round(statistics.median(theirs)),
        "p99_to_p50": round(statistics.median(tails), 1),
    }


def _wrk(case: Case, port: int, keys: Path, service: str, seconds: int) -> tuple[float, float]:
    """Pairs a second, and how much slower the slowest hundredth is than the middle."""
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "-s", str(HERE / "load.lua")]
    target = [f"http://127.0.0.1:{port}", "--", service, str(keys), str(case.accounts)]
    done = subprocess.run(
        [*command, *target],
        env={**os.environ, "BENCH_MODEL": MODEL},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(re.search(r"RESULT (.*)", done.stdout)[1])  # type: ignore[index]
    if found["errors"]:
        sys.exit(f"{found['errors']} requests failed: {done.stderr.strip()}")
    return found["requests"] / 2 / (found["micros"] / 1e6), found["p99"] / found["p50"]


def _pgbench(case: Case, cluster: Cluster, seconds: int) -> float:
    command = [str(binaries() / "pgbench"), "-n", "-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds)]
    script = [
        "-D",
        f"accounts={case.accounts}",
        "-f",
        str(HERE / "pair.sql"),
        "-h",
        str(cluster.sockets),
        "-U",
        "portal",
    ]
    done = subprocess.run([*command, *script, "bench"], capture_output=True, text=True, check=True)
    return float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])  # type: ignore[index]


def _check(cluster: Cluster) -> None:
    """The load has left the books in order: what is held is what is open, and every balance adds up."""
    with cluster.connect("bench") as connection:
        for query in (
            "SELECT count(*) FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(amount) AS held FROM ledger_charge"
            " WHERE status = 'authorized' GROUP BY 1) c USING (account_id) WHERE b.held <> coalesce(c.held, 0)",
            "SELECT count(*) FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_posting"
            " WHERE ledger_account = 'customer' GROUP BY 1) p USING (account_id) WHERE b.balance <> coalesce(p.total, 0)",
        ):
            wrong = connection.execute(query).fetchone()
            if wrong is None or wrong[0]:
                sys.exit(f"the books are not in order after the load: {wrong}")


def _table(rows: list[dict[str, object]], memory: int) -> str:
    lines = [
        f"{'authorize + settle over HTTP ÷ pgbench, 8 clients':<52}{'ratio':>7}{'target':>9}{'p99÷p50':>9}"
    ]
    lines += [f"{row['case']:<52}{row['ratio']:>7}{row['target']:>9}{row['p99_to_p50']:>9}" for row in rows]
    return "\n".join([*lines, f"memory of the web process after the load: {memory} MiB"])


if __name__ == "__main__":
    main()
