"""`manage.py up`: the whole portal on this machine, until Ctrl-C.

Database, migrations, price lists and sample data first; then payments, worker, beat, pages and the
example studio, each started again when it dies.
"""

import argparse
import base64
import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from config.embedded import parts, ports, template
from config.embedded.bootstrap import BASE_DIR
from config.embedded.datadir import DataDir, State, chosen_folder
from config.embedded.parts import Plan
from config.embedded.postgres import Cluster, server_home
from config.embedded.problems import Problem, clear_disk_errors
from config.embedded.procs import dies_with_parent, end, started_at
from config.embedded.supervisor import Supervisor

LEAST_FREE = 300_000_000  # bytes on the disk of the data folder
DATABASE = "portal"
STAFF = "staff@portal.example"


class Stopped(BaseException):
    """A signal asked us to stop."""


def main(argv: list[str]) -> int:
    options = _options(argv)
    data = DataDir(options.data or chosen_folder())
    _stop_on_signals()
    try:
        with _alone_in(data):
            _run(data, options)
    except Stopped:
        say("Stopped.")
    return 0


def _options(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="manage.py up", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="the portal's port, 0 for any free one (8000)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where everything is kept (.local/data)")
    parser.add_argument("--profile", metavar="NAME", help="the price list of new accounts (at first: ads)")
    parser.add_argument("--no-sample-data", action="store_true", help="start with no accounts")
    return parser.parse_args(argv)


def say(line: str) -> None:
    print(line, flush=True)


def _stop_on_signals() -> None:
    def stop(signum: int, frame: FrameType | None) -> None:
        raise Stopped

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, stop)


def _ignore_signals() -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)


