"""`manage.py soak`: races, random operations, kills, floods and nonsense for as long as you like, with a report.

Runs on a private PostgreSQL of its own and touches nothing else. Ends with 1 when anything broke.
"""

import argparse
import json
import os
import random
import sys
import time
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


def main(argv: list[str]) -> int:
    options = _options(argv)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
    os.environ.setdefault("DATABASE_URL", "postgres://portal@/nowhere")
    import django

    django.setup()
    from soak import figures

    rows: list[Row] = []
    started, commit = datetime.now(UTC), figures.commit()
    names = options.only or ROWS
    print(
        f"Soak with seed {options.seed} on commit {commit}, at most {options.minutes:g} minutes.", flush=True
    )
    try:
        for number, name in enumerate(names):
            left = options.minutes * 60 - sum(row.seconds for row in rows)
            figure = figures.BY_NAME[name]
            row = Row(name, figure.what, figure.soak)
            rows.append(row)
            _soak(figure, row, left / (len(names) - number), options.seed)
    except KeyboardInterrupt:
        print("\nStopped; what was done so far is in the report.")
    told = {
        "seed": options.seed,
        "commit": commit,
        "started": started.isoformat(),
        "rows": [asdict(row) for row in rows],
    }
    folder = options.data or BASE_DIR / ".local" / "soak"
    report = _write(folder, f"{started:%Y%m%dT%H%M%SZ}-{options.seed}", told)
    print(f"Report: {report}")
    return 1 if any(row.breaches for row in rows) else 0


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="at most so long, shared by what is run (30)"
    )
    parser.add_argument(
        "--seed", type=int, default=None, help="what is tried; printed, so that it can be tried again"
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


def _soak(figure: "Figure", row: Row, seconds: float, seed: int) -> None:
    """One figure in slices, until its target or its time is reached or something broke."""
    from soak.world import world

    begun = time.monotonic()
    with world(durable=figure.durable, report=print) as made:
        while row.reached < row.target and not row.breaches:
            _slice(made, figure, row, begun, seed)
            row.seconds = time.monotonic() - begun
            if row.seconds + row.seconds / max(row.reached, 1) * figure.slice > seconds:
                break
    _say(row, final=True)
    for words in row.breaches[:10]:
        print(f"  VIOLATION {words}", flush=True)


def _slice(made: "World", figure: "Figure", row: Row, begun: float, seed: int) -> None:
    before, said = row.reached, [0.0]

    def progress(done: int) -> None:
        row.reached, row.seconds = before + done, time.monotonic() - begun
        if time.monotonic() - said[0] > (1.0 if sys.stdout.isatty() else EVERY):
            said[0] = time.monotonic()
            _say(row)

    told = figure.run(made, min(figure.slice, row.target - before), seed + before, progress)
    row.reached, row.breaches = before + max(told.operations, row.reached - before), told.breaches


def _say(row: Row, *, final: bool = False) -> None:
    terminal = sys.stdout.isatty()
    text = f"{row.what:45} {row.reached:>10,} of {row.target:<10,} {row.seconds:7.1f} s  violations {len(row.breaches)}"
    print(f"\r{text}" if terminal else text, end="\n" if final or not terminal else "", flush=True)


def _write(folder: Path, name: str, told: dict[str, Any]) -> Path:
    """The report as JSON and as Markdown; the latter's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n")
    lines = [
        f"# Soak of {told['started']}",
        "",
        f"Seed {told['seed']}, commit {told['commit']}.",
        "",
        "| | reached | target | seconds | violations |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in told["rows"]:
        lines.append(
            f"| {row['what']} | {row['reached']:,} | {row['target']:,} | {row['seconds']:.0f} | {len(row['breaches'])} |"
        )
    lines += [f"- {words}" for row in told["rows"] for words in row["breaches"]]
    path = folder / f"{name}.md"
    path.write_text("\n".join(lines) + "\n")
    return path
