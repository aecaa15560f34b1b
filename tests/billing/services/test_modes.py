"""Changing how an account pays: safe with work under way, nothing lost, and refusals that say what to do."""

import uuid
from datetime import timedelta

import pytest

from accounts.keys import create_key
from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import balances, key_limits
from billing.ledger.holds import place
from billing.ledger.models import Balance, Charge, Grant
from billing.models import Invoice, ModeChange
from billing.services import charges, closing, credit_limits, invoicing, limits, modes, subscriptions
from billing.services.modes import Asked
from tests.billing.ledger.conftest import CREDIT, at, hold, settle, standing, void, wanted
from tests.billing.services.plans import START, account, buy, has, history, profiles, running

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")


def switch(payer: BillingAccount, mode: str, **asked: object) -> ModeChange | None:
    changed = modes.switch(payer.pk, Asked(mode=mode, **asked))  # type: ignore[arg-type]
    payer.refresh_from_db()
    return changed


@pytest.fixture
def staff(db: None) -> User:
    return User.objects.create_user("staff@example.com", is_staff=True)


def test_to_pay_per_use_and_back_brings_back_what_was_left() -> None:
    payer = account("toon", plan="pro")
    buy(payer, 50)
    hold(payer.pk, 100, settle_now=True)
    switch(payer, "metered", limit=20 * CREDIT)
    assert (payer.mode, payer.unit, payer.plan, running(payer).status) == ("metered", "USD", "", "paused")
    assert standing(payer.pk) == (0, 0, 20)
    assert balances.of(payer.pk).spend_limit == 20 * CREDIT
    at(START + timedelta(days=3))
    switch(payer, "subscription")
    assert (payer.mode, payer.unit, payer.plan, running(payer).status) == (
        "subscription",
        "credit",
        "pro",
        "active",
    )
    assert has(payer) == 250
    assert {(lot.source, lot.remaining // CREDIT) for lot in Grant.objects.filter(account=payer)} == {
        ("plan", 200), ("topup", 50),
    }  # fmt: skip
    assert history(payer)[-2:] == [("adjustment", -250), ("adjustment", 250)]


def test_what_was_paid_for_is_known_while_it_is_set_aside() -> None:
    """So that nobody closes an account over it."""
    payer = account("toon", plan="pro")
    buy(payer, 50)
    switch(payer, "metered", limit=20 * CREDIT)
    assert modes.bought_and_set_aside(payer) == {"credit": 50 * CREDIT}
    assert any(
        "50\xa0credits paid for are set aside" in str(obstacle) for obstacle in closing.obstacles(payer)
    )
    switch(payer, "subscription")
    assert modes.bought_and_set_aside(payer) == {}


def test_the_plan_s_credits_go_on_lapsing_while_they_are_set_aside() -> None:
    payer = account("toon", plan="pro")
    buy(payer, 50)
    switch(payer, "metered")
    at(START + timedelta(days=40))
    assert subscriptions.renew_due() == 0
    switch(payer, "subscription")
    assert (payer.plan, has(payer)) == ("free", 60)
    assert ("reset", -300) in history(payer)


def test_a_free_plan_wakes_up_however_long_it_rested() -> None:
    payer = account("toon")
    switch(payer, "metered")
    at(START + timedelta(days=400))
    switch(payer, "subscription")
    assert (payer.plan, has(payer)) == ("free", 10)
    assert running(payer).period_ends_at > START + timedelta(days=400)


def test_pay_per_use_is_invoiced_when_it_is_switched_off_and_its_limit_still_counts() -> None:
    payer = account("toon", mode="metered")
    hold(payer.pk, 12, settle_now=True, model="z-image-turbo")
    at(START + timedelta(hours=2))
    switch(payer, "subscription")
    bill = Invoice.objects.get(account=payer)
    assert (bill.total, bill.due_minor, bill.unit) == (12 * CREDIT, 1200, "USD")
    assert (has(payer), payer.plan) == (10, "free")
    switch(payer, "metered", limit=20 * CREDIT)
    assert standing(payer.pk) == (0, 0, 20)
    assert balances.of(payer.pk).spent == 12 * CREDIT
    assert place([wanted(payer.pk, 9)])[0]["code"] == "spending_limit_reached"


def test_work_under_way_is_waited_for_where_the_unit_changes() -> None:
    payer = account("toon", plan="pro")
    work = hold(payer.pk, 3)
    with pytest.raises(
        InvalidState, match=r"1 request is still running.*Switch once it has finished\. It ends by"
    ):
        switch(payer, "metered")
    assert (payer.mode, standing(payer.pk)) == ("subscription", (300, 3, 297))
    settle(work, 2)
    switch(payer, "metered")
    assert Charge.objects.get(pk=work).unit == "credit"


def test_a_request_priced_before_the_unit_changed_is_asked_again() -> None:
    payer = account("toon", plan="pro")
    priced = wanted(payer.pk, 2, counted_in="credit")
    switch(payer, "metered")
    assert place([priced])[0]["code"] == "unit_changed"
    assert standing(payer.pk) == (0, 0, 50)


def test_a_charge_of_the_other_unit_is_not_refunded_in_this_one() -> None:
    payer = account("toon", plan="pro")
    work = hold(payer.pk, 3)
    settle(work, 3)
    switch(payer, "metered")
    for micros, worth in ((None, "3 credit is 0.48 USD"), (CREDIT, "1 credit is 0.16 USD")):
        with pytest.raises(InvalidState, match=r"counted in USD by now\. Staff give it back") as refused:
            charges.refund(work, micros, "late failure")
        assert worth in refused.value.detail
    assert standing(payer.pk) == (0, 0, 50)


def test_too_many_keys_for_the_plan_to_return_to() -> None:
    payer = account("toon", mode="metered")
    create_key(account=payer, name="Production")
    with pytest.raises(InvalidState, match=r"Free has no API keys. Revoke 1 of these first: Production"):
        switch(payer, "subscription")
    assert payer.mode == "metered"


def test_postpaid_opens_by_the_rule_and_the_refusal_says_it() -> None:
    payer = account("gateway")
    with pytest.raises(InvalidState, match="30 days old and has paid 100 USD in all"):
        switch(payer, "postpaid")
    assert payer.mode == "prepaid"


def test_postpaid_goes_on_with_open_holds_and_leaves_an_invoice(staff: User) -> None:
    payer = account("gateway")
    buy(payer, 10)
    before = hold(payer.pk, 8)
    at(START + timedelta(minutes=1))
    credit_limits.set_override(payer.pk, limit=100 * CREDIT, reason="Known company", by=staff)
    switch(payer, "postpaid")
    assert standing(payer.pk) == (10, 8, 102)
    at(START + timedelta(hours=1))
    settle(before, 8)
    during, late = hold(payer.pk, 30), hold(payer.pk, 5)
    settle(during, 30)
    at(START + timedelta(days=1))
    switch(payer, "prepaid")
    bill = Invoice.objects.get(account=payer)
    assert (bill.total // CREDIT, [(line.description, line.amount // CREDIT) for line in bill.lines.all()]) == (
        28, [("Work", 30), ("Paid from the balance", -2)],
    )  # fmt: skip
    assert standing(payer.pk) == (0, 5, -5)
    settle(late, 5)
    assert standing(payer.pk) == (-5, 0, -5)
    assert place([wanted(payer.pk, 1)])[0]["code"] == "insufficient_credits"


def test_leaving_postpaid_and_coming_back_does_not_open_the_limit_twice(staff: User) -> None:
    payer = account("gateway")
    credit_limits.set_override(payer.pk, limit=100 * CREDIT, reason="Known company", by=staff)
    switch(payer, "postpaid")
    hold(payer.pk, 100, settle_now=True)
    at(START + timedelta(days=1))
    switch(payer, "prepaid")
    with pytest.raises(InvalidState, match=r"INV-000001 is not paid yet\. Pay it first"):
        switch(payer, "postpaid")
    invoicing.mark_paid(Invoice.objects.get(account=payer).pk, reference="Transfer 1", by=staff)
    switch(payer, "postpaid")
    assert standing(payer.pk) == (0, 0, 100)


def test_what_a_key_spent_in_another_unit_does_not_count_against_its_limit() -> None:
    payer = account("toon", plan="pro")
    key, _ = create_key(account=payer, name="Production")
    hold(payer.pk, 30, settle_now=True, api_key=key.pk)
    switch(payer, "metered", limit=20 * CREDIT)
    row = key_limits.set_limit(api_key_id=key.pk, account_id=payer.pk, monthly=20 * CREDIT, budget=None)
    assert row is not None
    assert (row.month_accepted, row.accepted) == (0, 0)


def test_a_hold_of_a_postpaid_time_that_is_void_leaves_nothing_owed(staff: User) -> None:
    payer = account("gateway")
    credit_limits.set_override(payer.pk, limit=100 * CREDIT, reason="Known company", by=staff)
    switch(payer, "postpaid")
    work = hold(payer.pk, 30)
    switch(payer, "prepaid")
    void(work)
    assert standing(payer.pk) == (0, 0, 0)
    buy(payer, 5)
    assert has(payer) == 5


def test_asked_twice_it_is_switched_once() -> None:
    payer, once = account("toon", plan="pro"), uuid.uuid4()
    first = switch(payer, "metered", id=once)
    assert first is not None
    assert switch(payer, "metered", id=once) == first
    assert switch(payer, "metered") is None
    assert ModeChange.objects.filter(account=payer).count() == 1


def test_a_way_the_profile_does_not_have_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="has no mode 'prepaid'; it has subscription, metered"):
        switch(account("toon"), "prepaid")


