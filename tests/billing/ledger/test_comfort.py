"""Comfortable balances: far above the threshold a hold waits for nobody, and the overshoot has a bound."""

import threading
import uuid
from collections.abc import Callable

import pytest
from django.db import connection, connections, transaction

from accounts.keys import create_key
from accounts.models import BillingAccount
from billing.ledger import balances, key_limits, post
from billing.ledger.holds import Outcome, place
from billing.ledger.models import Balance, UnfoldedHold
from billing.services import reconciliation
from tests.billing.ledger.conftest import CREDIT, OpenAccount, settle, standing, void, wanted

pytestmark = pytest.mark.django_db(transaction=True)


def asked(account: uuid.UUID, credits: int = 1) -> Outcome:
    return place([wanted(account, credits, relaxed=True)])[0]


def in_thread(call: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        try:
            call()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def account(open_account: OpenAccount) -> uuid.UUID:
    opened = open_account(100)
    balances.set_comfort(opened, above=50 * CREDIT, overshoot=32 * CREDIT)
    return opened


def test_a_comfortable_account_s_hold_waits_for_nobody(account: uuid.UUID) -> None:
    outcomes: list[Outcome] = []
    with transaction.atomic():
        post.lock(account)
        in_thread(lambda: outcomes.append(asked(account))).join(timeout=10)
        assert [outcome["code"] for outcome in outcomes] == ["authorized"]
    assert standing(account) == (100, 1, 99)


@pytest.mark.parametrize(
    ("credits", "above"), [(3, 50), (1, 100)], ids=["larger than a share", "below the threshold"]
)
def test_otherwise_it_waits_for_the_account_s_lock(account: uuid.UUID, credits: int, above: int) -> None:
    balances.set_comfort(account, above=above * CREDIT, overshoot=32 * CREDIT)
    outcomes: list[Outcome] = []
    with transaction.atomic():
        post.lock(account)
        waiting = in_thread(lambda: outcomes.append(asked(account, credits)))
        waiting.join(timeout=0.3)
        assert waiting.is_alive()
    waiting.join(timeout=10)
    assert [outcome["code"] for outcome in outcomes] == ["authorized"]
    assert not UnfoldedHold.objects.exists()


def test_holds_without_the_lock_count_from_the_next_look_on(account: uuid.UUID) -> None:
    first, second = (uuid.UUID(asked(account, 2)["id"]) for _ in range(2))
    assert asked(account, 2)["available"] == 94 * CREDIT
    assert standing(account) == (100, 6, 94)
    assert UnfoldedHold.objects.count() == 3
    settle(first, 1)
    void(second)
    assert not UnfoldedHold.objects.exists()
    assert standing(account) == (99, 2, 97)
    assert Balance.objects.get(pk=account).spend_accepted == 3 * CREDIT
    assert _clean()


def test_the_sweep_folds_what_nobody_else_did(account: uuid.UUID) -> None:
    asked(account, 2)
    assert balances.fold_holds() == 1
    assert Balance.objects.get(pk=account).held == 2 * CREDIT
    assert balances.fold_holds() == 0


def test_at_most_sixteen_calls_skip_the_lock_at_once_so_the_overshoot_is_bounded(account: uuid.UUID) -> None:
    """Every call stops just before its commit; meanwhile a locked request takes all that it can see."""
    asking, done = threading.Barrier(17), threading.Event()

    def unseen() -> None:
        with transaction.atomic():
            assert asked(account, 2)["code"] == "authorized"
            asking.wait(timeout=10)
            done.wait(timeout=10)

    threads = [in_thread(unseen) for _ in range(16)]
    asking.wait(timeout=10)
    late: list[Outcome] = []
    seventeenth = in_thread(lambda: late.append(asked(account, 2)))
    seventeenth.join(timeout=10)
    assert UnfoldedHold.objects.count() == 0, "it found no slot and took the lock"
    assert place([wanted(account, 98)])[0]["code"] == "authorized"
    done.set()
    for thread in threads:
        thread.join(timeout=10)
    assert standing(account) == (100, 132, -32)
    assert asked(account)["code"] == "insufficient_credits"
    assert Balance.objects.get(pk=account).overdraft == 32 * CREDIT
    assert _clean()


def test_a_limit_is_never_passed_unseen(account: uuid.UUID) -> None:
    balances.set_spend_limit(account, 3 * CREDIT)
    assert [asked(account, 2)["code"] for _ in range(2)] == ["authorized", "spending_limit_reached"]
    assert not UnfoldedHold.objects.exists()


def _clean() -> bool:
    with connection.cursor():
        return all(finding.breaches == 0 for finding in reconciliation.run())


def test_a_key_limited_while_a_hold_of_it_was_under_way_unseen_still_settles(account: uuid.UUID) -> None:
    key = create_key(account=BillingAccount.objects.get(pk=account), name="k")[0].pk
    placed, limited = threading.Event(), threading.Event()
    outcomes: list[Outcome] = []

    def unseen() -> None:
        with transaction.atomic():
            outcomes.extend(place([wanted(account, 2, relaxed=True, api_key=key)]))
            placed.set()
            limited.wait(timeout=10)

    thread = in_thread(unseen)
    placed.wait(timeout=10)
    key_limits.set_limit(api_key_id=key, account_id=account, monthly=5 * CREDIT, budget=None)
    limited.set()
    thread.join(timeout=10)
    assert settle(uuid.UUID(outcomes[0]["id"]), 1)["code"] == "settled"
    assert key_limits.of(account)[key].accepted == 0
