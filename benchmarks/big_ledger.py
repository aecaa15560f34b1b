"""Pages in a ledger of ten million transactions, an account with a million, against one of ten thousand, in one run.

    .venv/bin/python -m benchmarks.big_ledger [--rows 10000000] [--rounds 40] [--keep DIR]

Two databases on a scratch PostgreSQL cluster are filled (``big_ledger.sql``: not through the writer), folded, and served by
a web server each; the same page is asked of both in turn. Only the ratios mean anything on another machine. Ten million
rows take some half an hour to fill and fold, and 10 GB of disk; ``--keep`` uses them again.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from config.embedded import ports, template
from config.embedded.bootstrap import BASE_DIR
from config.embedded.postgres import Cluster

HERE = Path(__file__).parent
TUNING = {
    "shared_buffers": "4GB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "1GB",
    "autovacuum": "off",
}
PIECE = 500_000
TAIL = 2_000
"""Transactions posted after the last fold: what the seconds between two folds leave to read one by one."""
SESSION = """
import django; django.setup()
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from allauth.account.models import EmailAddress
from accounts.keys import create_key
from accounts.models import BillingAccount, Membership, Role, User
import sys
for number in (1, 2):
    user = User.objects.create_user(f"bench{number}@example.com", "correct horse battery")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    account = BillingAccount.objects.get(pk=f"00000000-0000-7000-8000-{number:012x}")
    Membership.objects.create(account=account, user=user, role=Role.OWNER)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(session.session_key, create_key(account=account, name="Bench")[1])
"""
PAGES = {
    "usage page": "/usage",
    "usage page by key, 90 days": "/usage?group=key&period=90d",
    "overview": "/",
    "transactions, newest": "/transactions",
    "transactions, from the middle": "/transactions?before={middle}",
    "transactions, one model": "/transactions?model=veo-3-1",
    "transactions, a rarely used model": "/transactions?model=rare",
    "transactions, one key": "/transactions?key=key_{key}",
    "transactions, top-ups": "/transactions?type=topups",
    "transactions, a month ago": "/transactions?until={month_ago}",
    "usage as CSV": "/usage.csv",
    "why it moved, 50 days": "/balance/changes?since={two_months_ago}&until={month_ago}T12:34",
    "why it moved, 50 days, API": "/v1/balance/changes?from={two_months_ago}:00Z&to={month_ago}T12:34:00Z",
    "balance as of an instant, API": "/v1/balance?as_of={month_ago}T12:34:00Z",
}
TARGETS = {
    "usage page": 1.2,
    "overview": 1.2,
    "why it moved, 50 days": 1.5,
    "why it moved, 50 days, API": 2,
    "balance as of an instant, API": 1.5,
}

ROLLUP = """
SELECT model, sum(-amount) FROM ledger_days(%(account)s, (%(since)s AT TIME ZONE 'UTC')::date, 'infinity')
 WHERE kind IN ('usage', 'refund') AND model <> '' GROUP BY model ORDER BY model
"""
RAW = """
SELECT model, sum(-amount) FROM ledger_transaction
 WHERE account_id = %(account)s AND created_at >= %(since)s AND kind IN ('usage', 'refund') AND model <> ''
 GROUP BY model ORDER BY model