def test_an_overdue_invoice_keeps_the_ways_that_pay_later_shut() -> None:
    payer = account("toon", mode="metered")
    hold(payer.pk, 12, settle_now=True)
    at(START + timedelta(days=1))
    switch(payer, "subscription")
    at(START + timedelta(days=20))
    with pytest.raises(InvalidState, match=r"INV-000001 is overdue\. Pay it first"):
        switch(payer, "metered")


def test_limits_in_the_other_unit_do_not_come_along() -> None:
    payer = account("toon", plan="pro")
    limits.set_spending_limit(payer.pk, 200 * CREDIT)
    switch(payer, "metered", limit=20 * CREDIT)
    switch(payer, "subscription")
    assert Balance.objects.get(pk=payer.pk).spend_limit is None


def test_money_that_arrives_after_the_unit_changed_buys_what_is_counted_now() -> None:
    from billing.models import Payment
    from billing.services.payments import _credit

    payer = account("toon", plan="pro")
    late = Payment.objects.create(
        account=payer, purpose="topup", route="checkout", status="failed", cash_minor=1600, currency="USD",
        credits=100 * CREDIT, unit="credit", finished_at=START,
    )  # fmt: skip
    switch(payer, "metered")
    _credit(late)
    late.status = "succeeded"
    late.save()
    assert standing(payer.pk) == (16, 0, 66)
    assert (late.credits, late.unit) == (16 * CREDIT, "USD")
