"""The processes a portal on one machine consists of: name, command, how one sees that it is up."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from config.embedded import ports
from config.embedded.bootstrap import BASE_DIR
from config.embedded.datadir import DataDir
from config.embedded.ports import LOOPBACK
from config.embedded.postgres import Cluster
from config.embedded.supervisor import Service, program

CELERY = ("-m", "celery", "-A", "config.celery")
WORKER = (
    *("worker", "--pool", "threads", "--concurrency", "4"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"),
)


@dataclass(frozen=True)
class Plan:
    """What has been decided before anything starts."""

    data: DataDir
    port: int
    studio_port: int
    stripe_port: int
    simulated: bool
    environment: dict[str, str]

    @property
    def portal(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def studio(self) -> str:
        return f"http://{LOOPBACK}:{self.studio_port}"

    @property
    def stripe(self) -> str:
        return f"http://{LOOPBACK}:{self.stripe_port}" if self.simulated else "https://api.stripe.com"


@dataclass(frozen=True)
class Part:
    """One row of the table. ``port`` 0 means that the process listens nowhere: running is being up."""

    name: str
    arguments: tuple[str, ...]
    port: int = 0
    environment: tuple[tuple[str, str], ...] = ()


def before_pages(plan: Plan) -> list[Part]:
    """What the data's preparation may already talk to."""
    if not plan.simulated:
        return []
    values = plan.environment
    webhook = f"{plan.portal}/stripe/webhook/{values['STRIPE_WEBHOOK_ENDPOINT']}/"
    arguments = ("-m", "stripe_simulator", "--port", str(plan.stripe_port))
    state = ("--state", str(plan.data.root / "stripe.sqlite"))
    hook = ("--webhook-url", webhook, "--webhook-secret", values["STRIPE_WEBHOOK_SECRET"])
    return [Part("stripe", (*arguments, *state, *hook), plan.stripe_port)]


def portal(plan: Plan) -> list[Part]:
    uvicorn = ("-m", "uvicorn", "config.asgi:application", "--host", LOOPBACK, "--port", str(plan.port))
    quiet = (
        "--no-access-log",
        "--no-server-header",
        "--timeout-graceful-shutdown",
        "5",
        "--timeout-keep-alive",
        "75",
    )
    studio = ("-m", "examples.studio", "--portal", plan.portal, "--port", str(plan.studio_port))
    key = (("STUDIO_SERVICE_KEY", plan.data.kept().get("studio_key", "")),)
    return [
        Part("worker", (*CELERY, *WORKER)),
        Part(
            "beat",
            (*CELERY, "beat", "--schedule", str(plan.data.run / "beat"), "--pidfile=", "--loglevel", "INFO"),
        ),
        Part("web", (*uvicorn, *quiet), plan.port),
        Part("studio", (*studio, "--data", str(plan.data.root / "studio")), plan.studio_port, key),
    ]


def service(part: Part, plan: Plan) -> Service:
    environment = plan.environment | dict(part.environment)
    log = plan.data.logs / f"{part.name}.log"

    def spawn() -> "subprocess.Popen[bytes]":
        return program([sys.executable, *part.arguments], cwd=BASE_DIR, environment=environment, log=log)

    return Service(part.name, spawn, is_up(part.port))


def is_up(port: int) -> Callable[[], bool]:
    return (lambda: ports.listens(port)) if port else (lambda: True)


def database(cluster: Cluster) -> Service:
    return Service("postgres", cluster.spawn, cluster.answers, stop_signal=signal.SIGINT, last=True)


def child_environment(data: DataDir, values: dict[str, str]) -> dict[str, str]:
    """What every process of the portal is told; what the operator's own environment says comes first."""
    fixed = {
        "DJANGO_SETTINGS_MODULE": "config.settings.local",
        "PORTAL_DATA_DIR": str(data.root),
        "PYTHONUNBUFFERED": "1",
    }
    return {**values, **os.environ, **fixed}
