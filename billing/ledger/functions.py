"""The ledger's SQL functions and triggers (``sql/``), for the migrations that load them.

Every file can be run again: a migration that changed one loads them all.
"""

from pathlib import Path
from typing import Final

from django.db.migrations import RunSQL

FILES: Final = ("clock", "chain", "guards", "post", "comfort", "place", "finish", "plans")


def load() -> list[RunSQL]:
    """The operations that bring the database's functions to the text of the files."""
    folder = Path(__file__).parent / "sql"
    return [RunSQL((folder / f"{name}.sql").read_text()) for name in FILES]
