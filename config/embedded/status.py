"""`manage.py status`: where the running portal is, how to sign in, which processes it consists of."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from config.embedded.datadir import DataDir, chosen_folder
from config.embedded.problems import Problem

SHOWN = ("portal", "studio", "stripe", "database", "staff", "processes")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="manage.py status", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR", help="the portal's data folder")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    folder = DataDir(options.data or chosen_folder())
    state = folder.running()
    if state is None:
        raise Problem(f"No portal runs on {folder.root}.")
    shown = {name: value for name, value in asdict(state).items() if name in SHOWN}
    if options.json:
        print(json.dumps(shown, indent=1))
    else:
        for name, value in shown.items():
            text = (
                "  ".join(f"{key} {item}" for key, item in value.items())
                if isinstance(value, dict)
                else value
            )
            print(f"{name:10} {text}")
    return 0
