"""``manage.py reconcile``: check the books; exits with 1 when an invariant is broken."""

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.services.reconciliation import Finding, runs


class Command(BaseCommand):
    help = "Check the invariants of the books, say which are broken and what to do."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument(
            "--new",
            action="store_true",
            help="verify only the history that came since it was last verified, and leave out what reads whole tables",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = runs.look(everything=not options["new"])
        broken = [finding for finding in findings if finding.breaches]
        if options["json"]:
            checks = [asdict(finding) for finding in findings]
            self.stdout.write(json.dumps({"clean": not broken, "checks": checks}, indent=2))
        else:
            for finding in findings:
                self.stdout.write(_line(finding))
        if broken:
            raise CommandError(f"The books are not in order: {', '.join(f.name for f in broken)}.")


def _line(finding: Finding) -> str:
    if not finding.breaches:
        return f"ok      {finding.name:<26} {finding.promise}"
    examples = ", ".join(finding.examples)
    return (
        f"BROKEN  {finding.name:<26} {finding.promise}\n"
        f"        {finding.breaches} found: {examples}\n        {finding.remedy}"
    )
