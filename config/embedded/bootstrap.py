"""From a bare Python with pip to the pinned packages in ``.venv``; standard library only.

uv is installed into ``.local``, makes ``.venv`` and fills it from the hash-pinned requirements files. A
stamp remembers which lock was installed, so that a warm start costs nothing.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from config.embedded.problems import Problem, clear_disk_errors

BASE_DIR = Path(__file__).resolve().parent.parent.parent
UV_PIN = "0.13.8"
LOCAL = BASE_DIR / ".local"
VENV = BASE_DIR / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed.sha256"
BASE_PYTHON: str = getattr(sys, "_base_executable", sys.executable)  # the one outside any environment
RUN_LOCK = BASE_DIR / "requirements.txt"
DEVELOPMENT_LOCK = BASE_DIR / "requirements-dev.txt"
# pip's settings and uv's names for them: whoever has told pip where packages come from need not tell uv too.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "no-index": "UV_NO_INDEX",
}
LISTS_WITH_COMMAS = {"UV_FIND_LINKS"}


def inside() -> bool:
    """Whether this process already runs the checkout's own Python."""
    return Path(sys.prefix).resolve() == VENV.resolve()


def in_foreign_environment() -> bool:
    """Whether we run in a virtual environment made by other means: its packages are its maker's affair."""
    return (
        sys.prefix != sys.base_prefix
        and not (inside() and STAMP.exists())
        and find_spec("django") is not None
    )


def ensure(*, development: bool) -> None:
    """Install what is missing; an environment that has the development group keeps it."""
    if _stamped(DEVELOPMENT_LOCK) or (not development and _stamped(RUN_LOCK)):
        return
    if in_foreign_environment():
        return
    with _alone():
        if _stamped(DEVELOPMENT_LOCK) or (not development and _stamped(RUN_LOCK)):
            return
        _install(DEVELOPMENT_LOCK if development or _has_development() else RUN_LOCK)


def enter(argv: list[str]) -> None:
    """Continue in ``.venv``; does not return."""
    os.execv(PYTHON, [str(PYTHON), *argv])  # noqa: S606 - our own interpreter, our own arguments


def keep_compiled(environment: MutableMapping[str, str]) -> None:
    """Let what we start keep its compiled Python: each process would compile Django again, for seconds.

    Where PYTHONDONTWRITEBYTECODE wants none beside the code, as in many containers, it is kept in ``.local``.
    """
    if environment.pop("PYTHONDONTWRITEBYTECODE", ""):
        environment.setdefault("PYTHONPYCACHEPREFIX", str(LOCAL / "bytecode"))


def lock_hash(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _has_development() -> bool:
    """Whether the environment has the development group, installed by us or by other means."""
    return (VENV / "bin" / "pytest").exists()


def _stamped(lock: Path) -> bool:
    return STAMP.exists() and PYTHON.exists() and STAMP.read_text() == f"{lock.name} {lock_hash(lock)}"


@contextmanager
def _alone() -> Iterator[None]:
    """One installation at a time: a second command waits for the first."""
    with clear_disk_errors(BASE_DIR):
        LOCAL.mkdir(exist_ok=True)
        handle = (LOCAL / "bootstrap.lock").open("w")
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(lock: Path) -> None:
    say(f"Installing the packages of {lock.name} into .venv")
    with clear_disk_errors(BASE_DIR):
        environment = uv_environment(os.environ, pip_settings())
        uv = _uv()
        if not PYTHON.exists():
            _run([str(uv), "venv", "--quiet", "--clear", "--python", BASE_PYTHON, str(VENV)], environment)
        STAMP.unlink(missing_ok=True)
        sync = [str(uv), "pip", "sync", "--quiet", "--require-hashes", "--python", str(PYTHON), str(lock)]
        _run(sync, environment)
        STAMP.write_text(f"{lock.name} {lock_hash(lock)}")


def _uv() -> Path:
    """uv from pip, in a folder of its own: works where the system's Python refuses installs (PEP 668)."""
    home = LOCAL / f"uv-{UV_PIN}"
    program = home / "bin" / "uv"
    if not program.exists():
        pip = [
            BASE_PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-warn-script-location",
        ]
        _run([*pip, "--upgrade", "--target", str(home), f"uv=={UV_PIN}"], dict(os.environ))
    return program


def pip_settings() -> dict[str, str]:
    """What pip itself uses: its files and PIP_… variables together, the variables last and winning."""
    listing = subprocess.run(
        [BASE_PYTHON, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found: dict[str, str] = {}
    for scope in ("global.", "install.", ":env:."):
        for line in listing.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(scope):
                found[name.removeprefix(scope)] = value.strip("'\"").replace("\\n", " ")
    return found


def uv_environment(environment: Mapping[str, str], pip: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: pip's settings under uv's names, unless uv has been told otherwise."""
    result = {**environment, "UV_PYTHON_DOWNLOADS": "never"}
    result.pop("VIRTUAL_ENV", None)
    for setting, name in PIP_TO_UV.items():
        if value := pip.get(setting):
            parts = value.split()
            result.setdefault(name, (",".join if name in LISTS_WITH_COMMAS else " ".join)(parts))
    if "UV_INDEX" in result:  # look through all of them, as pip does; the hashes decide what is taken
        result.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return result


def _run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()
        if "No module named pip" in words:
            raise Problem(f"{BASE_PYTHON} has no pip: install it (on Debian: python3-pip) and start again.")
        raise Problem(f"Packages could not be installed ({' '.join(command[:3])}):\n{words}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
