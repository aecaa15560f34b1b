"""Plans by period: begun once, renewed once whatever was missed, and their credits lapse with the period alone."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.errors import InvalidState
from billing.ledger import grants, plan_credits
from billing.ledger.models import Grant
from billing.models import Subscription, SubscriptionPeriod
from billing.services import subscriptions
from tests.billing.ledger.conftest import CREDIT, at, hold, settle, standing
from tests.billing.services.plans import START, account, buy, edit_plan, has, history, profiles, running

__all__ = ["profiles"]
pytestmark = pytest.mark.usefixtures("profiles")

FEBRUARY_28 = datetime(2027, 2, 28, 10, tzinfo=UTC)
MARCH_31 = datetime(2027, 3, 31, 10, tzinfo=UTC)


def test_a_plan_begins_with_its_credits_until_the_period_s_end() -> None:
    payer = account("toon", plan="pro")
    row = running(payer)
    assert (payer.plan, row.status, row.anchor, row.period_ends_at) == ("pro", "active", START, FEBRUARY_28)
    assert history(payer) == [("plan_grant", 300)]
    assert Grant.objects.get(account=payer).expires_at == FEBRUARY_28


def test_asked_twice_for_the_same_plan_it_begins_once_and_another_is_refused() -> None:
    payer = account("toon", plan="pro")
    assert subscriptions.start(payer.pk, "pro") == running(payer)
    with pytest.raises(InvalidState, match="on plan pro"):
        subscriptions.start(payer.pk, "starter")
    assert history(payer) == [("plan_grant", 300)]


@pytest.mark.parametrize("microseconds", [-1, 0, 1])
def test_credits_lapse_with_the_period_to_the_microsecond(microseconds: int) -> None:
    payer = account("toon", plan="pro")
    buy(payer, 50)
    buy(payer, 5, "bonus")
    at(FEBRUARY_28 + timedelta(microseconds=microseconds))
    assert has(payer) == (355 if microseconds < 0 else 55)
    assert subscriptions.renew_due() == (0 if microseconds < 0 else 1)
    assert has(payer) == 355
    grants.expire(payer.pk)
    wanted = [("plan_grant", 300), ("topup", 50), ("bonus", 5)]
    ended = [] if microseconds < 0 else [("plan_grant", 300), ("reset", -300)]
    assert sorted(history(payer)) == sorted(wanted + ended)


def test_a_renewal_gives_once_however_often_it_is_tried() -> None:
    payer = account("toon", plan="starter")
    at(FEBRUARY_28)
    assert [subscriptions.renew_due() for _ in range(3)] == [1, 0, 0]
    assert not subscriptions.renew(payer.pk)
    assert has(payer) == 100
    assert running(payer).period_ends_at == MARCH_31


def test_after_days_off_only_the_running_period_is_given() -> None:
    payer = account("toon", plan="starter")
    at(datetime(2027, 5, 15, tzinfo=UTC))
    assert subscriptions.renew_due() == 1
    periods = list(SubscriptionPeriod.objects.filter(subscription__account=payer).order_by("number"))
    assert [(row.number, row.starts_at.isoformat()[:10]) for row in periods] == [
        (0, "2027-01-31"),
        (3, "2027-04-30"),
    ]
    assert has(payer) == 100
    assert running(payer).period_ends_at == datetime(2027, 5, 31, 10, tzinfo=UTC)


def test_what_a_free_plan_gives_once_stays_and_is_not_given_again() -> None:
    payer = account("toon")
    assert history(payer) == [("plan_grant", 10)]
    at(MARCH_31)
    assert subscriptions.renew_due() == 1
    assert has(payer) == 10
    assert history(payer) == [("plan_grant", 10)]


def test_a_hold_over_the_boundary_keeps_the_credits_it_stands_on() -> None:
    payer = account("toon", plan="starter")
    work = hold(payer.pk, 30)
    at(FEBRUARY_28)
    subscriptions.renew_due()
    assert standing(payer.pk) == (130, 30, 100)
    settle(work, 20)
    assert standing(payer.pk) == (100, 0, 100)
    grants.expire(payer.pk)
    assert plan_credits.left(payer.pk) == 100 * CREDIT
    assert sorted(history(payer)) == [
        ("plan_grant", 100), ("plan_grant", 100), ("reset", -70), ("reset", -10), ("usage", -20),
    ]  # fmt: skip


def test_an_edited_plan_changes_nothing_until_the_next_period() -> None:
    payer = account("toon", plan="starter")
    edit_plan("toon", "starter", credits=120 * CREDIT)
    assert has(payer) == 100
    assert SubscriptionPeriod.objects.get(subscription__account=payer).credits == 100 * CREDIT
    at(FEBRUARY_28)
    subscriptions.renew_due()
    assert has(payer) == 120


def test_a_trial_ends_by_itself_and_leaves_the_plan_that_costs_nothing() -> None:
    edit_plan("toon", "pro", trial_days=7)
    payer = account("toon", plan="")
    begun = subscriptions.start(payer.pk, "pro", trial=True)
    assert (begun.status, begun.period_ends_at) == ("trialing", START + timedelta(days=7))
    at(START + timedelta(days=7))
    subscriptions.renew_due()
    payer.refresh_from_db()
    assert (payer.plan, running(payer).status, has(payer)) == ("free", "active", 10)


def test_one_that_fails_keeps_nobody_waiting() -> None:
    broken, fine = account("toon", plan="starter"), account("toon", plan="starter")
    row = running(broken)
    row.next_plan = "gone"
    row.save()
    at(FEBRUARY_28)
    assert subscriptions.renew_due() == 1
    assert (running(fine).period_ends_at, running(broken).period_ends_at) == (MARCH_31, FEBRUARY_28)


def test_as_many_that_fail_as_are_taken_at_a_time_keep_nobody_waiting() -> None:
    failing = [account("toon", plan="starter") for _ in range(2)]
    well = account("toon", plan="pro")
    Subscription.objects.filter(account__in=failing).update(
        next_plan="gone", period_ends_at=FEBRUARY_28 - timedelta(days=1)
    )
    at(FEBRUARY_28)
    assert subscriptions.renew_due(at_a_time=2) == 1
    assert running(well).period_ends_at == MARCH_31
    assert [running(payer).period_ends_at < FEBRUARY_28 for payer in failing] == [True, True]
