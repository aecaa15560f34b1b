"""Limits the ledger's call decides: of a single key, and how many of something a plan includes."""

import random
import uuid
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.db import connection
from django.utils import timezone

from accounts.keys import create_key, rotate
from accounts.models import ApiKey, BillingAccount
from billing.ledger import key_limits, refunds
from billing.ledger.holds import Outcome, PlaceRequest, place
from billing.ledger.models import Balance, Charge, KeyLimit
from billing.services import periods, reconciliation
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, hold, settle, void, wanted


def key_of(account: uuid.UUID) -> uuid.UUID:
    return create_key(account=BillingAccount.objects.get(pk=account), name="k")[0].pk


def limit(account: uuid.UUID, key: uuid.UUID, monthly: int | None = None, budget: int | None = None) -> None:
    key_limits.set_limit(
        api_key_id=key,
        account_id=account,
        monthly=None if monthly is None else monthly * CREDIT,
        budget=None if budget is None else budget * CREDIT,
    )


def codes(outcomes: list[Outcome]) -> list[str]:
    return [outcome["code"] for outcome in outcomes]


def test_a_key_spends_its_monthly_limit_and_not_a_credit_more(open_account: OpenAccount) -> None:
    account = open_account(100)
    key, other = key_of(account), key_of(account)
    limit(account, key, monthly=10)
    asked = [wanted(account, amount, api_key=key) for amount in (6, 5, 4, 1)]
    assert codes(place([*asked, wanted(account, 50, api_key=other)])) == [
        "authorized", "key_limit_reached", "authorized", "key_limit_reached", "authorized",
    ]  # fmt: skip
    refused = place([wanted(account, 1, api_key=key)])[0]
    assert (refused["key_monthly"], refused["key_month"]) == (10 * CREDIT, 10 * CREDIT)


def test_what_comes_back_may_be_spent_again_by_the_key(open_account: OpenAccount) -> None:
    account = open_account(100)
    key = key_of(account)
    limit(account, key, budget=10)
    cheap, failed = hold(account, 6, api_key=key), hold(account, 4, api_key=key)
    settle(cheap, 2)
    void(failed)
    assert KeyLimit.objects.get(pk=key).accepted == 2 * CREDIT
    again = hold(account, 8, api_key=key)
    settle(again, 8)
    refunds.refund_charge(charge_id=again, micros=3 * CREDIT, reason="late")
    assert codes(place([wanted(account, 4, api_key=key), wanted(account, 3, api_key=key)])) == [
        "key_limit_reached",
        "authorized",
    ]


def test_a_new_month_opens_the_monthly_limit_but_not_the_budget(open_account: OpenAccount) -> None:
    account = open_account(100)
    key = key_of(account)
    at(datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC))
    limit(account, key, monthly=10, budget=15)
    late = hold(account, 10, api_key=key, ttl=10**6)
    at(datetime(2026, 2, 1, tzinfo=UTC))
    assert codes(place([wanted(account, 6, api_key=key), wanted(account, 5, api_key=key)])) == [
        "key_limit_reached",
        "authorized",
    ]
    void(late)
    assert codes(place([wanted(account, 6, api_key=key), wanted(account, 5, api_key=key)])) == [
        "key_limit_reached",
        "authorized",
    ]


def test_a_limit_counts_what_the_key_spent_before(open_account: OpenAccount) -> None:
    account = open_account(100)
    key = key_of(account)
    settle(hold(account, 6, api_key=key), 5)
    void(hold(account, 7, api_key=key))
    hold(account, 3, api_key=key)
    limit(account, key, monthly=10)
    assert codes(place([wanted(account, 3, api_key=key), wanted(account, 2, api_key=key)])) == [
        "key_limit_reached",
        "authorized",
    ]
    limit(account, key)
    assert key_limits.of(account) == {}
    assert codes(place([wanted(account, 50, api_key=key)])) == ["authorized"]


def test_which_period_counts_is_the_ledger_s_to_say(open_account: OpenAccount) -> None:
    account, anchor = open_account(100), datetime(2026, 1, 31, 12, tzinfo=UTC)
    second = datetime(2026, 2, 28, 12, tzinfo=UTC)
    at(second - timedelta(microseconds=1))
    assert codes(place([site(account, anchor) for _ in range(3)]))[-1] == "monthly_count_reached"
    at(second)
    assert codes(place([site(account, anchor) for _ in range(3)])) == [
        "authorized",
        "authorized",
        "monthly_count_reached",
    ]
    at(datetime(2026, 3, 31, 12, tzinfo=UTC) - timedelta(microseconds=1))
    assert codes(place([site(account, anchor)])) == ["monthly_count_reached"]


