"""``manage.py create_service_key --name N [--json]``: a key for the generation service."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import keys
from accounts.models import ApiKey


class Command(BaseCommand):
    help = "Makes a service key, with which the generation service charges accounts. It is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what the key is for, as the admin lists it")
        parser.add_argument("--json", action="store_true", help='print {"api_key": "bps_…"}')

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["name"].strip()
        longest = ApiKey._meta.get_field("name").max_length or 0
        if not name or len(name) > longest or not name.isprintable():
            raise CommandError(f"--name takes 1 to {longest} visible characters.")
        _, text = keys.create_service_key(name)
        self.stdout.write(json.dumps({"api_key": text}) if options["json"] else text)
