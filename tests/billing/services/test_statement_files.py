"""The statement of every profile's accounts is checked offline, and none that was altered anywhere is in order."""

import random
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from portal_client import keyring
from portal_client import statements as checking

from accounts.models import BillingAccount, User
from billing import statement_csv, statement_pdf
from billing.ledger import refunds
from billing.ledger.holds import place
from billing.models import Invoice, Statement
from billing.services import invoicing, signing, statements
from billing.services.adjustments import adjust
from billing.services.modes import Asked, switch
from catalog import snapshot
from tests import price_lists
from tests.billing.ledger.conftest import at, hold, settle, wanted
from tests.billing.services.plans import account, profiles

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")

FEBRUARY, MARCH = datetime(2027, 2, 10, 12, tzinfo=UTC), datetime(2027, 3, 1, tzinfo=UTC)
Open = Callable[[], BillingAccount]


def _metered_and_back() -> BillingAccount:
    payer = account("toon", mode="metered")
    work(payer)
    at(FEBRUARY + timedelta(days=1))
    switch(payer.pk, Asked(mode="subscription", arranged=True))
    invoicing.mark_paid(Invoice.objects.get(account=payer).pk, reference="BANK-1", by=staff())
    return payer


CASES: dict[str, Open] = {
    "ads": lambda: account("ads"),
    "images": lambda: account("images"),
    "toon, a plan": lambda: account("toon", plan="pro"),
    "toon, pay-per-use": lambda: account("toon", mode="metered"),
    "toon, from one unit to the other": _metered_and_back,
    "sites": lambda: account("sites", plan="basic"),
    "gateway": lambda: account("gateway"),
}


def staff() -> User:
    return User.objects.get_or_create(email="staff@example.com", defaults={"is_staff": True})[0]


def work(payer: BillingAccount) -> None:
    """Work of amounts of every size, for less and for more than it held, given back, with names that mislead."""
    for micros, name in (
        (54_000, "=1+1"),
        (500_000, "'quoted'"),
        (61_000, 'Zoë\n\t“x”, "y"'),
        (1, "@"),
        (0, "free"),
    ):
        request = wanted(payer.pk, 0, settle_now=True, model="m-1", description=name, reference=f"-{micros}")
        request.amount = micros
        place([request])
    held = hold(payer.pk, 1, reference="+job")
    settle(held, 1)
    refunds.refund_charge(charge_id=held, micros=333_333, reason="Broken")


@pytest.fixture(params=CASES)
def statement(request: pytest.FixtureRequest) -> Statement:
    price_lists.load("ads", "images")
    snapshot.refresh()
    at(FEBRUARY)
    payer = CASES[request.param]()
    adjust(
        account_id=payer.pk, micros=5_000_000, reason="To have something to work with", staff=staff(), nonce=uuid.uuid4()
    )  # fmt: skip
    work(payer)
    at(MARCH)
    statements.seal_due()
    return Statement.objects.get(account=payer, month="2027-02-01")


def saved(statement: Statement, folder: Path) -> Path:
    file = folder / "statement.csv"
    file.write_bytes("".join(statement_csv.lines(statement)).encode())
    return file


def in_order(file: Path, keys: dict[str, bytes]) -> bool:
    try:
        report = checking.check(file, keys)
    except checking.Unreadable:
        return False
    return not report.wrong and not report.not_checked


@pytest.mark.slow
def test_it_is_in_order_until_a_single_character_is_another(statement: Statement, tmp_path: Path) -> None:
    keys = keyring.read({"keys": signing.listed()})
    file = saved(statement, tmp_path)
    assert in_order(file, keys), checking.check(file, keys).wrong
    text, dice = file.read_bytes().decode(), random.Random(3)
    places = [place for place, letter in enumerate(text) if letter.isascii() and letter.isalnum()]
    for place_ in dice.sample(places, 150):
        other = "7" if text[place_] != "7" else "8"
        file.write_bytes((text[:place_] + other + text[place_ + 1 :]).encode())
        assert not in_order(file, keys), text[max(0, place_ - 30) : place_ + 30]


def test_a_row_less_or_twice_or_moved_is_not_in_order(statement: Statement, tmp_path: Path) -> None:
    keys = keyring.read({"keys": signing.listed()})
    file = saved(statement, tmp_path)
    lines = file.read_bytes().decode().split("\r\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("number,")) + 1
    for other in (
        lines[:first] + lines[first + 1 :],
        [*lines[: first + 1], lines[first], *lines[first + 1 :]],
        [*lines[:first], lines[first + 1], lines[first], *lines[first + 2 :]],
    ):
        file.write_bytes("\r\n".join(other).encode())
        assert not in_order(file, keys)


def test_its_pdf_is_made_and_says_that_the_csv_is_what_can_be_checked(
    statement: Statement, tmp_path: Path
) -> None:
    file = tmp_path / "statement.pdf"
    file.write_bytes(statement_pdf.render(statement, "Portal", "en"))
    assert file.read_bytes().startswith(b"%PDF")
    with pytest.raises(checking.Unreadable, match="not its PDF"):
        checking.check(file, {})
