"""A private PostgreSQL with a migrated template and price lists, and databases cloned from it in a moment."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from django.db import connections

from config.embedded import template
from config.embedded.postgres import Cluster
from soak.crew import Crew

PROFILES = ("ads", "images", "toon", "sites")
Report = Callable[[str], None]


@dataclass(frozen=True)
class Database:
    """One scratch database."""

    host: str
    name: str

    def connect(self) -> psycopg.Connection[Any]:
        """A connection outside of Django's, each statement its own transaction."""
        return psycopg.connect(self.dsn, autocommit=True)

    @property
    def dsn(self) -> str:
        return f"host={self.host} user=portal dbname={self.name}"

    def adopt(self) -> None:
        """Make it the database of this process; a connection inherited by fork is left to its owner."""
        connections.settings["default"] |= {
            "NAME": self.name,
            "HOST": self.host,
            "PORT": "",
            "USER": "portal",
            "PASSWORD": "",
        }
        del connections["default"]

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement)


class World:
    """The cluster. ``durable`` for what is about crashes; the rest may do without waiting for the disk."""

    def __init__(self, home: Path, *, durable: bool) -> None:
        self.cluster = Cluster(home, durable=durable)
        self._made = 0

    def database(self, name: str = "scratch") -> Database:
        """A new database with the migrated tables and the price lists."""
        self._made += 1
        name = f"{name}_{self._made}"
        with self.cluster.connect() as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {template.DATABASE}')
        return Database(str(self.cluster.sockets), name)

    def drop(self, database: Database) -> None:
        with self.cluster.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database.name}" WITH (FORCE)')

    @contextmanager
    def scratch(self, name: str = "scratch") -> Iterator[Database]:
        """A database for as long as the block runs."""
        database = self.database(name)
        try:
            yield database
        finally:
            self.drop(database)

    def furnish(self) -> None:
        """Load the price lists into the template."""
        source = Database(str(self.cluster.sockets), template.DATABASE)
        with self.cluster.connect() as connection:
            connection.execute(f"ALTER DATABASE {template.DATABASE} ALLOW_CONNECTIONS true")
            with Crew(source, 1) as crew:
                crew.ask(0, load_price_lists)
            connection.execute(f"ALTER DATABASE {template.DATABASE} ALLOW_CONNECTIONS false")


def load_price_lists() -> None:
    from django.core.management import call_command

    for profile in PROFILES:
        options = ["--default"] if profile == PROFILES[0] else []
        call_command("load_profile", profile, *options, verbosity=0, stdout=_Nowhere())


@contextmanager
def world(
    *, durable: bool = False, folder: Path | None = None, report: Report = lambda line: None
) -> Iterator[World]:
    """A world for as long as the block runs, in a folder that the database's own user may pass through."""
    home = Path(tempfile.mkdtemp(prefix="portal-soak-", dir=folder))
    home.chmod(0o711)
    try:
        made = World(home / "postgres", durable=durable)
        _, prepared = template.prepared(report)
        made.cluster.copy_from(prepared)
        with made.cluster:
            made.furnish()
            yield made
    finally:
        shutil.rmtree(home, ignore_errors=True)


class _Nowhere:
    def write(self, text: str) -> None:
        """Swallows what the command prints."""

    def flush(self) -> None:
        """Nothing is kept."""
