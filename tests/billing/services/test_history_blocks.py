"""Blocks of a long history find the same as reading all of it, and what is in none yet is read row by row."""

import random
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.ledger import clock
from billing.ledger.models import Charge, Transaction
from billing.models import ChargeBlock, HistoryBlock
from billing.selectors import as_of
from billing.services import history_blocks, reconciliation
from billing.services.reconciliation.derived import blocks_match
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, open_account, settle, void

__all__ = ["open_account"]

WIDTH = 4


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of four; charges are old enough at once."""
    for model in (HistoryBlock, ChargeBlock):
        monkeypatch.setattr(model, "WIDTH", WIDTH)
    monkeypatch.setattr(history_blocks, "SETTLED_AFTER", timedelta(hours=-1))
    monkeypatch.setattr(history_blocks, "MOST", 2)


def worked(account: uuid.UUID, times: int, seed: int = 7) -> list[datetime]:
    """So many pieces of work that overlap, each at its own instant; the instants at which something changed."""
    dice, running, instants = random.Random(seed), [], []
    moment = datetime.fromisoformat("2027-03-01T10:00:00Z")
    for _ in range(times):
        moment += timedelta(seconds=1)
        at(moment)
        running.append(hold(account, dice.randint(1, 6), ttl=10**6))
        while len(running) > dice.randint(0, 3):
            ended = running.pop(dice.randrange(len(running)))
            moment += timedelta(seconds=1)
            at(moment)
            settle(ended, dice.randint(1, 6)) if dice.random() < 0.7 else void(ended)
        instants.append(moment)
    return instants


def held_then(account: uuid.UUID, moment: datetime) -> tuple[int, int]:
    """The plain way: every charge is looked at."""
    amounts = [
        charge.amount
        for charge in Charge.objects.filter(account_id=account)
        if charge.authorized_at <= moment and (charge.finished_at is None or charge.finished_at > moment)
    ]
    return sum(amounts), len(amounts)


def largest_between(account: uuid.UUID, first: int, last: int, most: int) -> list[int]:
    rows = Transaction.objects.filter(account_id=account, seq__gte=first, seq__lte=last)
    return [row.seq for row in sorted(rows, key=lambda row: (abs(row.amount), row.seq), reverse=True)][:most]


@pytest.mark.slow
@pytest.mark.parametrize("kept_up", ["never", "half way", "at the end"])
def test_what_was_held_at_any_instant_is_what_all_charges_say(
    open_account: OpenAccount, kept_up: str
) -> None:
    account = open_account(1000)
    instants = worked(account, 30)
    if kept_up == "half way":
        history_blocks.keep_up()
    instants += worked(account, 30, seed=8)
    if kept_up == "at the end":
        history_blocks.keep_up()
    for moment in [*instants, instants[0] - timedelta(days=1), instants[-1] + timedelta(days=1)]:
        for instant in (moment - timedelta(microseconds=1), moment):
            found = as_of.standing(account, instant)
            assert (found.held, found.holds) == held_then(account, instant)
    assert ChargeBlock.objects.exists() is (kept_up != "never")


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("most", [1, 3, 50])
def test_the_largest_movements_are_those_of_the_whole_history(
    open_account: OpenAccount, most: int, blocks: bool
) -> None:
    account = open_account(1000)
    worked(account, 40)
    give(account, 5)
    if blocks:
        history_blocks.keep_up()
        assert HistoryBlock.objects.count() == Transaction.objects.count() // WIDTH
    last = Transaction.objects.filter(account_id=account).count()
    for first in range(1, last + 1):
        for until in range(first - 1, last + 1):
            found = [row.seq for row in as_of.largest(account, first, until, most)]
            assert found == largest_between(account, first, until, most), (first, until)


def test_a_long_history_is_not_read_whole(open_account: OpenAccount) -> None:
    account = open_account(1000)
    instants = worked(account, 60)
    history_blocks.keep_up()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ANALYZE ledger_charge, ledger_transaction, billing_chargeblock")
    with CaptureQueriesContext(connection) as asked:
        as_of.changes(account, instants[10], instants[50])
    held, _, largest = [query["sql"] for query in asked if "AS span" in query["sql"]]
    assert read(held) < 3 * WIDTH
    assert read(largest) <= 12 * WIDTH


def read(sql: str) -> int:
    """How many rows of the big tables a query reads."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)
        return rows_of(cursor.fetchone()[0][0]["Plan"])


def rows_of(plan: dict[str, Any]) -> int:
    own = 0
    if plan.get("Relation Name") in ("ledger_charge", "ledger_transaction"):
        removed = sum(plan.get(f"Rows Removed by {what}", 0) for what in ("Filter", "Index Recheck"))
        own = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    return int(own) + sum(rows_of(below) for below in plan.get("Plans", []))


def test_a_block_with_open_work_is_closed_when_it_has_ended(open_account: OpenAccount) -> None:
    account = open_account(100)
    first, *others = [hold(account, 1) for _ in range(WIDTH)]
    for charge in others:
        settle(charge, 1)
    history_blocks.keep_up()
    assert ChargeBlock.objects.get().until is None
    settle(first, 1)
    history_blocks.keep_up()
    assert ChargeBlock.objects.get().until == Charge.objects.get(pk=first).finished_at


def test_charges_that_an_earlier_one_may_still_join_are_in_no_block(
    open_account: OpenAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = open_account(100)
    for _ in range(2 * WIDTH):
        settle(hold(account, 1), 1)
    monkeypatch.setattr(history_blocks, "SETTLED_AFTER", timedelta(hours=1))
    history_blocks.keep_up()
    assert not ChargeBlock.objects.exists()
    assert HistoryBlock.objects.count() == 2


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE billing_historyblock SET largest = largest + 1",
        "UPDATE billing_chargeblock SET until = until - interval '1 second'",
        "UPDATE billing_chargeblock SET since = since + interval '1 second'",
        "UPDATE billing_chargeblock SET last_id = first_id",
    ],
)
def test_a_block_that_is_not_what_the_ledger_says_is_found_and_made_anew(
    open_account: OpenAccount, sql: str
) -> None:
    account = open_account(1000)
    worked(account, 20)
    history_blocks.keep_up()
    assert "blocks_match" not in broken()
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert "blocks_match" in broken()
    history_blocks.forget(account)
    history_blocks.keep_up()
    assert "blocks_match" not in broken()
    assert as_of.standing(account, clock.now()).balance <= 1000 * CREDIT


def broken() -> set[str]:
    return {finding.name for finding in reconciliation.run((blocks_match(WIDTH),)) if finding.breaches}
