"""The data folder of one portal on one machine: where things are kept, and what a running `up` has told.

Other commands find the same database, mail folder and payments by it: ``--data DIR`` on any of them.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from config.embedded.bootstrap import BASE_DIR
from config.embedded.problems import Problem, clear_disk_errors
from config.embedded.procs import started_at

DEFAULT = BASE_DIR / ".local" / "data"
VARIABLE = "PORTAL_DATA_DIR"


@dataclass
class State:
    """What is true while `up` runs; written anew whenever a process starts."""

    supervisor: int
    since: str
    portal: str = ""
    studio: str = ""
    stripe: str = ""
    database: str = ""
    staff: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)  # name → start mark, see procs.started_at


class DataDir:
    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.logs = self.root / "log"
        self.run = self.root / "run"
        self.mail = self.root / "mail"
        self._state = self.root / "state.json"
        self._kept = self.root / "kept.json"

    def make(self) -> None:
        with clear_disk_errors(self.root):
            # Others may pass through (the database's own user must) but neither list nor read.
            self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
            for folder in (self.logs, self.run, self.mail):
                folder.mkdir(mode=0o700, exist_ok=True)

    # -- made up once, then kept: keys, passwords, ports -----------------------------------------
    def kept(self) -> dict[str, str]:
        return _read(self._kept)

    def keep(self, name: str, value: str) -> str:
        _write(self._kept, self.kept() | {name: value})
        return value

    def keep_or_make(self, name: str, make: Callable[[], str]) -> str:
        """The kept value of this name; the first time, what ``make`` answers."""
        return self.kept().get(name) or self.keep(name, make())

    # -- state: true while up runs -----------------------------------------------------------
    def write_state(self, state: State) -> None:
        _write(self._state, asdict(state))

    def running(self) -> State | None:
        """What the `up` that runs on this folder has told, or None when none runs."""
        known = _read(self._state)
        if not known or started_at(known["supervisor"]) != known["since"]:
            return None
        return State(**known)

    def last_state(self) -> State | None:
        """What the last `up` has told, whether or not it still runs."""
        known = _read(self._state)
        return State(**known) if known else None


def _read(path: Path) -> dict[str, Any]:
    try:
        contents: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return contents


def _write(path: Path, contents: Mapping[str, object]) -> None:
    """Whole or not at all, and for its owner's eyes only."""
    with clear_disk_errors(path):
        scratch = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(contents, file, indent=1)
        scratch.replace(path)


def chosen_folder() -> Path:
    """The data folder when none is named on the command line."""
    return Path(os.environ.get(VARIABLE) or DEFAULT)


def take_option(argv: list[str]) -> tuple[list[str], Path | None]:
    """``argv`` without ``--data DIR`` (or ``--data=DIR``), and the folder it named."""
    rest: list[str] = []
    chosen: Path | None = None
    words = iter(argv)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--data":
            chosen = Path(next(words, ""))
        elif word.startswith("--data="):
            chosen = Path(word.removeprefix("--data="))
        else:
            rest.append(word)
    return rest, chosen


def adopt(chosen: Path | None) -> None:
    """Make this process see what the portal of a data folder sees: its database, its payments, its mail.

    A DATABASE_URL of the caller's wins, and then nothing is taken from a folder that was not asked for.
    """
    if chosen is None and "DATABASE_URL" in os.environ:
        return
    folder = DataDir(chosen or chosen_folder())
    os.environ[VARIABLE] = str(folder.root)
    state = folder.running()
    if state is not None:
        for name, value in state.environment.items():
            os.environ.setdefault(name, value)
    elif chosen is not None and "DATABASE_URL" not in os.environ:
        raise Problem(f"No portal runs on {folder.root}: start it with manage.py up --data {chosen}")
