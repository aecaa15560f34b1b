"""``manage.py fold_usage``: bring the days of usage and the blocks of the history up to date, or make them anew."""

import json
import uuid
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.ledger import usage_days
from billing.ledger.models import Balance
from billing.services import history_blocks
from config.ids import parse_id


class Command(BaseCommand):
    help = "Fold new transactions into the days of usage; with --rebuild all of them again, for repair."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rebuild", action="store_true", help="drop the days and fold the whole history")
        parser.add_argument("--account", help="only this account (acct_…)")
        parser.add_argument("--json", action="store_true", help="print the result as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = Balance.objects.order_by("account_id")
        if options["account"]:
            accounts = accounts.filter(account_id=parse_id("acct", options["account"]))
            if not accounts.exists():
                raise CommandError(f"There is no account {options['account']}.")
        if options["rebuild"]:
            folded = sum(_rebuild(row.account_id) for row in accounts.iterator())
        elif options["account"]:
            folded = sum(usage_days.fold_up(row.account_id) for row in accounts)
        else:
            folded = usage_days.fold_all()
        history_blocks.keep_up()
        result = {"folded": folded}
        self.stdout.write(json.dumps(result) if options["json"] else f"{folded} transactions folded.")


def _rebuild(account_id: uuid.UUID) -> int:
    history_blocks.forget(account_id)
    return usage_days.rebuild(account_id)
