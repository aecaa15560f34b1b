"""What a command leaves behind: text or JSON on standard output, one sentence on standard error, an exit status."""

import io
import json
import os
import sys
from dataclasses import dataclass
from typing import Final

EXIT_REFUSED: Final = 1
EXIT_USAGE: Final = 2
EXIT_NO_ANSWER: Final = 3
EXIT_UNCHECKED: Final = 3
"""Of ``verify-statement``, which asks nobody: what it read is intact, but the signature was not checked."""


@dataclass(frozen=True)
class Output:
    """One command's result: for a person, and as the portal sent it."""

    text: str
    data: object


def show(output: Output, *, as_json: bool) -> int:
    text = json.dumps(output.data, indent=2, ensure_ascii=False, default=str) if as_json else output.text
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")
        print(text, flush=True)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; keep Python from complaining again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def fail(message: str, status: int) -> int:
    print(f"portal: {message}", file=sys.stderr)
    return status
