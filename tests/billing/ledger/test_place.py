"""Placing holds: who gets one, who is refused, and that one call decides as many calls would."""

import uuid

import pytest

from accounts.keys import create_key, revoke
from accounts.models import BillingAccount
from billing.ledger import balances, grants
from billing.ledger.holds import place
from billing.ledger.models import Charge, Grant, GrantUse, Transaction
from tests.billing.ledger.conftest import CREDIT, OpenAccount, give, hold, standing, wanted


def test_a_hold_sets_aside_and_charges_nothing(open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 4)
    assert standing(account) == (10, 4, 6)
    assert Transaction.objects.filter(kind="usage").count() == 0


def test_work_priced_on_acceptance_is_charged_at_once(open_account: OpenAccount) -> None:
    account = open_account(10)
    charge = Charge.objects.get(pk=hold(account, 4, settle_now=True))
    assert (charge.status, charge.cost, standing(account)) == ("settled", 4 * CREDIT, (6, 0, 6))
    usage = Transaction.objects.get(charge=charge)
    assert (usage.amount, usage.balance_after, usage.seq) == (-4 * CREDIT, 6 * CREDIT, 2)
    assert [(line.ledger_account, line.amount) for line in usage.postings.order_by("line")] == [
        ("customer", -4 * CREDIT),
        ("revenue", 4 * CREDIT),
    ]


@pytest.mark.parametrize(
    ("credits", "asks", "codes"),
    [
        (10, [10], ["authorized"]),
        (10, [11], ["insufficient_credits"]),
        (10, [6, 6, 4], ["authorized", "insufficient_credits", "authorized"]),
        (10, [5, 5, 1], ["authorized", "authorized", "insufficient_credits"]),
        (0, [1], ["insufficient_credits"]),
        (0, [0], ["authorized"]),
    ],
)
def test_a_group_is_decided_in_arrival_order(
    open_account: OpenAccount, credits: int, asks: list[int], codes: list[str]
) -> None:
    account = open_account(credits)
    assert [outcome["code"] for outcome in place([wanted(account, ask) for ask in asks])] == codes


def test_one_account_running_dry_never_touches_its_neighbours(open_account: OpenAccount) -> None:
    poor, rich = open_account(1), open_account(100)
    asks = [wanted(rich, 10), wanted(poor, 5), wanted(uuid.uuid4(), 1), wanted(rich, 20)]
    assert [outcome["code"] for outcome in place(asks)] == [
        "authorized",
        "insufficient_credits",
        "not_found",
        "authorized",
    ]
    assert (standing(rich), standing(poor)) == ((100, 30, 70), (1, 0, 1))


@pytest.mark.parametrize(
    ("available", "needs", "amount", "code"),
    [(3, 5, 1, "model_unavailable"), (5, 5, 1, "authorized"), (3, 5, 4, "insufficient_credits")],
)
def test_a_balance_gate_opens_at_its_figure_and_yields_to_402(
    open_account: OpenAccount, available: int, needs: int, amount: int, code: str
) -> None:
    account = open_account(available)
    assert place([wanted(account, amount, needs=needs * CREDIT)])[0]["code"] == code


def test_a_credit_limit_lets_the_account_go_below_zero_and_no_further(open_account: OpenAccount) -> None:
    account = open_account(credit_limit=10)
    codes = [outcome["code"] for outcome in place([wanted(account, 7, settle_now=True), wanted(account, 4)])]
    assert codes == ["settled", "credit_limit_reached"]
    assert standing(account) == (-7, 0, 3)


def test_a_spending_limit_counts_what_was_accepted_this_month(open_account: OpenAccount) -> None:
    account = open_account(100)
    balances.set_spend_limit(account, 10 * CREDIT)
    codes = [outcome["code"] for outcome in place([wanted(account, ask) for ask in (6, 5, 4, 1)])]
    assert codes == ["authorized", "spending_limit_reached", "authorized", "spending_limit_reached"]


