"""Settling, voiding and expiring holds: each ends once, at what it cost."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from billing.ledger import balances, grants
from billing.ledger.holds import FinishRequest, finish
from billing.ledger.models import Charge, Grant, Transaction
from billing.services import charges
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, settle, standing, void


@pytest.mark.parametrize(
    ("credits", "held", "cost", "taken", "uncollected", "after"),
    [
        (10, 4, 4, 4, 0, (6, 0, 6)),
        (10, 4, 3, 3, 0, (7, 0, 7)),
        (10, 4, 0, 0, 0, (10, 0, 10)),
        (10, 4, 9, 9, 0, (1, 0, 1)),
        (10, 4, 15, 10, 5, (0, 0, 0)),
    ],
)
def test_settling_takes_the_cost_and_returns_the_rest(
    open_account: OpenAccount,
    credits: int,
    held: int,
    cost: int,
    taken: int,
    uncollected: int,
    after: tuple[int, ...],
) -> None:
    account = open_account(credits)
    outcome = settle(hold(account, held), cost)
    assert (outcome["cost"], outcome["uncollected"]) == (taken * CREDIT, uncollected * CREDIT)
    assert standing(account) == after


def test_a_cost_above_the_hold_leaves_other_holds_alone(open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 5)
    assert settle(hold(account, 4), 8)["cost"] == 5 * CREDIT
    assert standing(account) == (5, 5, 0)


def test_voiding_charges_nothing(open_account: OpenAccount) -> None:
    account = open_account(10)
    assert void(hold(account, 4))["code"] == "voided"
    assert standing(account) == (10, 0, 10)
    assert not Transaction.objects.filter(kind="usage").exists()


@pytest.mark.parametrize(
    ("first", "then", "code"),
    [
        (("settle", 3), ("settle", 3), "already"),
        (("settle", 3), ("settle", 4), "invalid_state"),
        (("settle", 3), ("void", None), "invalid_state"),
        (("void", None), ("void", None), "already"),
        (("void", None), ("settle", 3), "invalid_state"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_a_hold_ends_once(
    open_account: OpenAccount,
    first: tuple[str, int | None],
    then: tuple[str, int | None],
    code: str,
    together: bool,
) -> None:
    charge = hold(open_account(10), 4)
    ends = [
        FinishRequest(id=charge, action=action, cost=cost and cost * CREDIT) for action, cost in (first, then)
    ]
    outcomes = finish(ends) if together else finish(ends[:1]) + finish(ends[1:])
    assert outcomes[1]["code"] == code


def test_a_hold_expires_only_after_its_time(open_account: OpenAccount) -> None:
    account = open_account(10)
    charge = hold(account, 4, ttl=60)
    assert finish([FinishRequest(id=charge, action="expire")])[0]["code"] == "invalid_state"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.now', (now() + interval '61 seconds')::text, true)")
    assert finish([FinishRequest(id=charge, action="expire")])[0]["code"] == "voided"
    assert standing(account) == (10, 0, 10)


def test_what_came_off_a_hold_no_longer_counts_against_the_limit(open_account: OpenAccount) -> None:
    account = open_account(100)
    balances.set_spend_limit(account, 10 * CREDIT)
    settle(hold(account, 8), 3)
    void(hold(account, 7))
    assert balances.of(account).spent == 3 * CREDIT
    hold(account, 7)


def test_credits_lapse_at_the_moment_of_spending_and_are_posted_later(open_account: OpenAccount) -> None:
    account, expiry = open_account(5), datetime.now(UTC) + timedelta(days=1)
    give(account, 7, expires_at=expiry)
    at(expiry - timedelta(microseconds=1))
    assert standing(account) == (12, 0, 12)
    at(expiry)
    assert standing(account) == (5, 0, 5)
    assert grants.expire(account) == 7 * CREDIT
    assert grants.expire(account) == 0
    assert Transaction.objects.get(kind="expiry").amount == -7 * CREDIT
    assert standing(account) == (5, 0, 5)


def test_a_hold_keeps_the_credits_it_stood_on_when_they_lapse(open_account: OpenAccount) -> None:
    account, expiry = open_account(5), datetime.now(UTC) + timedelta(days=1)
    give(account, 7, expires_at=expiry)
    early = hold(account, 6, ttl=200_000)
    at(expiry)
    late = hold(account, 5)
    assert Transaction.objects.get(kind="expiry").amount == -1 * CREDIT
    settle(late, 5)
    assert Grant.objects.get(expires_at=None).remaining == 0
    assert settle(early, 6)["cost"] == 6 * CREDIT
    assert standing(account) == (0, 0, 0)


def test_what_a_voided_hold_stood_on_has_lapsed(open_account: OpenAccount) -> None:
    account, expiry = open_account(5), datetime.now(UTC) + timedelta(days=1)
    give(account, 7, expires_at=expiry)
    early = hold(account, 6, ttl=200_000)
    at(expiry)
    void(early)
    assert standing(account) == (5, 0, 5)


def test_the_charge_keeps_what_it_cost_and_where_it_ran(open_account: OpenAccount) -> None:
    charge = hold(open_account(10), 4)
    lines = [{"what": "Image", "quantity": "1", "unit_price": "3", "amount": "3"}]
    settle(charge, 3, routing={"provider": "p"}, lines=lines, outputs={"count": 1})
    kept = Charge.objects.get(pk=charge)
    assert (kept.routing, kept.cost_lines, kept.outputs) == ({"provider": "p"}, lines, {"count": 1})


def test_every_hold_whose_time_is_over_is_given_back(open_account: OpenAccount) -> None:
    account = open_account(10)
    for _ in range(5):
        hold(account, 1, ttl=60)
    hold(account, 1, ttl=600)
    at(datetime.now(UTC) + timedelta(seconds=61))
    assert charges.expire_all_due(batch=2) == 5
    assert standing(account) == (10, 1, 9)
