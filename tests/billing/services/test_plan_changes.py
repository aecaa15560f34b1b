"""Changing the plan: upwards at once, downwards at the period's end, undone until then."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from accounts.keys import create_key
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import grants
from billing.models import SubscriptionEvent
from billing.services import plan_changes, subscriptions
from tests.billing.ledger.conftest import CREDIT, at, hold, settle, standing
from tests.billing.services.plans import START, account, buy, edit_plan, has, history, profiles, running

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")

MIDDLE = START + timedelta(days=10)
FEBRUARY_28 = datetime(2027, 2, 28, 10, tzinfo=UTC)
MARCH_31 = datetime(2027, 3, 31, 10, tzinfo=UTC)


def test_an_upgrade_sets_the_allowance_anew_where_credits_reset() -> None:
    payer = account("toon", plan="starter")
    buy(payer, 50)
    hold(payer.pk, 40, settle_now=True)
    at(MIDDLE)
    shown = plan_changes.preview(payer, "pro")
    assert (shown.way, shown.lapses, shown.carried, shown.credits) == ("now", 60 * CREDIT, 0, 300 * CREDIT)
    changed = plan_changes.change(payer.pk, "pro", arranged=True)
    payer.refresh_from_db()
    assert (payer.plan, changed.period_ends_at, has(payer)) == ("pro", FEBRUARY_28, 350)
    assert history(payer)[-2:] == [("reset", -60), ("plan_grant", 300)]


def test_an_upgrade_carries_the_rest_along_until_the_cycle_ends() -> None:
    payer = account("sites", plan="basic")
    hold(payer.pk, 500, settle_now=True)
    at(MIDDLE)
    assert plan_changes.preview(payer, "pro").carried == 1000 * CREDIT
    plan_changes.change(payer.pk, "pro", arranged=True)
    assert has(payer) == 5500
    at(FEBRUARY_28)
    subscriptions.renew_due()
    grants.expire(payer.pk)
    assert has(payer) == 4500
    assert sorted(entry for entry in history(payer) if entry[0] == "reset") == [
        ("reset", -4500),
        ("reset", -1000),
    ]


def test_a_hold_goes_on_through_an_upgrade() -> None:
    payer = account("toon", plan="starter")
    work = hold(payer.pk, 30)
    at(MIDDLE)
    plan_changes.change(payer.pk, "pro", arranged=True)
    assert standing(payer.pk) == (330, 30, 300)
    settle(work, 30)
    assert standing(payer.pk) == (300, 0, 300)


def test_from_a_plan_that_cost_nothing_the_periods_count_from_now() -> None:
    payer = account("toon")
    at(MIDDLE)
    changed = plan_changes.change(payer.pk, "starter", arranged=True)
    assert (changed.anchor, changed.period_ends_at) == (MIDDLE, datetime(2027, 3, 10, 10, tzinfo=UTC))
    assert has(payer) == 110


def test_a_downgrade_waits_for_the_period_s_end() -> None:
    payer = account("toon", plan="pro")
    shown = plan_changes.preview(payer, "starter")
    assert (shown.way, shown.at, shown.pays) == ("at_end", FEBRUARY_28, False)
    plan_changes.change(payer.pk, "starter")
    assert (has(payer), running(payer).plan, running(payer).next_plan) == (300, "pro", "starter")
    at(FEBRUARY_28)
    subscriptions.renew_due()
    payer.refresh_from_db()
    assert (payer.plan, has(payer), running(payer).next_plan) == ("starter", 100, "")


def test_until_then_it_is_undone_and_twice_is_once() -> None:
    payer = account("toon", plan="pro")
    plan_changes.change(payer.pk, "starter")
    plan_changes.undo(payer.pk)
    plan_changes.undo(payer.pk)
    at(FEBRUARY_28)
    subscriptions.renew_due()
    assert (running(payer).plan, has(payer)) == ("pro", 300)
    kinds = list(SubscriptionEvent.objects.filter(subscription__account=payer).values_list("kind", flat=True))
    assert sorted(kinds) == ["renewed", "scheduled", "started", "undone"]


def test_an_upgrade_forgets_what_was_scheduled() -> None:
    payer = account("toon", plan="pro")
    plan_changes.change(payer.pk, "starter")
    plan_changes.change(payer.pk, "business", arranged=True)
    at(FEBRUARY_28)
    subscriptions.renew_due()
    assert (running(payer).plan, has(payer)) == ("business", 700)


@pytest.mark.parametrize(("profile", "plan", "after"), [("toon", "pro", "free"), ("sites", "pro", "")])
def test_given_up_at_the_end_the_free_plan_or_none_is_left(profile: str, plan: str, after: str) -> None:
    payer = account(profile, plan=plan)
    buy(payer, 20)
    before = has(payer)
    plan_changes.cancel(payer.pk)
    assert (has(payer), running(payer).cancel_at_end) == (before, True)
    at(FEBRUARY_28)
    subscriptions.renew_due()
    payer.refresh_from_db()
    assert payer.plan == after
    assert has(payer) == (30 if after else 20)


def test_what_costs_something_is_not_begun_without_being_arranged() -> None:
    payer = account("toon")
    assert plan_changes.preview(payer, "pro").pays
    with pytest.raises(InvalidState, match="Ask us"):
        plan_changes.change(payer.pk, "pro")
    assert running(payer).plan == "free"


def test_a_trial_is_begun_by_the_customer_once() -> None:
    edit_plan("toon", "pro", trial_days=7)
    payer = account("toon")
    assert plan_changes.preview(payer, "pro").trial_days == 7
    plan_changes.change(payer.pk, "pro")
    assert (running(payer).status, has(payer)) == ("trialing", 310)
    at(START + timedelta(days=7))
    subscriptions.renew_due()
    assert (running(payer).plan, has(payer)) == ("free", 10)
    with pytest.raises(InvalidState, match="paid for"):
        plan_changes.change(payer.pk, "pro")


def test_a_trial_becomes_the_plan_when_that_is_arranged() -> None:
    edit_plan("toon", "pro", trial_days=7)
    payer = account("toon")
    plan_changes.change(payer.pk, "pro")
    at(START + timedelta(days=3))
    plan_changes.change(payer.pk, "pro", arranged=True)
    assert (running(payer).status, running(payer).anchor) == ("active", START + timedelta(days=3))
    assert has(payer) == 310


def test_too_many_keys_are_named() -> None:
    payer = account("toon", plan="pro")
    for number in range(5):
        create_key(account=payer, name=f"Key {number}")
    assert len(plan_changes.preview(payer, "starter").too_many) == 5
    with pytest.raises(InvalidState, match=r"Starter has 4 API keys. Revoke 1 of these first: Key 4 \(bpk_"):
        plan_changes.change(payer.pk, "starter")
    assert running(payer).next_plan == ""


def test_the_same_change_sent_twice_is_one() -> None:
    payer, once = account("toon", plan="starter"), uuid.uuid4()
    for _ in range(2):
        plan_changes.change(payer.pk, "pro", arranged=True, event_id=once)
    assert has(payer) == 300
    with pytest.raises(InvalidState, match="current plan"):
        plan_changes.change(payer.pk, "pro", arranged=True)


def test_a_change_after_the_period_is_over_renews_first() -> None:
    payer = account("toon", plan="starter")
    at(FEBRUARY_28 + timedelta(days=1))
    plan_changes.change(payer.pk, "pro", arranged=True)
    assert (running(payer).period_ends_at, has(payer)) == (MARCH_31, 300)
    assert sorted(history(payer)) == [
        ("plan_grant", 100), ("plan_grant", 100), ("plan_grant", 300), ("reset", -100), ("reset", -100),
    ]  # fmt: skip


@pytest.mark.parametrize("plan", ["gone", ""])
def test_an_unknown_plan_is_refused(plan: str) -> None:
    with pytest.raises(InvalidRequest):
        plan_changes.change(account("toon").pk, plan)


def test_one_no_longer_offered_is_refused() -> None:
    edit_plan("toon", "starter", active=False)
    with pytest.raises(InvalidState, match="no longer offered"):
        plan_changes.change(account("toon", plan="pro").pk, "starter")


def test_a_plan_that_is_paid_for_is_not_raised_for_nothing_by_a_trial() -> None:
    edit_plan("toon", "pro", trial_days=7)
    payer = account("toon", plan="starter")
    shown = plan_changes.preview(payer, "pro")
    assert (shown.trial_days, shown.pays) == (0, True)
    with pytest.raises(InvalidState, match="has to be paid for before it begins"):
        plan_changes.change(payer.pk, "pro")
    assert (running(payer).plan, has(payer)) == ("starter", 100)
