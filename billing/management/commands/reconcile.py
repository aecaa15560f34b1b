"""``manage.py reconcile``: check the books; exits with 1 when an invariant is broken."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from billing.services import reconciliation


class Command(BaseCommand):
    help = "Check the invariants of the books and say which are broken."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            findings = reconciliation.run()
        broken = [finding for finding in findings if finding.breaches]
        if options["json"]:
            self.stdout.write(
                json.dumps({"clean": not broken, "checks": [asdict(f) for f in findings]}, indent=2)
            )
        else:
            for finding in findings:
                state = (
                    f"{finding.breaches} breaches: {', '.join(finding.examples)}"
                    if finding.breaches
                    else "ok"
                )
                self.stdout.write(f"{finding.promise:<90} {state}")
        if broken:
            raise CommandError(f"The books are not in order: {', '.join(f.name for f in broken)}.")