def test_a_recharge_is_asked_for_when_the_balance_is_below_and_only_where_allowed(
    open_account: OpenAccount,
) -> None:
    account = open_account(20)
    balances.set_recharge_rule(account, below=20 * CREDIT)
    assert place([wanted(account, 5, settle_now=True, recharge=True)])[0]["code"] == "settled"
    assert place([wanted(account, 5, recharge=True)])[0]["code"] == "recharge"
    assert place([wanted(account, 5, recharge=False)])[0]["code"] == "authorized"


def test_a_revoked_key_gets_no_hold_even_from_a_stale_cache(open_account: OpenAccount) -> None:
    account = open_account(10)
    key, _ = create_key(account=BillingAccount.objects.get(pk=account), name="k")
    revoke(key)
    assert place([wanted(account, 1, api_key=key.pk)])[0]["code"] == "unauthorized"


def test_the_same_idempotency_key_answers_the_same_and_holds_once(open_account: OpenAccount) -> None:
    account, service = open_account(10), uuid.uuid4()
    asks = [wanted(account, 4, owner=service, idem="a", hash="h") for _ in range(3)]
    first, second, third = place(asks[:2]) + place(asks[2:])
    assert (second["id"], third["id"], second["replayed"], third["replayed"]) == (
        first["id"],
        first["id"],
        True,
        True,
    )
    assert standing(account) == (10, 4, 6)


def test_a_refusal_is_replayed_too_and_another_body_is_a_conflict(open_account: OpenAccount) -> None:
    account, service = open_account(1), uuid.uuid4()
    assert place([wanted(account, 4, owner=service, idem="a", hash="h")])[0]["code"] == "insufficient_credits"
    give(account, 10)
    again = place([wanted(account, 4, owner=service, idem="a", hash="h")])[0]
    other = place([wanted(account, 5, owner=service, idem="a", hash="other")])[0]
    assert (again["code"], again["replayed"], other["code"]) == (
        "insufficient_credits",
        True,
        "idempotency_conflict",
    )


def test_a_request_sent_again_after_a_broken_connection_holds_once(open_account: OpenAccount) -> None:
    account = open_account(10)
    request = wanted(account, 4)
    assert [place([request])[0]["code"] for _ in range(2)] == ["authorized", "authorized"]
    assert standing(account) == (10, 4, 6)


def test_grants_burn_soonest_to_expire_first_then_given_before_bought(open_account: OpenAccount) -> None:
    from datetime import UTC, datetime, timedelta

    account, soon = open_account(), datetime.now(UTC) + timedelta(days=1)
    give(account, 5, source="topup")
    give(account, 5, source="bonus", kind="bonus")
    give(account, 5, source="topup", expires_at=soon)
    hold(account, 12, settle_now=True)
    left = Grant.objects.order_by("id").values_list("source", "remaining")
    assert list(left) == [("topup", 3 * CREDIT), ("bonus", 0), ("topup", 0)]
    assert sum(use.amount for use in GrantUse.objects.all()) == 12 * CREDIT


def test_what_is_free_is_given_whatever_the_account_owes_or_spent(open_account: OpenAccount) -> None:
    account = open_account(10)
    hold(account, 10, settle_now=True)
    balances.set_spend_limit(account, 4 * CREDIT)
    grants.withdraw(
        account_id=account, micros=3 * CREDIT, kind="dispute", description="", key="d:1", allow_debt=True
    )
    assert place([wanted(account, 0, settle_now=True)])[0]["code"] == "settled"
    assert place([wanted(account, 1)])[0]["code"] != "authorized"


def test_no_card_is_charged_for_what_the_spending_limit_stops(open_account: OpenAccount) -> None:
    account = open_account(20)
    balances.set_recharge_rule(account, below=10 * CREDIT)
    balances.set_spend_limit(account, 15 * CREDIT)
    assert place([wanted(account, 30, recharge=True)])[0]["code"] == "spending_limit_reached"
    assert place([wanted(account, 15, settle_now=True, recharge=True)])[0]["code"] == "settled"
    assert place([wanted(account, 1, recharge=True)])[0]["code"] == "spending_limit_reached"
