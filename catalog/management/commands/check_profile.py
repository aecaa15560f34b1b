"""``manage.py check_profile FILE``: explain every mistake of a profile file by its line."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from catalog import loader
from catalog.problems import InvalidProfile


class Command(BaseCommand):
    help = "Check a profile file without a database: every mistake with its line; exits 1 when there is one."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("profile", nargs="?", help="the path of a file, or a bundled profile's name")
        parser.add_argument("--schema", action="store_true", help="print the format's JSON Schema instead")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(loader.schema_text(), ending="")
            return
        if options["profile"] is None:
            raise CommandError("Name a profile file to check.")
        try:
            loaded = loader.read(loader.find(options["profile"]))
        except InvalidProfile as error:
            self._refuse(error, as_json=options["json"])
            return
        prices = sum(len(items) for items in loaded.lists.values())
        summary = {"profile": loaded.file.profile.id, "models": len(loaded.file.model), "prices": prices}
        if options["json"]:
            self.stdout.write(json.dumps({**summary, "problems": []}))
        else:
            self.stdout.write(f"{loaded.name}: {summary['models']} models, {prices} prices, no mistakes.")

    def _refuse(self, error: InvalidProfile, *, as_json: bool) -> None:
        if not as_json:
            count = len(error.problems)
            raise CommandError(f"{error}\n{count} mistake{'s' * (count != 1)} in {error.name}.")
        problems = [{"line": p.line, "where": p.where, "message": p.message} for p in error.problems]
        self.stdout.write(json.dumps({"problems": problems}))
        raise SystemExit(1)
