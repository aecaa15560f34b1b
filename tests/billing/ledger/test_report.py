"""Reports of phases: the hold shrinks, nothing is posted before the end, and each price knows every report."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from accounts.keys import create_key, create_service_key, revoke
from accounts.models import ApiKey, BillingAccount
from billing.ledger import balances, key_limits
from billing.ledger.holds import FinishRequest, Outcome, finish
from billing.ledger.models import Balance, Charge, Grant, IdempotencyRecord, KeyLimit, Transaction
from billing.ledger.reports import TIMED_OUT
from billing.services import charges, reconciliation
from tests.billing.ledger.conftest import CREDIT, OpenAccount, at, give, hold, settle, standing, void

HERO, VIDEO = {"hero": {"status": "succeeded"}}, {"video": {"status": "succeeded"}}
MONTH_END = datetime(2026, 1, 31, 23, 59, 50, tzinfo=UTC)


def request(
    charge: uuid.UUID, phases: dict[str, Any], cost: int, stays: int, known: int = 0, **fields: Any
) -> FinishRequest:
    return FinishRequest(
        id=charge,
        action="report",
        phases=phases,
        cost=cost * CREDIT,
        hold=stays * CREDIT,
        known=known,
        **fields,
    )


def report(
    charge: uuid.UUID, phases: dict[str, Any], cost: int, stays: int, known: int = 0, **fields: Any
) -> Outcome:
    return finish([request(charge, phases, cost, stays, known, **fields)])[0]


def sound() -> list[str]:
    return [finding.name for finding in reconciliation.run() if finding.breaches]


def test_a_report_gives_back_what_the_hold_needs_no_longer(open_account: OpenAccount) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    first = report(charge, HERO, 2, 7, routing={"provider": "p"})
    assert (first["code"], first["hold"], first["returned"]) == ("reported", 7 * CREDIT, 3 * CREDIT)
    assert (first["cost"], first["routing"]) == (2 * CREDIT, {"provider": "p"})
    assert standing(account) == (20, 7, 13)
    second = report(charge, VIDEO, 5, 9, known=1, routing={"executed_model": "m"})
    assert (second["hold"], second["returned"]) == (7 * CREDIT, 0), "a hold never grows"
    assert second["routing"] == {"provider": "p", "executed_model": "m"}
    assert not Transaction.objects.filter(kind="usage").exists()
    assert sound() == []
    settled = settle(charge, 5, known=2)
    assert (settled["code"], settled["cost"], settled["estimate"]) == ("settled", 5 * CREDIT, 10 * CREDIT)
    assert standing(account) == (15, 0, 15)
    assert Transaction.objects.get(kind="usage").amount == -5 * CREDIT
    assert Charge.objects.get(pk=charge).routing == {"provider": "p", "executed_model": "m"}
    assert sound() == []


def test_the_same_again_has_no_second_effect(open_account: OpenAccount) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    report(charge, HERO, 2, 7)
    report(charge, VIDEO, 4, 5, known=1)
    again = report(charge, HERO, 2, 7)
    assert (again["code"], again["returned"], again["hold"]) == ("repeated", 3 * CREDIT, 5 * CREDIT)
    assert again["cost"] == 4 * CREDIT
    assert len(Charge.objects.get(pk=charge).reports or ()) == 2
    assert standing(account) == (20, 5, 15)


@pytest.mark.parametrize("action", ["report", "settle"])
def test_something_else_of_a_reported_phase_is_refused(open_account: OpenAccount, action: str) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    report(charge, HERO, 2, 7)
    other = request(charge, {"hero": {"status": "failed"}, **VIDEO}, 0, 0, known=1)
    other.action = action
    outcome = finish([other])[0]
    assert (outcome["code"], outcome["phases"]) == ("reported_otherwise", ["hero"])
    assert standing(account) == (20, 7, 13)


@pytest.mark.parametrize("action", ["report", "settle"])
def test_a_price_made_without_a_report_is_not_taken(open_account: OpenAccount, action: str) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    report(charge, HERO, 2, 7)
    late = request(charge, VIDEO, 3, 4)
    late.action = action
    assert finish([late])[0]["code"] == "stale"
    assert standing(account) == (20, 7, 13)
    late.known = 1
    assert finish([late])[0]["code"] in ("reported", "settled")


def test_two_reports_in_one_call_are_decided_one_after_the_other(open_account: OpenAccount) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    outcomes = finish(
        [request(charge, HERO, 2, 7), request(charge, VIDEO, 3, 6), request(charge, HERO, 2, 7)]
    )
    assert [outcome["code"] for outcome in outcomes] == ["reported", "stale", "repeated"]
    assert standing(account) == (20, 7, 13)


def test_a_report_may_name_what_was_reported_beside_what_is_new(open_account: OpenAccount) -> None:
    charge = hold(open_account(20), 10)
    report(charge, HERO, 2, 7)
    assert report(charge, HERO | VIDEO, 4, 5, known=1)["code"] == "reported"
    kept = Charge.objects.get(pk=charge).reports or ()
    assert [list(one["phases"]) for one in kept] == [["hero"], ["video"]]


def test_a_hold_that_times_out_is_charged_at_what_was_reported(open_account: OpenAccount) -> None:
    account, moment = open_account(20), datetime.now(UTC)
    lines = [{"what": "Hero", "quantity": "1", "unit_price": "2", "amount": "2"}]
    charge, failed, silent = (hold(account, 5, ttl=60) for _ in range(3))
    report(charge, HERO, 2, 4, lines=lines, outputs={"phases": HERO})
    report(failed, {"hero": {"status": "failed"}}, 0, 3)
    assert charges.expire_all_due() == 0
    at(moment + timedelta(seconds=120))
    assert charges.expire_all_due() == 3
    assert standing(account) == (18, 0, 18)
    kept = Charge.objects.get(pk=charge)
    assert (kept.status, kept.cost, kept.reason) == ("settled", 2 * CREDIT, TIMED_OUT)
    assert (kept.cost_lines, kept.outputs) == (lines, {"phases": HERO})
    assert {Charge.objects.get(pk=one).status for one in (failed, silent)} == {"voided"}
    assert report(charge, VIDEO, 3, 3, known=1)["code"] == "invalid_state"
    assert settle(charge, 3, known=1)["code"] == "invalid_state"
    assert settle(charge, 2, known=1)["code"] == "already"
    assert sound() == []


def test_a_report_after_the_time_still_counts_while_nobody_ended_the_hold(open_account: OpenAccount) -> None:
    account, moment = open_account(20), datetime.now(UTC)
    charge = hold(account, 5, ttl=60)
    at(moment + timedelta(seconds=120))
    assert report(charge, HERO, 2, 4)["code"] == "reported"
    charges.expire_all_due()
    assert standing(account) == (18, 0, 18)


def test_what_timed_out_may_have_cost_more_than_is_there(open_account: OpenAccount) -> None:
    account, moment = open_account(5), datetime.now(UTC)
    charge = hold(account, 5, ttl=60)
    report(charge, HERO, 8, 9)
    at(moment + timedelta(seconds=120))
    charges.expire_all_due()
    kept = Charge.objects.get(pk=charge)
    assert (kept.cost, kept.uncollected) == (5 * CREDIT, 3 * CREDIT)
    assert sound() == []


def test_a_void_charges_nothing_of_what_was_reported(open_account: OpenAccount) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    report(charge, HERO, 2, 7)
    assert void(charge)["code"] == "voided"
    assert standing(account) == (20, 0, 20)
    assert report(charge, VIDEO, 4, 5, known=1)["code"] == "invalid_state"
    assert sound() == []


def test_what_a_report_gives_back_no_longer_counts_against_limits(open_account: OpenAccount) -> None:
    account = open_account(100)
    key = create_key(account=BillingAccount.objects.get(pk=account), name="k")[0].pk
    balances.set_spend_limit(account, 50 * CREDIT)
    key_limits.set_limit(api_key_id=key, account_id=account, monthly=20 * CREDIT, budget=30 * CREDIT)
    charge = hold(account, 10, api_key=key)
    report(charge, HERO, 2, 6)
    assert balances.of(account).spent == 6 * CREDIT
    row = KeyLimit.objects.get(pk=key)
    assert (row.month_accepted, row.accepted) == (6 * CREDIT, 6 * CREDIT)
    assert sound() == []


def test_a_report_moves_no_balance_and_wakes_no_recharge(open_account: OpenAccount) -> None:
    account = open_account(20)
    charge = hold(account, 10)
    Balance.objects.filter(pk=account).update(recharge_below=100 * CREDIT)
    assert report(charge, HERO, 2, 6)["low"] is False
    assert settle(charge, 2, known=1)["low"] is True


def test_a_report_in_a_new_month_leaves_what_it_has_spent_alone(open_account: OpenAccount) -> None:
    account = open_account(100)
    at(MONTH_END)
    balances.set_spend_limit(account, 50 * CREDIT)
    charge = hold(account, 10)
    at(MONTH_END + timedelta(minutes=1))
    hold(account, 1)
    report(charge, HERO, 2, 6)
    assert balances.of(account).spent == 1 * CREDIT
    assert sound() == []


def test_lapsed_credits_that_a_report_sets_free_are_gone(open_account: OpenAccount) -> None:
    account, expiry = open_account(5), datetime.now(UTC) + timedelta(days=1)
    give(account, 7, expires_at=expiry)
    charge = hold(account, 6, ttl=200_000)
    at(expiry)
    outcome = report(charge, HERO, 2, 4)
    assert (outcome["balance"], outcome["held"]) == (9 * CREDIT, 4 * CREDIT)
    assert standing(account) == (9, 4, 5)
    assert Grant.objects.get(expires_at=expiry).remaining == 4 * CREDIT
    settle(charge, 4, known=1)
    assert Grant.objects.get(expires_at=None).remaining == 5 * CREDIT
    assert sound() == []


def test_a_key_that_was_revoked_reports_nothing(open_account: OpenAccount) -> None:
    charge = hold(open_account(20), 10)
    service = create_service_key("Studio")[0]
    revoke(ApiKey.objects.get(pk=service.pk))
    assert report(charge, HERO, 2, 7, service_key=service.pk)["code"] == "unauthorized"
    assert Charge.objects.get(pk=charge).reports is None


def test_an_idempotency_key_gives_the_first_answer_again(open_account: OpenAccount) -> None:
    charge, owner = hold(open_account(20), 10), uuid.uuid4()
    keyed: dict[str, Any] = {"owner": owner, "idem": "r1", "hash": "a"}
    first = report(charge, HERO, 2, 7, **keyed)
    settle(charge, 2, known=1)
    again = report(charge, HERO, 2, 7, **keyed)
    assert again == {**first, "replayed": True}
    assert report(charge, HERO, 2, 7, **keyed | {"hash": "b"})["code"] == "idempotency_conflict"
    assert report(charge, VIDEO, 3, 3, owner=owner, idem="r2", hash="a")["code"] == "stale"
    assert not IdempotencyRecord.objects.filter(key="r2").exists(), "no answer yet"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE ledger_charge SET amount = amount + 1 WHERE reports IS NOT NULL",
        "UPDATE ledger_charge SET reports = jsonb_set(reports, '{0,returned}', '1') WHERE reports IS NOT NULL",
        "UPDATE ledger_charge SET reports = jsonb_set(reports, '{-1,cost}', '1') WHERE status = 'settled'",
    ],
)
def test_reports_changed_by_hand_are_found(open_account: OpenAccount, sql: str) -> None:
    account, moment = open_account(20), datetime.now(UTC)
    charge, still = hold(account, 5, ttl=60), hold(account, 5)
    for one in (charge, still):
        report(one, HERO, 2, 4)
    at(moment + timedelta(seconds=120))
    charges.expire_all_due()
    assert sound() == []
    with connection.cursor() as cursor:
        cursor.execute(sql)
    assert "reports_kept" in sound()
