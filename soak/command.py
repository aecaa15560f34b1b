"""`manage.py soak`: races, random operations, kills, floods and nonsense for as long as you like, with a report.

Runs on a private PostgreSQL of its own and touches nothing else. Ends with 1 when anything broke, and in column `ci`
also when a figure was not reached in time.
"""

import argparse
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.embedded.bootstrap import BASE_DIR

if TYPE_CHECKING:
    from soak.figures import Figure
    from soak.world import World

ROWS = ("races", "operations", "kills", "crashes", "deliveries", "inputs")
COLUMNS = {"ci": "suite", "soak": "soak"}
NAMED = {figure: column for column, figure in COLUMNS.items()}
"""The columns of the figures, by what they are called on the command line."""
EVERY = 10.0
"""Seconds between two lines of progress where the output is not a terminal."""


@dataclass
class Row:
    """What a figure came to."""

    name: str
    what: str
    target: int
    reached: int = 0
    seconds: float = 0.0
    breaches: list[str] = field(default_factory=list)
    error: str = ""
    """What the figure itself died of, if it did."""
    remark: str = ""

    @property
    def broken(self) -> bool:
        return bool(self.breaches or self.error)


@dataclass(frozen=True)
class Soak:
    """What is to be run: the figures of one column, within so many seconds, from one seed."""

    figures: Sequence["Figure"]
    column: str
    seconds: float
    seed: int
    commit: str
    report: Path
    rows: list[Row] = field(default_factory=list)

    def run(self) -> int:
        """All figures, one after the other; the exit code. The report is written after each, whatever became of it."""
        started, begun = datetime.now(UTC), time.monotonic()
        try:
            for number, figure in enumerate(self.figures):
                left = max(0.0, self.seconds - (time.monotonic() - begun))
                self.rows.append(Row(figure.name, figure.what, getattr(figure, self.column)))
                try:
                    share = left if self.column == "suite" else left / (len(self.figures) - number)
                    self._figure(figure, self.rows[-1], share)
                finally:
                    self._write(started)
        except KeyboardInterrupt:
            print("\nStopped; what was done so far is in the report.")
        print(f"Report: {self.report.with_suffix('.md')}")
        short = self.column == "suite" and any(row.reached < row.target for row in self.rows)
        return 1 if short or any(row.broken for row in self.rows) else 0

    def _figure(self, figure: "Figure", row: Row, seconds: float) -> None:
        """One figure in slices, until its target or its time is reached or something broke."""
        from soak.world import world

        begun = time.monotonic()
        try:
            with world(durable=figure.durable, report=print) as made:
                while row.reached < row.target and not row.broken:
                    _slice(made, figure, row, begun + seconds, self.seed)
                    if time.monotonic() > begun + seconds:
                        break
        except Exception as error:
            row.error = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        row.seconds = time.monotonic() - begun
        _say(row, final=True)
        print(f"  seed {self.seed}  commit {self.commit}  {row.remark}".rstrip(), flush=True)
        for words in row.breaches[:10]:
            print(f"  VIOLATION {words}", flush=True)

    def _write(self, started: datetime) -> None:
        told = {
            "seed": self.seed,
            "commit": self.commit,
            "column": NAMED[self.column],
            "started": started.isoformat(),
            "rows": [asdict(row) for row in self.rows],
        }
        self.report.parent.mkdir(parents=True, exist_ok=True)
        self.report.with_suffix(".json").write_text(json.dumps(told, indent=2) + "\n")
        self.report.with_suffix(".md").write_text(_markdown(told))


def main(argv: list[str]) -> int:
    options = _options(argv)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    os.environ.setdefault("DATABASE_URL", "postgres://portal@/nowhere")
    import django

    django.setup()
    from soak import figures

    commit = figures.commit()
    print(
        f"Column {options.column}, seed {options.seed}, commit {commit}, at most {options.minutes:g} minutes.",
        flush=True,
    )
    folder = options.data or BASE_DIR / ".local" / "soak"
    return Soak(
        figures=[figures.BY_NAME[name] for name in options.only or ROWS],
        column=COLUMNS[options.column],
        seconds=options.minutes * 60,
        seed=options.seed,
        commit=commit,
        report=folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{options.seed}",
    ).run()


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="at most so long, shared by what is run (30)"
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="what is tried; printed, so that it can be tried again"
    )
    parser.add_argument(
        "--column",
        choices=COLUMNS,
        default="soak",
        help="the figures of the test suite, or those of a soak (soak)",
    )
    names = ", ".join(ROWS)
    parser.add_argument(
        "--only", action="append", choices=ROWS, metavar="NAME", help=f"one of {names}; repeat it for more"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the reports go (.local/soak)")
    options = parser.parse_args(argv)
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    return options


def _slice(made: "World", figure: "Figure", row: Row, end: float, seed: int) -> None:
    before, said, begun, spent = row.reached, [0.0], time.monotonic(), row.seconds

    def progress(done: int) -> bool:
        row.reached, row.seconds = before + done, spent + time.monotonic() - begun
        if time.monotonic() - said[0] > (1.0 if sys.stdout.isatty() else EVERY):
            said[0] = time.monotonic()
            _say(row)
        return time.monotonic() < end

    told = figure.run(made, min(figure.slice, row.target - before), seed + before, progress)
    row.reached, row.breaches, row.remark = before + told.operations, told.breaches, told.remark


def _say(row: Row, *, final: bool = False) -> None:
    terminal = sys.stdout.isatty()
    came_to = f"ERROR {row.error}" if row.error else f"violations {len(row.breaches)}"
    text = f"{row.what:45} {row.reached:>10,} of {row.target:<10,} {row.seconds:7.1f} s  {came_to}"
    print(f"\r{text}" if terminal else text, end="\n" if final or not terminal else "", flush=True)


def _markdown(told: dict[str, Any]) -> str:
    lines = [
        f"# Soak of {told['started']}",
        "",
        f"Column {told['column']}, seed {told['seed']}, commit {told['commit']}.",
        "",
        "| | reached | target | seconds | violations |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in told["rows"]:
        violations = "error" if row["error"] else len(row["breaches"])
        lines.append(
            f"| {row['what']} | {row['reached']:,} | {row['target']:,} | {row['seconds']:.0f} | {violations} |"
        )
    lines += [f"- {row['name']}: {words}" for row in told["rows"] for words in row["breaches"]]
    lines += [f"- {row['name']} ended with {row['error']}" for row in told["rows"] if row["error"]]
    return "\n".join(lines) + "\n"
