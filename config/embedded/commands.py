"""Which command is ours and which is Django's; what happens before either."""

import os
import sys
from importlib import import_module

from config.embedded import bootstrap, datadir
from config.embedded.problems import Problem

OURS = {
    "up": (
        "config.embedded.up",
        "Start the whole portal on this machine: database, payments, workers, pages",
    ),
    "status": ("config.embedded.status", "Addresses, sign-in and processes of a running portal"),
    "soak": ("soak.command", "Races, kills, floods and nonsense on a private database, with a report"),
    "test": ("config.embedded.gate", "Everything that must hold: lint, types, contracts, tests"),
}


def main(argv: list[str]) -> int:
    name = argv[1] if len(argv) > 1 else "help"
    try:
        bootstrap.ensure(development=name == "test")
        if name in OURS:
            bootstrap.keep_compiled(os.environ)
        if not bootstrap.inside() and not bootstrap.in_foreign_environment():
            bootstrap.enter(argv)
        if name in OURS:
            module = import_module(OURS[name][0])
            return int(module.main(argv[2:]))
        argv, chosen = datadir.take_option(argv)
        datadir.adopt(chosen)
        return _django(argv, name)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _django(argv: list[str], name: str) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    if name in {"help", "--help", "-h"} and len(argv) <= 2:
        print("The portal's own commands (each with --help; --data DIR works with every command):\n")
        for command, (_, purpose) in OURS.items():
            print(f"  {command:8} {purpose}")
        print()
    try:
        execute_from_command_line(argv)
    except ImproperlyConfigured as error:
        raise Problem(str(error)) from error
    except OperationalError as error:
        raise Problem(f"The database does not answer: {str(error).splitlines()[0]}") from error
    return 0
