"""Usage by day: folded days and what came since are the ledger, whatever was posted and folded, and whenever."""

import io
import random
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections

from billing.ledger import refunds, units, usage_days
from billing.ledger.holds import FinishRequest, finish, place
from billing.ledger.models import Transaction
from billing.ledger.usage_days import UsageDay, UsageFold
from billing.selectors import transactions
from config.ids import public_id
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, settle, wanted

START: Final = datetime(2026, 3, 28, 22, 0, tzinfo=UTC)
KEYS: Final = (None, uuid.UUID(int=1), uuid.UUID(int=2))
MODELS: Final = ("flux", "veo", "seedream")
OPERATIONS: Final = ("generate", "upscale")

READ: Final = """
SELECT day, kind, model, operation, api_key_id::text, sum(count)::bigint, sum(amount)::bigint
  FROM ledger_days(%s, %s, %s) GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
RAW: Final = """
SELECT (t.created_at AT TIME ZONE 'UTC')::date, t.kind, t.model, coalesce(c.operation, ''), t.api_key_id::text,
       count(*), sum(t.amount)::bigint
  FROM ledger_transaction t LEFT JOIN ledger_charge c ON c.id = t.charge_id
 WHERE t.account_id = %s AND (t.created_at AT TIME ZONE 'UTC')::date >= %s AND (t.created_at AT TIME ZONE 'UTC')::date < %s
 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
EVER: Final = (date(2000, 1, 1), date(2100, 1, 1))


def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def both(account_id: uuid.UUID, since: date = EVER[0], until: date = EVER[1]) -> tuple[list[Any], list[Any]]:
    """The days as they are read, and as the ledger says."""
    return ask(READ, account_id, since, until), ask(RAW, account_id, since, until)


class Life:
    """An account to which random things happen; the same seed gives the same life."""

    def __init__(self, account_id: uuid.UUID, seed: int) -> None:
        self.account, self.chance = account_id, random.Random(seed)
        self.moment = START
        self.held: list[uuid.UUID] = []
        self.settled: list[uuid.UUID] = []

    def step(self) -> None:
        self.moment += timedelta(minutes=self.chance.randint(0, 400))
        at(self.moment)
        act: Callable[[], None] = self.chance.choice(
            [self.place, self.place, self.place, self.settle, self.settle, self.void, self.refund, self.give]
        )
        act()

    def place(self) -> None:
        requests = [
            wanted(
                self.account,
                self.chance.randint(1, 9),
                model=self.chance.choice(MODELS),
                operation=self.chance.choice(OPERATIONS),
                api_key=None,
                settle_now=self.chance.random() < 0.4,
            )
            for _ in range(self.chance.randint(1, 4))
        ]
        for request, outcome in zip(requests, place(requests), strict=True):
            if outcome["code"] in ("settled", "authorized"):
                (self.settled if outcome["code"] == "settled" else self.held).append(request.id)

    def settle(self) -> None:
        if self.held:
            charge_id = self.held.pop()
            settle(charge_id, self.chance.randint(0, 9))
            self.settled.append(charge_id)

    def void(self) -> None:
        if self.held:
            finish([FinishRequest(id=self.held.pop(0), action="void")])

    def refund(self) -> None:
        if self.settled:
            charge_id = self.settled.pop(self.chance.randrange(len(self.settled)))
            refunds.refund_charge(charge_id=charge_id, micros=None, reason="Black picture")

    def give(self) -> None:
        give(self.account, self.chance.randint(1, 50))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_days_and_what_came_since_are_the_ledger_at_every_moment(
    open_account: OpenAccount, seed: int
) -> None:
    at(START)
    account_id = open_account(100)
    life = Life(account_id, seed)
    for number in range(60):
        life.step()
        if life.chance.random() < 0.3:
            usage_days.fold(account_id, most=life.chance.choice([1, 2, 3, 1000]))
        if number % 6 == 5:
            since = START.date() + timedelta(days=life.chance.randint(0, 9))
            for read, ledger in (both(account_id), both(account_id, since, since + timedelta(days=3))):
                assert read == ledger
    assert ask(usage_days.DIFFERENT_SQL) == []
    assert len(ask(RAW, account_id, *EVER)) > 5


def test_a_day_ends_at_midnight_utc(open_account: OpenAccount) -> None:
    at(START)
    account_id = open_account(100)
    for moment in (datetime(2026, 3, 29, 23, 59, 59, 999999, UTC), datetime(2026, 3, 30, tzinfo=UTC)):
        at(moment)
        hold(account_id, 5, settle_now=True)
    usage_days.fold(account_id)
    days = UsageDay.objects.filter(account_id=account_id, kind="usage").values_list("day", "amount")
    assert list(days.order_by("day")) == [
        (date(2026, 3, 29), -5 * CREDIT),
        (date(2026, 3, 30), -5 * CREDIT),
    ]


def test_transactions_of_a_day_lie_between_its_first_and_last_number(open_account: OpenAccount) -> None:
    account_id = open_account(100)
    for model in ("flux", "veo", "flux"):
        hold(account_id, 1, settle_now=True, model=model)
        usage_days.fold(account_id)
    found = UsageDay.objects.filter(account_id=account_id).values_list(
        "model", "first_seq", "last_seq", "count"
    )
    assert sorted(found) == [("", 1, 1, 1), ("flux", 2, 4, 2), ("veo", 3, 3, 1)]


