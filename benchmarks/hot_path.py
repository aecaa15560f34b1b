"""The hot requests against pgbench on the same database calls, side by side in one run.

    .venv/bin/python -m benchmarks.hot_path [--rounds 5] [--seconds 5]

Needs wrk on the PATH. A scratch PostgreSQL cluster (durable: fsync and synchronous_commit on), accounts that never run
dry, our server and pgbench in turn, medians of the rounds. Only the ratios mean anything on another machine.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import psutil

from benchmarks import scratch
from benchmarks.scratch import ACCOUNTS, HERE, MODEL, Load, Place, pgbench
from config.embedded.bootstrap import BASE_DIR

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
Measure = Callable[[], Load]


@dataclass(frozen=True)
class Row:
    """One line of the table: what was compared, the medians' ratio and what it should be, and both sides' tails."""

    what: str
    ratio: float
    target: str
    tail: float
    their_tail: float


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
    scratch.needs_wrk()
    with scratch.place(options.preload) as place:
        with (
            scratch.server(place) as (port, process),
            scratch.server(place, "benchmarks.bare:application") as (bare, _),
        ):
            bench = Bench(place, port, bare, options.rounds, options.seconds)
            rows = bench.rows()
            memory = process.memory_info().rss // 2**20
        _check(place)
    report = {"rows": [vars(row) for row in rows], "web_process_mib": memory, **_host()}
    print(json.dumps(report, indent=2) if options.json else _table(rows, memory))


@dataclass(frozen=True)
class Bench:
    """The two servers and how long to ask them."""

    place: Place
    port: int
    bare: int
    rounds: int
    seconds: int

    def rows(self) -> list[Row]:
        pairs = "authorize + settle over HTTP ÷ pgbench"
        return [
            self.pairs(f"{pairs}, 10,000 accounts, 32 connections", ACCOUNTS, 32, "≥ 1.0"),
            self.pairs(f"{pairs}, 10,000 accounts, 128 connections", ACCOUNTS, 128, "≥ 1.3"),
            self.pairs(f"{pairs}, one hot account, 32 connections", 1, 32, "≥ 2.5"),
            self.batch(),
            self.balance(),
            self.many_grants(),
        ]

    def pairs(self, what: str, accounts: int, connections: int, target: str) -> Row:
        return self.row(
            what,
            target,
            lambda: self.wrk("load.lua", accounts, connections, share=Fraction(1, 2)),
            lambda: pgbench(self.place, "pair.sql", self.seconds, last=accounts),
        )

    def batch(self) -> Row:
        return self.row(
            "batch of 100 authorizes ÷ pgbench, charges a second",
            "≥ 3",
            lambda: self.wrk("batch.lua", ACCOUNTS, 4, share=Fraction(100)),
            lambda: pgbench(self.place, "place.sql", self.seconds),
        )

    def balance(self) -> Row:
        return self.row(
            "GET balance ÷ a bare ASGI function with one SELECT",
            "≥ 0.8",
            lambda: self.wrk("balance.lua", ACCOUNTS, 32),
            lambda: self.wrk("balance.lua", ACCOUNTS, 32, port=self.bare),
        )

    def many_grants(self) -> Row:
        """Time, so the rates are divided the other way round."""
        return self.row(
            "authorize + settle: time with 20 grants ÷ with one",
            "≤ 1.15",
            lambda: pgbench(self.place, "pair.sql", self.seconds, last=1000),
            lambda: pgbench(self.place, "pair.sql", self.seconds, first=ACCOUNTS - 999),
        )

    def row(self, what: str, target: str, ours: Measure, theirs: Measure) -> Row:
        """The medians of rounds in turn, after one that only warms up."""
        ours(), theirs()
        rounds = [(ours(), theirs()) for _ in range(self.rounds)]
        mine, other = (
            Load(*(statistics.median(figures) for figures in zip(*side, strict=True)))
            for side in zip(*rounds, strict=True)
        )
        row = Row(what, round(mine.rate / other.rate, 2), target, round(mine.tail, 1), round(other.tail, 1))
        print(f"{what}: {row.ratio}  ({mine.rate:.0f} and {other.rate:.0f} a second)", file=sys.stderr)
        return row

    def wrk(
        self,
        script: str,
        accounts: int,
        connections: int,
        *,
        port: int | None = None,
        share: Fraction = Fraction(1),
    ) -> Load:
        """What wrk's connections found; one request counts as ``share`` of what is compared."""
        command = ["wrk", "-t1", f"-c{connections}", f"-d{self.seconds}s", "--timeout", "20s"]
        command += ["-s", str(HERE / script)]
        target = [f"http://127.0.0.1:{port or self.port}", "--", self.place.service]
        done = subprocess.run(
            [*command, *target, str(self.place.keys), str(accounts)],
            cwd=BASE_DIR,
            env={**os.environ, "BENCH_MODEL": MODEL},
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(re.search(r"RESULT (.*)", done.stdout)[1])  # type: ignore[index]
        if found["errors"]:
            sys.exit(f"{found['errors']} requests of {script} failed: {done.stderr.strip()}")
        return Load(float(found["requests"] * share / found["micros"] * 10**6), found["p99"] / found["p50"])


def _check(place: Place) -> None:
    """The load has left the books in order: what is held is what is open, and every balance adds up."""
    with place.cluster.connect("bench") as connection:
        for query in (
            "SELECT count(*) FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(amount) AS held FROM ledger_charge"
            " WHERE status = 'authorized' GROUP BY 1) c USING (account_id) WHERE b.held <> coalesce(c.held, 0)",
            "SELECT count(*) FROM ledger_balance b LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_posting"
            " WHERE ledger_account = 'customer' GROUP BY 1) p USING (account_id) WHERE b.balance <> coalesce(p.total, 0)",
        ):
            wrong = connection.execute(query).fetchone()
            if wrong is None or wrong[0]:
                sys.exit(f"the books are not in order after the load: {wrong}")


def _host() -> dict[str, int | None]:
    return {"cores": psutil.cpu_count(), "memory_gib": psutil.virtual_memory().total // 2**30}


def _table(rows: list[Row], memory: int) -> str:
    lines = [f"{'what':<76}{'ratio':>7}{'target':>9}{'p99÷p50':>9}{'theirs':>8}"]
    lines += [f"{row.what:<76}{row.ratio:>7}{row.target:>9}{row.tail:>9}{row.their_tail:>8}" for row in rows]
    return "\n".join([*lines, f"memory of the web process after the load: {memory} MiB"])


if __name__ == "__main__":
    main()
