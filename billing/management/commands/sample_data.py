"""``manage.py sample_data``: two accounts with ninety days of history, for trying the product."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import sample
from billing.services import statements


class Command(BaseCommand):
    help = "Create two sample accounts with ninety days of history; a second run changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--password", default="sample-password", help="for signing in to the sample accounts"
        )
        parser.add_argument("--profile", help="billing profile; the default one when left out")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.STRIPE_LIVE_MODE:
            raise CommandError("Sample data does not belong beside a live Stripe key.")
        accounts = sample.create(options["password"], options["profile"])
        statements.seal_due()
        answer = [{"account": a.public_id, "name": a.name, "email": a.email} for a in accounts]
        if options["json"]:
            self.stdout.write(json.dumps({"accounts": answer, "password": options["password"]}))
            return
        for entry in answer:
            self.stdout.write(f"{entry['name']:<20} {entry['email']:<26} {options['password']}")
