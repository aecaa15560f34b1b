"""What `up` does to the data before the pages open. Every step may be repeated."""

from argparse import ArgumentParser
from io import StringIO
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from accounts.keys import create_service_key
from accounts.models import User
from catalog import loader, services
from catalog.models import Profile
from config.embedded.datadir import DataDir
from config.embedded.up import STAFF

FIRST = "ads"
"""The price list of new accounts, until somebody chooses another."""


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # they load every page; the pages' own start does that
    help = "Migrations, price lists, staff user, studio key and sample data for a portal on this machine."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--profile", default="", help="the price list of new accounts (first time: ads)")
        parser.add_argument("--no-sample-data", action="store_true")

    def handle(self, *, profile: str, no_sample_data: bool, **options: Any) -> None:
        self.data = DataDir(settings.DATA_DIR)
        self._migrate()
        for name in load_profiles(profile):
            self._say(f"Price list {name} loaded")
        self._staff()
        self._studio_key()
        call_command("stripe_setup", stdout=StringIO())
        if not no_sample_data:
            call_command("sample_data", stdout=self.stdout)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _migrate(self) -> None:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            self._say(f"Migrating the database: {len(missing)} steps")
            call_command("migrate", interactive=False, verbosity=0)

    def _staff(self) -> None:
        """The one staff user, whose password is kept in the data folder; a password they chose stays."""
        from allauth.account.models import EmailAddress

        if User.objects.filter(email=STAFF).exists():
            return
        with transaction.atomic():
            user = User.objects.create_superuser(STAFF, self.data.kept().get("staff_password"), name="Staff")
            EmailAddress.objects.create(user=user, email=STAFF, verified=True, primary=True)
        self._say(f"Staff user {STAFF}")

    def _studio_key(self) -> None:
        """The example studio's key. Its text exists in the data folder only."""
        if "studio_key" not in self.data.kept():
            with transaction.atomic():
                _, text = create_service_key("Studio")
                self.data.keep("studio_key", text)
            self._say("Service key for the studio")


def load_profiles(asked: str = "") -> list[str]:
    """Load the price lists that are not there yet, and give their names.

    ``asked`` becomes that of new accounts. What staff edited since stays, and so does the one they chose.
    """
    default = asked or ("" if Profile.objects.filter(is_default=True).exists() else FIRST)
    known = set(Profile.objects.values_list("slug", flat=True))
    if default in known:
        services.make_default(default)
    missing = [name for name in dict.fromkeys((*loader.bundled(), default)) if name and name not in known]
    for name in missing:
        call_command("load_profile", name, default=name == default, stdout=StringIO())
    return missing
