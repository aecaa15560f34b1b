"""A stopped cluster whose database ``portal_template`` has every migration, kept for reuse.

Migrating from nothing takes most of a minute, nearly all of it dj-stripe's history; copying the result takes
a second. It is made again when a migration or a pinned dependency changes, starting from the former one
if migrations were only added.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded.postgres import SYSTEM_HOME, Cluster, reachable
from config.embedded.problems import Problem, clear_disk_errors

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATABASE = "portal_template"
LOCK = BASE_DIR / "requirements.txt"
MANIFEST = "made_of.json"
Report = Callable[[str], None]


def ingredients() -> dict[str, str]:
    """Everything the template is made of: file → hash of its contents."""
    migrations = [
        path
        for pattern in ("*/migrations/*.py", "*/*/migrations/*.py", "*/sql/*.sql", "*/*/sql/*.sql")
        for path in BASE_DIR.glob(pattern)
        if not path.relative_to(BASE_DIR).parts[0].startswith(".")
    ]
    return {str(path.relative_to(BASE_DIR)): _hash(path) for path in [LOCK, *sorted(migrations)]}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def key_of(made_of: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def cache_folder() -> Path:
    inside = BASE_DIR / ".local" / "template"
    if os.geteuid() != 0 or reachable(BASE_DIR):
        return inside
    return SYSTEM_HOME / "template"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two starts at once prepare it once."""
    with clear_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepared(report: Report) -> tuple[str, Cluster]:
    """The template's key and its stopped cluster, made now if it is missing."""
    folder = cache_folder()
    with _alone(folder):
        made_of = ingredients()
        key = key_of(made_of)
        if not (folder / key / MANIFEST).exists():
            report("Preparing the database, first run only")
            former = _former(folder, made_of) or _dependencies(folder, made_of, report)
            _make(folder, made_of, former, report)
            _forget_others(folder, keep=made_of)
        return key, Cluster(folder / key)


def _former(folder: Path, made_of: dict[str, str]) -> Path | None:
    """The earlier template to which the fewest migrations have to be added."""
    manifests = {path.parent: json.loads(path.read_text()) for path in folder.glob(f"*/{MANIFEST}")}
    usable = [place for place, contents in manifests.items() if contents.items() <= made_of.items()]
    return max(usable, key=lambda place: len(manifests[place]), default=None)


def _dependencies(folder: Path, made_of: dict[str, str], report: Report) -> Path:
    """The slow part by itself, so that a changed migration of ours does not pay it again."""
    needs = {LOCK.name: made_of[LOCK.name]}

    def note(line: str) -> None:
        if line.startswith("needs "):
            file = line.removeprefix("needs ")
            needs[file] = made_of[file]

    with _scratch(folder, None) as cluster:
        migrate(cluster.url(DATABASE), report, only="dependencies", listen=note)
    return _keep(folder, needs)


def _make(folder: Path, made_of: dict[str, str], former: Path, report: Report) -> None:
    with _scratch(folder, former) as cluster:
        migrate(cluster.url(DATABASE), report)
    _keep(folder, made_of)


@contextmanager
def _scratch(folder: Path, former: Path | None) -> Iterator[Cluster]:
    """A running cluster in ``making`` whose template database can be changed inside the block."""
    shutil.rmtree(folder / "making", ignore_errors=True)
    cluster = Cluster(folder / "making", durable=False)
    if former is None:
        cluster.create()
    else:
        cluster.copy_from(Cluster(former))
    with cluster:
        with cluster.connect() as connection:
            if former is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
            connection.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")
        yield cluster
        with cluster.connect() as connection:  # so that nobody's session ever stands in a clone's way
            connection.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false")


def _keep(folder: Path, made_of: dict[str, str]) -> Path:
    place = folder / key_of(made_of)
    (folder / "making" / MANIFEST).write_text(json.dumps(made_of))
    shutil.rmtree(place, ignore_errors=True)
    return (folder / "making").rename(place)


def _forget_others(folder: Path, *, keep: dict[str, str]) -> None:
    """Remove what a change has made useless; what the kept one could be made from stays."""
    for manifest in folder.glob(f"*/{MANIFEST}"):
        contents = json.loads(manifest.read_text())
        if contents != keep and not (contents.items() <= keep.items() and len(contents) < len(keep) // 2):
            shutil.rmtree(manifest.parent, ignore_errors=True)


def migrate(url: str, report: Report, *, only: str = "", listen: Report = lambda line: None) -> None:
    """Run the missing migrations, reporting how far it is; ``listen`` hears every line."""
    environment = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "config.embedded.migrate", *([only] if only else [])]
    process = subprocess.Popen(
        command, cwd=BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    total, done, said = 0, 0, []
    for line in process.stdout or ():
        said.append(line)
        listen(line.strip())
        if line.startswith("total "):
            total = int(line.split()[1])
        elif line.lstrip().startswith("Applying "):
            done += 1
            if done == total or done % 10 == 0:
                report(f"  {done} of {total} steps")
    if process.wait():
        raise Problem("The database could not be migrated:\n" + "".join(said[-30:]))