def test_periods_begin_in_the_database_as_they_do_in_the_pages(db: None) -> None:
    dice = random.Random(1)
    anchors = [datetime(2024, 1, day, dice.randrange(24), 30, tzinfo=UTC) for day in (1, 28, 29, 30, 31)]
    for anchor in [*anchors, datetime(2024, 2, 29, tzinfo=UTC)]:
        starts = [periods.period(anchor, number)[0] for number in range(30)]
        edges = [start + timedelta(microseconds=step) for start in starts for step in (-1, 0, 1)]
        moments = [*edges, *(anchor + timedelta(hours=dice.randrange(-9000, 30000)) for _ in range(100))]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT ledger_period_start(%s, m) FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS at (m, n)"
                " ORDER BY n",
                [anchor, moments],
            )
            found = [row[0] for row in cursor.fetchall()]
        assert found == [periods.period(anchor, periods.number_at(anchor, moment))[0] for moment in moments]


def rotated(key: uuid.UUID) -> uuid.UUID:
    return rotate(ApiKey.objects.get(pk=key))[0].pk


def test_a_key_and_those_that_replaced_it_spend_one_limit(open_account: OpenAccount) -> None:
    account = open_account(100)
    first = key_of(account)
    early = hold(account, 2, api_key=first)
    limit(account, first, monthly=10, budget=12)
    second = rotated(first)
    both = [wanted(account, 4, api_key=key) for key in (first, second, first)]
    assert codes(place(both)) == ["authorized", "authorized", "key_limit_reached"]
    assert codes(place([wanted(account, 1, api_key=second)])) == ["key_limit_reached"]
    settle(early, 1)
    third = rotated(second)
    assert codes(place([wanted(account, 1, api_key=third)])) == ["authorized"]
    settled = hold(account, 0, api_key=third)
    void(settled)
    assert KeyLimit.objects.get().accepted == 10 * CREDIT
    assert {row.pk for row in key_limits.of(account).values()} == {first}
    assert set(key_limits.of(account)) == {first, second, third}


def test_work_of_the_old_key_comes_back_to_the_common_limit(open_account: OpenAccount) -> None:
    account = open_account(100)
    first = key_of(account)
    limit(account, first, budget=10)
    old_work = hold(account, 9, api_key=first)
    second = rotated(first)
    settle(old_work, 5)
    assert codes(place([wanted(account, 6, api_key=second)])) == ["key_limit_reached"]
    refunds.refund_charge(charge_id=old_work, micros=3 * CREDIT, reason="late")
    assert codes(place([wanted(account, 8, api_key=second), wanted(account, 1, api_key=first)])) == [
        "authorized",
        "key_limit_reached",
    ]


def test_a_limit_set_on_a_successor_counts_what_the_first_key_spent(open_account: OpenAccount) -> None:
    account = open_account(100)
    first, other = key_of(account), key_of(account)
    settle(hold(account, 6, api_key=first), 6)
    hold(account, 5, api_key=other)
    second = rotated(first)
    limit(account, second, monthly=10)
    assert KeyLimit.objects.get().pk == first
    assert codes(place([wanted(account, 5, api_key=second), wanted(account, 4, api_key=first)])) == [
        "key_limit_reached",
        "authorized",
    ]
    limit(account, first)
    assert key_limits.of(account) == {}


def test_limits_from_before_become_one_for_each_rotation(open_account: OpenAccount) -> None:
    account = open_account(100)
    first, other = key_of(account), key_of(account)
    settle(hold(account, 6, api_key=first), 6)
    second = rotated(first)
    settle(hold(account, 3, api_key=second), 3)
    for key, budget, accepted in ((first, 10, 6), (second, 12, 9), (other, 5, 1)):
        KeyLimit.objects.create(
            api_key_id=key, account_id=account, budget=budget * CREDIT, accepted=accepted * CREDIT
        )
    migration = import_module("billing.migrations.0010_keys_limited_together")
    with connection.cursor() as cursor:
        cursor.execute(migration.TOGETHER)
    rows = KeyLimit.objects.order_by("budget").values_list("api_key_id", "budget", "accepted")
    assert list(rows) == [(other, 5 * CREDIT, CREDIT), (first, 12 * CREDIT, 9 * CREDIT)]


