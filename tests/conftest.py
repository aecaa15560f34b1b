"""What every test needs to know about this product's database and processes."""

import gc
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from django.core.management.commands import flush as flush_command
from django.db.backends.base.operations import BaseDatabaseOperations

from config.embedded import browsers
from tests.live import LivePortal

MADE_BY_MIGRATE = {"django_content_type", "auth_permission"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of two that share the work none should begin the longest test when the other has nothing left."""
    if hasattr(config, "workerinput"):
        items.sort(key=_how_soon)


def _how_soon(item: pytest.Item) -> int:
    slow = item.get_closest_marker("slow")
    if slow and slow.kwargs.get("first"):
        return 0
    return 1 if slow or item.get_closest_marker("e2e") else 2


def pytest_collection_finish() -> None:
    """What has been loaded by now stays to the end, so that nobody searches it for garbage after every few tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _empty_the_ledger_between_tests() -> Iterator[None]:
    """Lets the test database be emptied after a test with real transactions, quickly.

    The ledger refuses TRUNCATE and DELETE to everybody, so the flush (and nothing else) runs with triggers off.
    Deleting the few rows of a test costs a hundredth of truncating a hundred and fifty tables. What `migrate` puts into
    tables stays there and need not be made again.
    """
    flush = BaseDatabaseOperations.execute_sql_flush

    def flush_without_triggers(self: BaseDatabaseOperations, sql_list: Sequence[str]) -> None:
        tables = set(re.findall(r'"(\w+)"', " ".join(sql_list))) - MADE_BY_MIGRATE
        deletions = "; ".join(f'DELETE FROM "{table}"' for table in sorted(tables))
        flush(self, ["SET LOCAL session_replication_role = replica", deletions])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", flush_without_triggers)
        patch.setattr(flush_command, "emit_post_migrate_signal", lambda *arguments: None)
        yield


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium; tests that need it are skipped where there is none."""
    found = browsers.find()
    if found is None:
        pytest.skip("no Chromium on PATH")
    return found


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder for live portals that the database's own user may pass through, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="portal-live-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def live_portal(place: Path) -> Iterator[LivePortal]:
    """The whole portal as real processes, without sample data; one for all tests that share it."""
    portal = LivePortal.start(place / "shared", "--no-sample-data")
    yield portal
    portal.stop()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the races, kills and floods reached."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    figures = [text for report in reports for name, text in report.user_properties if name == "figure"]
    if figures:
        terminalreporter.section("figures")
    for text in figures:
        terminalreporter.line(str(text))