"""


@dataclass(frozen=True)
class Site:
    """One database being served: its port, and for its large and one of its small accounts a session and an API key."""

    rows: int
    port: int
    large: tuple[str, str]
    small: tuple[str, str]

    def values(self, account_rows: int) -> dict[str, str]:
        return {
            "middle": str(account_rows // 2),
            "key": "00000000000070009000000000000001",
            "month_ago": f"{datetime.now(UTC) - timedelta(days=30):%Y-%m-%d}",
            "two_months_ago": f"{datetime.now(UTC) - timedelta(days=80):%Y-%m-%dT%H:%M}",
        }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000_000, help="transactions of the large ledger")
    parser.add_argument("--small", type=int, default=10_000, help="transactions of the small one")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--keep", type=Path, help="keep the filled cluster there, and use it if it is there")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = _cluster(folder)
        stack.enter_context(cluster)
        sizes = {"small": options.small, f"rows{options.rows}": options.rows}
        facts = {name: _filled(cluster, name, rows) for name, rows in sizes.items()}
        little, big = (stack.enter_context(_served(cluster, name, sizes[name])) for name in sizes)
        report = {
            "rows": options.rows,
            **facts[f"rows{options.rows}"],
            "pages": _pages(little, big, options.rounds),
            "rollup": _rollup(cluster, f"rows{options.rows}", options.rounds),
        }
    print(json.dumps(report, indent=2) if options.json else _table(report))


def _cluster(folder: Path) -> Cluster:
    cluster = Cluster(folder / "postgres")
    if cluster.exists:
        return cluster
    _, prepared = template.prepared(lambda line: print(line, file=sys.stderr))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    cluster.copy_from(prepared)
    with cluster, cluster.connect() as connection:
        for name, value in TUNING.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    return cluster


def _filled(cluster: Cluster, name: str, rows: int) -> dict[str, object]:
    """A database with so many transactions, made if it is not there; how long that took and how large it is."""
    with cluster.connect() as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    filled, folded = 0.0, 0.0
    if known is None:
        with cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}_new TEMPLATE {template.DATABASE}")
        _manage(cluster, f"{name}_new", "load_profile", "images", "--default")
        filled, folded = _fill(cluster, f"{name}_new", rows)
        with cluster.connect() as connection:
            connection.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
    with cluster.connect(name) as connection:
        size = connection.execute("SELECT pg_database_size(current_database()) / 1048576").fetchone()
    return {"fill_seconds": round(filled), "fold_seconds": round(folded), "mib": size[0] if size else 0}


def _fill(cluster: Cluster, name: str, rows: int) -> tuple[float, float]:
    others = max(1, rows * 9 // 10 // 1000)
    started = time.monotonic()
    with cluster.connect(name) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET synchronous_commit = off")
        connection.execute((HERE / "big_ledger.sql").read_text())
        connection.execute("SELECT bench_accounts(%s)", [others])
        connection.execute(
            "INSERT INTO accounts_apikey (id, kind, account_id, name, prefix, last4, digest, created_at)"
            " SELECT bench_id('9000', g), 'customer', bench_id('8000', 1), 'Key ' || g, 'bpk', '0000',"
            " sha256(g::text::bytea), now() FROM generate_series(1, 3) g"
        )
        for first in range(1, rows + 1, PIECE):
            last = min(rows, first + PIECE - 1)
            connection.execute("SELECT bench_fill(%s, %s, %s, %s)", [first, last, rows + TAIL, others])
            print(f"  {last:,} of {rows:,} transactions", file=sys.stderr)
        connection.execute("VACUUM (ANALYZE) ledger_transaction, ledger_charge, ledger_balance")
    filled = time.monotonic() - started
    started = time.monotonic()
    with cluster.connect(name) as connection:
        connection.execute("SET work_mem = '2GB'")
        connection.execute("SELECT bench_fold()")
        connection.execute("ANALYZE")
        _manage(cluster, name, "fold_usage")
        folded = time.monotonic() - started
        connection.execute("SET session_replication_role = replica")
        connection.execute("SELECT bench_fill(%s, %s, %s, %s)", [rows + 1, rows + TAIL, rows + TAIL, others])
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
    return filled, folded


def _environment(cluster: Cluster, name: str) -> dict[str, str]:
    settings = {"DATABASE_URL": cluster.url(name), "DJANGO_SETTINGS_MODULE": "config.settings.local"}
    return {**os.environ, **settings, "STRIPE_SECRET_KEY": "sk_test_" + "0" * 24}


def _manage(cluster: Cluster, name: str, *command: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=BASE_DIR,
        env=_environment(cluster, name),
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def _served(cluster: Cluster, name: str, rows: int) -> Iterator[Site]:
    with cluster.connect(name) as connection:
        connection.execute("DELETE FROM django_session")
        connection.execute("DELETE FROM accounts_membership")
        connection.execute("DELETE FROM account_emailaddress")
        connection.execute("DELETE FROM accounts_apikey WHERE name = 'Bench'")
        connection.execute("DELETE FROM accounts_user")
    made = subprocess.run(
        [sys.executable, "-c", SESSION],
        cwd=BASE_DIR,
        env=_environment(cluster, name),
        check=True,
        capture_output=True,
        text=True,
    )
    large, small = ((who[0], who[1]) for who in map(str.split, made.stdout.splitlines()))
    port = ports.free()
    command = ["-m", "uvicorn", "config.asgi:application", "--port", str(port), "--log-level", "warning"]
    process = subprocess.Popen(
        [sys.executable, *command, "--no-access-log", "--timeout-keep-alive", "75"],
        cwd=BASE_DIR,
        env=_environment(cluster, name),
    )
    try:
        while not ports.listens(port):
            if process.poll() is not None:
                sys.exit("the web server did not start")
            time.sleep(0.1)
        yield Site(rows, port, large, small)
    finally:
        process.terminate()
        process.wait(20)


def _pages(little: Site, big: Site, rounds: int) -> list[dict[str, object]]:
    """Every page asked of the small ledger, of the large one's large account and of its small one, in turn."""
    found: list[dict[str, object]] = []
    for name, path in PAGES.items():
        asks = [
            _ask(little, little.large, path, little.rows // 10),
            _ask(big, big.large, path, big.rows // 10),
            _ask(big, big.small, path, 1000),
        ]
        for ask in asks * 3:
            ask()
        times: list[list[float]] = [[], [], []]
        for _ in range(rounds):
            for place, ask in enumerate(asks):
                times[place].append(ask())
        small, large, other = (statistics.median(mine) for mine in times)
        found.append(
            {
                "page": name,
                "target": TARGETS.get(name),
                "ratio": round(large / small, 2),
                "ratio_small_account": round(other / small, 2),
                "milliseconds": round(large * 1000, 1),
            }
        )
        print(f"  {name}: {large * 1000:.0f} ms", file=sys.stderr)
    return found


def _ask(site: Site, who: tuple[str, str], path: str, account_rows: int) -> Callable[[], float]:
    """A function that gets the page, or with the key what the API answers, once and says how long it took."""
    session, key = who
    headers = (
        {"Authorization": f"Bearer {key}"} if path.startswith("/v1") else {"Cookie": f"sessionid={session}"}
    )
    connection = http.client.HTTPConnection("127.0.0.1", site.port)
    target = path.format(**site.values(account_rows))

    def ask() -> float:
        started = time.perf_counter()
        connection.request("GET", target, headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"{target} answered {answer.status}")
        return time.perf_counter() - started

    return ask


def _rollup(cluster: Cluster, name: str, rounds: int) -> dict[str, object]:
    """The large account's last 30 days by model: from the folded days, and from the transactions themselves."""
    since = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=29)
    values = {"account": "00000000-0000-7000-8000-000000000001", "since": since}
    with cluster.connect(name) as connection:
        fast, exact = _timed(connection, ROLLUP, values, rounds), _timed(connection, RAW, values, 5)
        if connection.execute(ROLLUP, values).fetchall() != connection.execute(RAW, values).fetchall():
            sys.exit("the folded days are not what the ledger says")
    return {"ratio": round(fast / exact, 4), "target": 0.02, "milliseconds": round(fast * 1000, 2)}


def _timed(connection: psycopg.Connection, sql: str, values: dict[str, object], rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        connection.execute(sql, values).fetchall()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def _table(report: dict[str, object]) -> str:
    pages, rollup = report["pages"], report["rollup"]
    assert isinstance(pages, list)
    assert isinstance(rollup, dict)
    lines = [
        f"{'÷ the same page in the small ledger':<44}{'large account':>14}{'small account':>14}{'target':>8}{'ms':>8}"
    ]
    lines += [
        f"{row['page']:<44}{row['ratio']:>14}{row['ratio_small_account']:>14}"
        f"{'≤ ' + str(row['target']) if row['target'] else '':>8}{row['milliseconds']:>8}"
        for row in pages
    ]
    return "\n".join(
        [
            *lines,
            f"{'30 days by model, folded days ÷ raw scan':<44}{rollup['ratio']:>14}{'':>14}{'≤ 0.02':>8}"
            f"{rollup['milliseconds']:>8}",
            f"{report['rows']:,} transactions: {report['mib']} MiB, filled in {report['fill_seconds']} s,"
            f" folded in {report['fold_seconds']} s (0: kept from before)",
        ]
    )


if __name__ == "__main__":
    main()
