"""``manage.py reconcile``: check the books, note the look among the others; exits with 1 when an invariant is broken."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.models import ReconciliationRun
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
        look = runs.record(ReconciliationRun.Asked.COMMAND, everything=not options["new"])
        findings = [Finding(**found) for found in look.findings]
        broken = [finding for finding in findings if finding.breaches]
        if options["json"]:
            self.stdout.write(json.dumps({"clean": not broken, "checks": look.findings}, indent=2))
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
