"""``portal verify-statement`` and ``portal statement-keys``."""

import argparse
from dataclasses import asdict
from pathlib import Path

from portal_client import keyring, statements
from portal_client.errors import BadAnswer
from portal_client.output import EXIT_REFUSED, EXIT_UNCHECKED, EXIT_USAGE, Output, fail, show
from portal_client.portal import Portal
from portal_client.statements import NOT_CHECKED, OK, WRONG, Report, Unreadable
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
    command.add_argument(
        "--unsigned",
        action="store_true",
        help="chain and sums are enough: a signature that cannot be checked (a preview, an unknown key) is no failure",
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def verify(options: argparse.Namespace) -> int:
    """Exit status: 0 in order, 1 something is wrong, 2 a file or key is unreadable, 3 a signature was not checked."""
    try:
        keys = keyring.given(options.key) if options.key else keyring.load(keyring.default_file())
        reports = [statements.check(path, keys) for path in options.files]
    except (Unreadable, BadAnswer, ValueError, OSError) as error:
        return fail(str(error), EXIT_USAGE)
    between = statements.check_order(reports)
    wrong = bool(between or any(report.wrong for report in reports))
    unchecked = [report.file for report in reports if report.signature == NOT_CHECKED]
    status = EXIT_REFUSED if wrong else EXIT_UNCHECKED if unchecked and not options.unsigned else 0
    data = {
        "ok": status == 0,
        "signature": _signature(reports),
        "files": [asdict(report) for report in reports],
        "between": between,
    }
    show(Output(_told(reports, between), data), as_json=options.json)
    if status == EXIT_REFUSED:
        return fail("not in order.", status)
    if status == EXIT_UNCHECKED:
        return fail(
            f"chain and sums are intact, but the signature was not checked: {printable(', '.join(unchecked))}. Whoever"
            " made the file could have made both. --unsigned says that this is enough.",
            status,
        )
    return 0


def _signature(reports: list[Report]) -> str:
    """The least that holds of all files: one wrong signature counts before one that was not checked."""
    told = {report.signature for report in reports}
    return next(state for state in (WRONG, NOT_CHECKED, OK) if state in told)


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
        if report.untold:
            lines.append(f"  WRONG        And {report.untold} more like these.")
        lines += [f"  not checked  {text}" for text in report.not_checked]
    lines += [f"WRONG {text}" for text in between]
    if len(reports) > 1 and not between:
        lines.append("Each statement starts where the one before it ends.")
    return "\n".join(printable(line) for line in lines)
