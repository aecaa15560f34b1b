"""A database whose disk is full: 503 and nothing claimed; when there is space again, the same requests go through."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from billing.ledger.models import Charge
from config.ids import parse_id
from soak import books, garbage, lane, making, nonsense
from soak import world as worlds
from soak.crashes import fill
from soak.crew import Crew
from soak.world import Database, World

pytestmark = pytest.mark.slow
SIZE = "400m"
ASKED = 40


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of its own, small enough to be filled; only root may make one."""
    place = Path(tempfile.mkdtemp(prefix="portal-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=711", "tmpfs", str(place)]
    made = subprocess.run(mount, capture_output=True, check=False)
    if made.returncode:
        place.rmdir()
        pytest.skip("no small disk can be mounted here; that takes root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


@pytest.fixture
def cramped(small_disk: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[World, Path]]:
    with django_db_blocker.unblock(), worlds.world(durable=True, folder=small_disk) as made:
        yield made, small_disk


def prepare(database: Database) -> str:
    """The lane on this database, and an account; its id."""
    garbage.arm(database, lane.NOBODY)
    return nonsense.Known.ids[0]


def ask(account: str, first: int, count: int) -> list[tuple[int, str]]:
    """Authorize so many times under keys of their own; status and charge of each."""
    answers = []
    for number in range(first, first + count):
        wanted = {"customer": {"account": account}, "model": "static", "operation": "generate"}
        status, answer = lane.ask("/v1/charges", {**wanted, "reference": f"r{number}"}, f"k{number}")
        answers.append((status, str(answer.get("id", ""))))
    return answers


def accepted(account: str) -> int:
    return Charge.objects.filter(account_id=parse_id("acct", account)).exclude(reference="").count()


def test_a_full_disk_says_503_and_claims_nothing(cramped: tuple[World, Path]) -> None:
    world, disk = cramped
    database = world.database("cramped")
    with Crew(database, 2) as crew:
        account = crew.ask(0, prepare, database)
        crew.ask(0, making.give, parse_id("acct", account), 10_000)
        assert {status for status, _ in crew.ask(0, ask, account, 0, 3)} == {202}
        filler = fill(disk)
        answers = crew.ask(0, ask, account, 3, ASKED)
        statuses = [status for status, _ in answers]
        assert set(statuses) <= {202, 503}
        assert 503 in statuses, "the disk was not full"
        filler.unlink()
        if not world.cluster.answers():  # a server that cannot write its log stops rather than lose something
            world.cluster.stop()
            world.cluster.start()
        again = crew.ask(0, ask, account, 0, 3 + ASKED)
        assert {status for status, _ in again} == {202}
        first = [(status, charge) for status, charge in answers if status == 202]
        assert first == [again[3 + number] for number, status in enumerate(statuses) if status == 202]
    with Crew(database, 1) as crew:
        assert crew.ask(0, accepted, account) == 3 + ASKED
        assert crew.ask(0, books.broken) == []
