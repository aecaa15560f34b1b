"""The ``portal`` command: balance, usage, pricing, estimates, statements; for a person, or with ``--json`` for a script.

The key comes from the environment only: an argument would be visible in the list of processes.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from portal_client import statement_commands, views
from portal_client.errors import BadAnswer, PortalError, Unreachable
from portal_client.output import EXIT_NO_ANSWER, EXIT_REFUSED, EXIT_USAGE, Output, fail, show
from portal_client.portal import Portal
from portal_client.transport import VERSION, RetryPolicy


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 the portal refused, 2 wrong use or settings, 3 no usable answer."""
    parser = _parser()
    options = parser.parse_args(arguments)
    offline: Callable[[argparse.Namespace], int] | None = getattr(options, "offline", None)
    if offline is not None:
        return offline(options)
    key = os.environ.get("PORTAL_API_KEY") or None
    if key is None and options.needs_key:
        return fail("Set PORTAL_API_KEY to an API key of your account (bpk_…).", EXIT_USAGE)
    try:
        portal = Portal(options.url, key, timeout=options.timeout, policy=RetryPolicy(retries=2))
    except ValueError as error:
        return fail(str(error), EXIT_USAGE)
    run: Callable[[Portal, argparse.Namespace], Output] = options.run
    try:
        with portal:
            output = run(portal, options)
    except (Unreachable, BadAnswer) as error:
        return fail(error.detail, EXIT_NO_ANSWER)
    except PortalError as error:
        print(views.error(error), file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 130
    return show(output, as_json=options.json)


def _balance(portal: Portal, options: argparse.Namespace) -> Output:
    answer = portal.balance()
    return Output(views.balance(answer), answer.raw)


def _usage(portal: Portal, options: argparse.Namespace) -> Output:
    if options.all:
        rows = list(
            portal.usage(
                type=options.type,
                model=options.model,
                since=options.since,
                until=options.until,
                page_size=200,
            )
        )
        return Output(views.usage(rows), {"data": [row.raw for row in rows], "next_cursor": None})
    page = portal.usage_page(
        type=options.type,
        model=options.model,
        since=options.since,
        until=options.until,
        cursor=options.cursor,
        limit=options.limit,
    )
    text = views.usage(page.data)
    if page.next_cursor is not None:
        text += f"\n\nOlder ones: add --cursor {page.next_cursor}, or --all."
    return Output(text, page.raw)


def _pricing(portal: Portal, options: argparse.Namespace) -> Output:
    answer = portal.pricing(profile=options.profile, as_of=options.as_of)
    return Output(views.pricing(answer), answer.raw)


def _estimate(portal: Portal, options: argparse.Namespace) -> Output:
    answer = portal.estimate(options.model, options.operation, dict(options.parameter), as_of=options.as_of)
    return Output(views.estimate(answer), answer.raw)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="portal",
        description="Ask a billing portal for your balance, history, prices and estimates.",
        epilog="PORTAL_URL is the portal's address (default http://127.0.0.1:8000), PORTAL_API_KEY your key.",
    )
    parser.add_argument("--version", action="version", version=f"portal {VERSION}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    _command(commands, "balance", "balance, credits and settings of your account", _balance)

    usage = _command(commands, "usage", "the account's transactions, newest first", _usage)
    usage.add_argument("--type", help="only this type: usage, topup, refund, …")
    usage.add_argument("--model", help="only this model")
    usage.add_argument("--from", dest="since", type=_time, metavar="TIME", help="not before, e.g. 2026-05-01")
    usage.add_argument("--to", dest="until", type=_time, metavar="TIME", help="before this time")
    usage.add_argument("--limit", type=_limit, default=20, help="rows to show, 1 to 200 (default 20)")
    usage.add_argument("--cursor", help="continue where an earlier call ended")
    usage.add_argument("--all", action="store_true", help="every row, not just one page")

    pricing = _command(
        commands, "pricing", "what everything costs (works without a key)", _pricing, needs_key=False
    )
    pricing.add_argument("--profile", help="another price list, by its id (without a key)")
    _as_of(pricing)

    estimate = _command(commands, "estimate", "what one request would cost; nothing is charged", _estimate)
    estimate.add_argument("model")
    estimate.add_argument("operation", nargs="?", default="generate")
    _as_of(estimate)
    estimate.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="e.g. -p count=4 -p resolution=2K",
    )

    statement_commands.add_verify(commands)
    _command(
        commands,
        "statement-keys",
        "fetch and save the public keys that verify statements (works without a key)",
        statement_commands.fetch_keys,
        needs_key=False,
    )
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    summary: str,
    run: Callable[[Portal, argparse.Namespace], Output],
    *,
    needs_key: bool = True,
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    command.set_defaults(run=run, needs_key=needs_key)
    command.add_argument("--json", action="store_true", help="print the answer as JSON")
    command.add_argument(
        "--url",
        default=os.environ.get("PORTAL_URL") or "http://127.0.0.1:8000",
        help="the portal's address (default: PORTAL_URL)",
    )
    command.add_argument("--timeout", type=_seconds, default=10.0, help="seconds to wait (default 10)")
    return command


def _as_of(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--as-of", type=_time, metavar="TIME", help="by the prices of this moment, past or scheduled"
    )


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date or time like 2026-05-01T12:00Z") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= 200:
        raise argparse.ArgumentTypeError("must be a number from 1 to 200")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError("must be a number of seconds") from None
    if not (seconds.is_finite() and 0 < seconds <= 3600):
        raise argparse.ArgumentTypeError("must be more than 0 and at most 3600 seconds")
    return float(seconds)


def _parameter(text: str) -> tuple[str, object]:
    """``name=value``; whole numbers and true/false are sent as such, all else as text."""
    name, found, value = text.partition("=")
    if not found or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    if value.isascii() and value.isdecimal() and len(value) <= 15:
        return name, int(value)
    return name, value