def test_a_month_begins_at_midnight_utc_wherever_the_limit_is_set(open_account: OpenAccount) -> None:
    account = open_account(100)
    key = key_of(account)
    at(datetime(2026, 1, 31, 22, tzinfo=UTC))
    settle(hold(account, 6, api_key=key), 6)
    at(datetime(2026, 2, 1, 1, tzinfo=UTC))
    with timezone.override("Asia/Tokyo"):
        limit(account, key, monthly=10)
    assert KeyLimit.objects.get().month_accepted == 0
    assert codes(place([wanted(account, 10, api_key=key)])) == ["authorized"]


def site(account: uuid.UUID, since: datetime, most: int | None = 2) -> PlaceRequest:
    return wanted(account, 5, count_scope="site", count_limit=most, count_since=since)


def test_a_counted_item_is_refused_once_the_plan_s_number_is_used(open_account: OpenAccount) -> None:
    account, other = open_account(100), open_account(100)
    since = datetime.now(UTC) - timedelta(days=1)
    outcomes = place([site(account, since), site(other, since), site(account, since), site(account, since)])
    assert codes(outcomes) == ["authorized", "authorized", "authorized", "monthly_count_reached"]
    assert (outcomes[3]["count"], outcomes[3]["count_limit"]) == (2, 2)
    assert codes(place([site(account, since, 3), wanted(account, 5)])) == ["authorized", "authorized"]


@pytest.mark.parametrize("ending", ["void", "nothing delivered", "given back"])
def test_what_failed_does_not_count(open_account: OpenAccount, ending: str) -> None:
    account, since = open_account(100), datetime.now(UTC) - timedelta(days=1)
    first = uuid.UUID(place([site(account, since)])[0]["id"])
    settle(uuid.UUID(place([site(account, since)])[0]["id"]), 5)
    if ending == "void":
        void(first)
    elif ending == "nothing delivered":
        settle(first, 0)
    else:
        settle(first, 5)
        refunds.refund_charge(charge_id=first, micros=None, reason="broken")
    assert codes(place([site(account, since), site(account, since)])) == [
        "authorized",
        "monthly_count_reached",
    ]


def test_items_of_the_period_before_do_not_count(open_account: OpenAccount) -> None:
    account, start = open_account(100), datetime(2026, 3, 31, tzinfo=UTC)
    at(start - timedelta(microseconds=1))
    place([site(account, start - timedelta(days=28)), site(account, start - timedelta(days=28))])
    at(start)
    assert codes(place([site(account, start), site(account, start), site(account, start)])) == [
        "authorized",
        "authorized",
        "monthly_count_reached",
    ]


def test_a_clock_set_back_across_a_month_s_edge_starts_no_counter_anew(open_account: OpenAccount) -> None:
    """What is accepted while the clock is behind counts in the month that had begun, also once the clock is there again."""
    account = open_account(1000)
    Balance.objects.filter(pk=account).update(spend_limit=20 * CREDIT)
    key = key_of(account)
    limit(account, key, monthly=15)
    edge = datetime(2026, 2, 1, tzinfo=UTC)
    at(edge - timedelta(days=3))
    before = hold(account, 10, api_key=key, ttl=10**6)
    at(edge + timedelta(seconds=1))
    first, other = hold(account, 10, api_key=key), hold(account, 5)
    at(edge - timedelta(seconds=1))
    assert codes(place([wanted(account, 6), wanted(account, 6, api_key=key)])) == [
        "spending_limit_reached",
        "spending_limit_reached",
    ]
    behind = hold(account, 5, api_key=key)
    assert codes(place([wanted(account, 1)])) == ["spending_limit_reached"]
    settle(before, 8)
    settle(behind, 4)
    void(other)
    settle(first, 10)
    refunds.refund_charge(charge_id=first, micros=CREDIT, reason="late")
    assert counted(account, key) == (13, 13)
    assert Charge.objects.get(pk=behind).finished_at == edge
    at(edge + timedelta(minutes=1))
    assert codes(place([wanted(account, 8), wanted(account, 3, api_key=key)])) == [
        "spending_limit_reached",
        "key_limit_reached",
    ]
    hold(account, 2, api_key=key, settle_now=True)
    assert counted(account, key) == (15, 15)
    broken = {finding.name for finding in reconciliation.run() if finding.breaches}
    assert not broken & {"spending_counted", "key_limits_counted", "limits_kept", "charges_within_means"}


def counted(account: uuid.UUID, key: uuid.UUID) -> tuple[int, int]:
    """What the account's month and the key's month have come to, in whole credits."""
    row, of_key = Balance.objects.get(pk=account), KeyLimit.objects.get(pk=key)
    return row.spend_accepted // CREDIT, of_key.month_accepted // CREDIT
