"""Many at once on real connections: no limit is passed together, and nothing is said twice."""

from collections import Counter
from typing import Any

import pytest
from django.core import mail

from accounts.keys import create_key
from accounts.models import ApiKey, BillingAccount
from billing import outbox, tasks
from billing.ledger import balances, grants, key_limits, refunds
from billing.ledger.holds import FinishRequest, Outcome, PlaceRequest, finish, place
from billing.models import Notice, OutboxMessage, Payment
from billing.services import auto_recharge, charges, limit_notices, limits
from tests.billing.paying import CREDIT, OK, dollars, order, save_card
from tests.billing.services.test_recharge_races import at_once
from tests.stripe_simulator.fixtures import Simulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def key(account: BillingAccount) -> ApiKey:
    """A key of an account with 1,050 credits."""
    grants.add(
        account_id=account.pk,
        micros=1000 * CREDIT,
        source="topup",
        kind="topup",
        description="Top-up",
        key="test:many",
    )
    return create_key(account=account, name="Production")[0]


def wanted(key: ApiKey, credits: int, **fields: Any) -> PlaceRequest:
    assert key.account_id is not None
    return PlaceRequest(
        account=key.account_id,
        amount=credits * CREDIT,
        model="static",
        operation="generate",
        description="Work",
        ttl=600,
        api_key=key.pk,
        **fields,
    )


def limit(key: ApiKey, monthly: int | None, budget: int | None) -> None:
    assert key.account_id is not None
    key_limits.set_limit(
        api_key_id=key.pk,
        account_id=key.account_id,
        monthly=None if monthly is None else monthly * CREDIT,
        budget=None if budget is None else budget * CREDIT,
    )


def counter(key: ApiKey) -> tuple[int, int]:
    """What the key's limits have counted, month and total, in credits."""
    assert key.account_id is not None
    row = key_limits.of(key.account_id)[key.pk]
    return row.month_accepted // CREDIT, row.accepted // CREDIT


@pytest.mark.parametrize(("monthly", "budget"), [(52, None), (None, 52), (60, 52), (52, 60)])
@pytest.mark.parametrize("settle_now", [True, False])
def test_one_key_never_passes_its_limit(
    key: ApiKey, monthly: int | None, budget: int | None, settle_now: bool
) -> None:
    limit(key, monthly, budget)
    codes = Counter(at_once(24, lambda: str(place([wanted(key, 5, settle_now=settle_now)])[0]["code"])))
    assert codes == {"settled" if settle_now else "authorized": 10, "key_limit_reached": 14}
    assert counter(key) == (50, 50)


def test_the_control_that_looks_first_and_places_then_passes_it(key: ApiKey) -> None:
    """Without the decision inside the ledger's call the same requests overshoot."""
    assert key.account_id is not None
    limit(key, 1000, None)

    def look_then_place() -> str:
        if counter(key)[0] + 5 > 52:
            return "key_limit_reached"
        return str(place([wanted(key, 5)])[0]["code"])

    at_once(24, look_then_place)
    assert counter(key)[0] > 52


def test_batches_voids_and_refunds_beside_each_other_keep_the_count(key: ApiKey) -> None:
    limit(key, 100, 100)

    def work() -> int:
        placed: list[Outcome] = place([wanted(key, 5) for _ in range(3)])
        taken = [outcome for outcome in placed if outcome["code"] == "authorized"]
        ends = ("settle", "void", "settle")
        for outcome, action in zip(taken, ends, strict=False):
            finish(
                [
                    FinishRequest(
                        id=outcome["id"], action=action, cost=2 * CREDIT if action == "settle" else None
                    )
                ]
            )
        if len(taken) == 3:
            refunds.refund_charge(charge_id=taken[2]["id"], micros=None, reason="Failed")
        return len(taken)

    taken = at_once(12, work)
    spent = sum(2 for count in taken if count > 0)
    assert counter(key) == (spent, spent)
    assert spent <= 100


def test_a_limit_lowered_meanwhile_counts_what_was_spent(key: ApiKey) -> None:
    """Setting a first limit takes the account's lock, so no charge slips between the sum and the limit."""
    steps = iter([None] * 4 + [limit] + [None] * 15)

    def work() -> str:
        step = next(steps)
        if step is not None:
            step(key, 20, None)
            return "limited"
        return str(place([wanted(key, 5, settle_now=True)])[0]["code"])

    codes = Counter(at_once(20, work))
    assert counter(key)[0] == 5 * codes["settled"]
    assert str(place([wanted(key, 5)])[0]["code"]) == (
        "key_limit_reached" if codes["settled"] >= 4 else "authorized"
    )


def test_the_month_s_limit_is_not_passed_and_each_level_is_said_once(key: ApiKey) -> None:
    account_id = key.account_id
    assert account_id is not None
    limits.set_spending_limit(account_id, 100 * CREDIT)

    def work() -> str:
        request = wanted(key, 5, settle_now=True)
        code = str(charges.place(request)["code"])
        limit_notices.watch(account_id)
        if code == "spending_limit_reached":
            limit_notices.stopped(account_id, request.amount)
        tasks.sweep_notices()
        return code

    codes = Counter(at_once(30, work))
    assert codes == {"settled": 20, "spending_limit_reached": 10}
    assert balances.of(account_id).spent == 100 * CREDIT
    told = Counter(Notice.objects.values_list("kind", flat=True))
    assert told == {"limit_threshold": 3, "limit_stopped": 1}
    letters = OutboxMessage.objects.filter(kind__startswith="email.limit")
    assert 2 <= letters.count() <= 4
    at_once(8, outbox.relay)
    assert len(mail.outbox) == letters.count()


def test_what_sweeps_at_once_says_it_once(account: BillingAccount) -> None:
    limits.set_spending_limit(account.pk, 40 * CREDIT, mode="alert")
    request = PlaceRequest(
        account=account.pk,
        amount=35 * CREDIT,
        model="static",
        operation="generate",
        description="Work",
        ttl=600,
        settle_now=True,
    )
    assert place([request])[0]["code"] == "settled"
    at_once(12, tasks.sweep_notices)
    assert Counter(OutboxMessage.objects.values_list("kind", flat=True)) == {
        "email.limit_threshold": 1,
        "email.balance_low": 1,
    }


def test_recharges_at_once_stay_under_the_monthly_cap(
    account: BillingAccount, payments_at: Simulator
) -> None:
    """25 USD each, at most 75 a month, and 60 times 20 credits asked for: three payments and no fourth."""
    save_card(account, payments_at, OK)
    auto_recharge.configure(
        account=account, enabled=True, threshold=20 * CREDIT, amount=dollars("25"), monthly_cap=dollars("75")
    )

    codes: Counter[str] = Counter()
    for _ in range(4):
        codes += Counter(at_once(15, lambda: order(account)))
    assert set(codes) == {"settled", "insufficient_credits"}
    paid = Payment.objects.filter(account=account, purpose="auto_recharge", status="succeeded")
    assert sum(payment.cash_minor for payment in paid) == 7500
    assert not Payment.objects.exclude(status="succeeded").exists()
    assert codes["settled"] == (50 + 750) // 20
    assert OutboxMessage.objects.filter(kind="email.recharge_capped").count() == 1
    assert auto_recharge.of(account).charged_this_month == dollars("75")
    outbox.relay()
