"""``portal verify-statement`` and ``portal statement-keys``."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

from portal_client import keyring, statements
from portal_client.errors import BadAnswer
from portal_client.output import EXIT_REFUSED, EXIT_USAGE, Output, fail, show
from portal_client.portal import Portal
from portal_client.statements import Report, Unreadable
from portal_client.tables import Column, printable, table


def add_verify(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    summary = "check monthly statements (CSV) offline: chain, sums and signature"
    command = commands.add_parser(
        "verify-statement", help=summary, description=summary[0].upper() + summary[1:] + "."
    )
    command.set_defaults(offline=verify)
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument(
        "--key",
        help="the portal's public key, or a file of its keys (default: those saved by portal statement-keys)",
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def verify(options: argparse.Namespace) -> int:
    """Exit status: 0 all that was checked is in order, 1 something is wrong, 2 a file or key is unreadable."""
    try:
        keys = keyring.given(options.key) if options.key else keyring.load(keyring.default_file())
        reports = [statements.check(path, keys) for path in options.files]
    except (Unreadable, BadAnswer, ValueError, OSError) as error:
        return fail(str(error), EXIT_USAGE)
    between = statements.check_order(reports)
    wrong = bool(between or any(report.wrong for report in reports))
    data = {"ok": not wrong, "files": [asdict(report) for report in reports], "between": between}
    show(Output(_told(reports, between), data), as_json=options.json)
    if wrong:
        print("portal: not in order.", file=sys.stderr)
    return EXIT_REFUSED if wrong else 0


def fetch_keys(portal: Portal, options: argparse.Namespace) -> Output:
    """Fetch the portal's public keys and keep them beside those that were saved before."""
    published = portal.statement_keys()
    try:
        keys = keyring.read(published)
    except ValueError as error:
        raise BadAnswer(f"The portal's keys cannot be read: {error}.", status=200, body=b"") from error
    file = keyring.default_file()
    keyring.save(file, {**keyring.load(file), **keys})
    rows = [(name, public.hex()) for name, public in keys.items()]
    return Output(f"{table((Column('Key'), Column('Public')), rows)}\n\nSaved in {file}.", published)


def _told(reports: list[Report], between: list[str]) -> str:
    lines = []
    for report in reports:
        head = report.head
        lines.append(f"{report.file}: {head['account']}, {head['month']}, issued {head['issued_at']}")
        lines += [f"  ok           {text}" for text in report.checked]
        lines += [f"  WRONG        {text}" for text in report.wrong]
        lines += [f"  not checked  {text}" for text in report.not_checked]
    lines += [f"WRONG {text}" for text in between]
    if len(reports) > 1 and not between:
        lines.append("Each statement starts where the one before it ends.")
    return "\n".join(printable(line) for line in lines)