@contextlib.contextmanager
def _alone_in(data: DataDir) -> Iterator[None]:
    """One `up` for a data folder; the lock goes with the process, however it ends."""
    data.make()
    if shutil.disk_usage(data.root).free < LEAST_FREE:
        needed = LEAST_FREE // 1_000_000
        raise Problem(f"Less than {needed} MB are free on the disk of {data.root}: free some first.")
    with clear_disk_errors(data.root):
        lock = (data.run / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            running = data.running()
            where = f" at {running.portal}" if running and running.portal else ""
            raise Problem(f"A portal already runs on {data.root}{where}.") from error
        _end_leftovers(data)
        yield


def _end_leftovers(data: DataDir) -> None:
    """Processes of an `up` that was killed. (What the database left, its Cluster ends.)"""
    last = data.last_state()
    for name, mark in (last.marks if last else {}).items():
        if last and name != "postgres":
            end(last.processes[name], mark, patience=3)


def _run(data: DataDir, options: argparse.Namespace) -> None:
    plan = _plan(data, options.port)
    state = _first_state(plan)
    supervisor = Supervisor(say, lambda now: _tell(data, state, now), data.logs)
    try:
        _start_database(data, plan, state, supervisor)
        supervisor.launch(*(parts.service(part, plan) for part in parts.before_pages(plan)))
        _prepare(plan, options)
        supervisor.launch(*(parts.service(part, plan) for part in parts.portal(plan)))
        _greet(plan, state)
        supervisor.watch()
    finally:
        _ignore_signals()
        say("Stopping…")
        supervisor.stop()
        _tell(data, state, supervisor)


# -- deciding --------------------------------------------------------------------------------------
def _plan(data: DataDir, port: int) -> Plan:
    last = data.last_state()
    stripe_port = ports.free(_port_of(last.stripe) if last else 0)
    studio_port = ports.free(_port_of(last.studio) if last else 0)
    port = ports.claim(port)
    simulated = not os.environ.get("STRIPE_SECRET_KEY")
    values = {
        "SECRET_KEY": data.keep_or_make("secret_key", lambda: secrets.token_urlsafe(48)),
        "STATEMENT_SIGNING_KEY": data.keep_or_make(
            "statement_signing_key", lambda: base64.b64encode(secrets.token_bytes(32)).decode()
        ),
        "PORTAL_BASE_URL": f"http://{ports.LOOPBACK}:{port}",
        "STUDIO_URL": f"http://{ports.LOOPBACK}:{studio_port}",
        "STRIPE_WEBHOOK_ENDPOINT": data.keep_or_make("webhook_endpoint", lambda: str(uuid.uuid4())),
        "STRIPE_WEBHOOK_SECRET": data.keep_or_make(
            "webhook_secret", lambda: f"whsec_{secrets.token_hex(24)}"
        ),
    }
    if simulated:
        values |= {
            "STRIPE_API_HOST": f"http://{ports.LOOPBACK}:{stripe_port}",
            "STRIPE_SECRET_KEY": data.keep_or_make("stripe_key", lambda: f"sk_test_{secrets.token_hex(24)}"),
            "STRIPE_PUBLISHABLE_KEY": data.keep_or_make(
                "stripe_public", lambda: f"pk_test_{secrets.token_hex(24)}"
            ),
        }
    environment = parts.child_environment(data, values)
    return Plan(data, port, studio_port, stripe_port, simulated, environment)


def _port_of(url: str) -> int:
    return urlsplit(url).port or 0


def _first_state(plan: Plan) -> State:
    password = plan.data.keep_or_make("staff_password", lambda: secrets.token_urlsafe(15))
    names = (
        "DATABASE_URL",
        "SECRET_KEY",
        "STATEMENT_SIGNING_KEY",
        "PORTAL_BASE_URL",
        "STUDIO_URL",
        "CELERY_BROKER_URL",
    )
    stripe = [name for name in plan.environment if name.startswith("STRIPE_")]
    return State(
        supervisor=os.getpid(),
        since=started_at(os.getpid()) or "",
        portal=plan.portal,
        studio=plan.studio,
        stripe=plan.stripe,
        staff={"email": STAFF, "password": password},
        environment={name: plan.environment[name] for name in (*names, *stripe) if name in plan.environment},
    )


def _tell(data: DataDir, state: State, supervisor: Supervisor) -> None:
    state.processes, state.marks = supervisor.pids(), supervisor.marks()
    try:
        data.write_state(state)
    except (Problem, OSError) as error:  # a full disk must not stop what runs
        say(f"The state file could not be written: {error}")


# -- preparing -------------------------------------------------------------------------------------
def _start_database(data: DataDir, plan: Plan, state: State, supervisor: Supervisor) -> None:
    if "DATABASE_URL" not in os.environ:
        cluster = Cluster(server_home(data.root))
        fresh = not cluster.exists
        if fresh:
            _, prepared = template.prepared(say)
            cluster.copy_from(prepared)
        else:
            cluster.make_home()
        supervisor.launch(parts.database(cluster))
        _name_database(cluster)
        plan.environment["DATABASE_URL"] = cluster.url(DATABASE)
    state.environment["DATABASE_URL"] = state.database = plan.environment["DATABASE_URL"]
    _tell(data, state, supervisor)


def _name_database(cluster: Cluster) -> None:
    """The copied template becomes the portal's database, also when the first start was cut short here."""
    with cluster.connect() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"ALTER DATABASE {template.DATABASE} ALLOW_CONNECTIONS true")
            connection.execute(f"ALTER DATABASE {template.DATABASE} RENAME TO {DATABASE}")


def _prepare(plan: Plan, options: argparse.Namespace) -> None:
    """Migrations, price lists, staff user, sample data: one Django process, whose progress is shown."""
    command = [sys.executable, "manage.py", "prepare"]
    if options.profile:
        command += ["--profile", options.profile]
    if options.no_sample_data:
        command.append("--no-sample-data")
    process = subprocess.Popen(
        command,
        cwd=BASE_DIR,
        env=plan.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=dies_with_parent(signal.SIGTERM),
    )
    with process:
        last = ""
        for line in process.stdout or ():
            last = line.rstrip() or last
            say(f"  {line.rstrip()}")
    if process.returncode:
        raise Problem(f"The data could not be prepared: {last}")


def _greet(plan: Plan, state: State) -> None:
    payments = "simulated payments, no money moves" if plan.simulated else "payments by Stripe"
    say(
        f"""
The portal is ready.

  Pages     {plan.portal}/
  Admin     {plan.portal}/admin/   {state.staff["email"]}  {state.staff["password"]}
  API       {plan.portal}/v1/docs
  Studio    {plan.studio}/
  Stripe    {plan.stripe}  ({payments})
  Mail      {plan.data.mail}
  Logs      {plan.data.logs}

Ctrl-C stops everything."""
    )