def test_folding_again_changes_nothing(open_account: OpenAccount) -> None:
    account_id = open_account(10)
    hold(account_id, 1, settle_now=True)
    assert usage_days.fold(account_id) == 2
    assert usage_days.fold(account_id) == 0
    assert usage_days.fold_all() == 0


def test_only_accounts_that_moved_are_folded(open_account: OpenAccount) -> None:
    still, busy = open_account(10), open_account(10)
    usage_days.fold_all()
    hold(busy, 1, settle_now=True)
    assert usage_days.fold_all() == 1
    assert dict(UsageFold.objects.values_list("account_id", "seq")) == {still: 1, busy: 2}


def test_a_wrong_day_is_found_and_a_rebuild_repairs_it(open_account: OpenAccount) -> None:
    account_id = open_account(10)
    hold(account_id, 1, settle_now=True)
    usage_days.fold(account_id)
    UsageDay.objects.filter(account_id=account_id, kind="usage").update(amount=-7)
    assert len(ask(usage_days.DIFFERENT_SQL)) == 1
    assert usage_days.rebuild(account_id) == 2
    assert ask(usage_days.DIFFERENT_SQL) == []
    UsageDay.objects.filter(account_id=account_id, kind="usage").delete()
    assert len(ask(usage_days.DIFFERENT_SQL)) == 1


def test_an_account_nobody_folded_yet_reads_the_same(open_account: OpenAccount) -> None:
    account_id = open_account(10)
    hold(account_id, 1, settle_now=True)
    read, ledger = both(account_id)
    assert read == ledger
    assert not UsageFold.objects.filter(account_id=account_id).exists()


@pytest.mark.django_db(transaction=True)
def test_readers_see_the_ledger_while_others_post_and_fold(open_account: OpenAccount) -> None:
    """Two threads charge, two fold, and every read of both sums in one statement finds them equal."""
    account_id = open_account(10_000)
    done = threading.Event()
    failures: list[str] = []

    def work(act: Callable[[], object]) -> None:
        try:
            while not done.is_set():
                act()
        except Exception as error:
            failures.append(repr(error))
        finally:
            connections.close_all()

    charge = lambda: hold(account_id, 1, settle_now=True)  # noqa: E731 - named for the list below
    fold = lambda: usage_days.fold(account_id, most=7)  # noqa: E731
    threads = [threading.Thread(target=work, args=(act,)) for act in (charge, charge, fold, fold)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(150):
            read, ledger = ask(
                "SELECT (SELECT (sum(count), sum(amount))::text FROM ledger_days(%s, '-infinity', 'infinity')),"
                " (SELECT (count(*), sum(amount))::text FROM ledger_transaction WHERE account_id = %s)",
                account_id,
                account_id,
            )[0]
            assert read == ledger
    finally:
        done.set()
        for thread in threads:
            thread.join()
    usage_days.fold_all()
    assert failures == []
    assert ask(usage_days.DIFFERENT_SQL) == []
    assert UsageFold.objects.get(account_id=account_id).seq > 20


def test_the_command_folds_one_account_all_of_them_or_everything_again(open_account: OpenAccount) -> None:
    account_id, other = open_account(10), open_account(10)
    told = io.StringIO()
    for options in (
        ["--account", public_id("acct", account_id)],
        [],
        ["--rebuild", "--json"],
    ):
        call_command("fold_usage", *options, stdout=told)
    assert told.getvalue().splitlines() == [
        "1 transactions folded.",
        "1 transactions folded.",
        '{"folded": 2}',
    ]
    assert UsageFold.objects.get(account_id=other).seq == 1
    with pytest.raises(CommandError, match="There is no account acct_7"):
        call_command("fold_usage", "--account", "acct_7", stdout=told)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_found_by_days_is_what_a_look_at_every_row_finds(
    open_account: OpenAccount, seed: int
) -> None:
    at(START)
    account_id = open_account(100)
    life = Life(account_id, seed)
    for _ in range(60):
        life.step()
        if life.chance.random() < 0.2:
            usage_days.fold(account_id, most=life.chance.choice([2, 1000]))
    rows = list(Transaction.objects.filter(account_id=account_id).order_by("-seq"))
    for _ in range(30):
        model = life.chance.choice(["", *MODELS])
        kinds = life.chance.choice([(), ("usage",), ("refund", "topup")])
        below, oldest = sorted((life.chance.randint(1, len(rows) + 1) for _ in range(2)), reverse=True)
        most = life.chance.choice([1, 3, 50])
        expected = [
            row.seq
            for row in rows
            if oldest <= row.seq < below and model in ("", row.model) and (not kinds or row.kind in kinds)
        ]
        found = transactions.find(account_id, below, oldest, model=model, kinds=kinds, most=most)
        assert [row.seq for row in found] == expected[:most]


@pytest.mark.parametrize("folded", [False, True])
def test_what_was_counted_in_another_unit_is_not_added_to_this_one(
    open_account: OpenAccount, folded: bool
) -> None:
    account = open_account(10)
    settle(hold(account, 10), 10)
    units.change(account, "USD")
    give(account, 3)
    settle(hold(account, 2), 2)
    if folded:
        usage_days.fold_up(account)
    sums = "SELECT sum(amount)::bigint FROM ledger_days(%s, %s, %s, {}) WHERE kind = 'usage'"
    assert ask(sums.format("NULL"), account, *EVER) == [(-2 * CREDIT,)]
    assert ask(sums.format("'credit'"), account, *EVER) == [(-10 * CREDIT,)]
    assert ask(usage_days.DIFFERENT_SQL) == []
