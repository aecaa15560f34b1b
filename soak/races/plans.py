"""Plans, ways of paying, limits of keys and plans, and comfortable balances."""

from datetime import timedelta
from typing import Any

from django.utils.timezone import now

from billing.errors import InvalidState
from billing.ledger import balances, key_limits, plan_credits
from billing.ledger.models import Balance, Grant, Transaction
from billing.models import Subscription, SubscriptionPeriod
from billing.services import modes, plan_changes, subscriptions
from billing.services.modes import Asked
from soak import making
from soak.crew import Me
from soak.making import CREDIT
from soak.races.guards import ROW_LOCK, no_row_locks, unique
from soak.races.holds import GOOD, won
from soak.races.race import Case, Guard, Race, race

ONE_LIVE = Guard(
    "the account's lock, and one live subscription an account",
    sql=(*ROW_LOCK.sql, unique("billing_subscription", "subscription_one_live")),
    patch=no_row_locks,
)
OVERSHOOT = 32


@race
class KeyLimitUnderParallel(Race):
    promise = "one key never spends more than its limit"
    guard = ROW_LOCK
    acts = ("act",) * 5

    def case(self) -> Case:
        account = making.account(100)
        key = making.customer_key(account)
        key_limits.set_limit(api_key_id=key.pk, account_id=account, monthly=10 * CREDIT, budget=None)
        return {"account": account, "key": key.pk}

    def act(self, case: Case) -> Any:
        return making.hold(case["account"], 3, api_key=case["key"], settle_now=Me.number % 2 == 0)

    def judge(self, case: Case, answers: list[Any]) -> str:
        refused = {answer["code"] for answer in answers} - set(GOOD)
        return (
            ""
            if won(answers) == 3 and refused == {"key_limit_reached"}
            else f"{won(answers)} accepted, {refused}"
        )


@race
class MonthlyCountUnderParallel(Race):
    promise = "what a plan counts is never accepted once too often"
    guard = ROW_LOCK
    acts = ("act",) * 5

    def case(self) -> Case:
        return {"account": making.account(100), "since": now() - timedelta(days=1)}

    def act(self, case: Case) -> Any:
        counted = {"count_scope": "site", "count_limit": 2, "count_since": case["since"]}
        return making.hold(case["account"], 3, **counted)

    def judge(self, case: Case, answers: list[Any]) -> str:
        refused = {answer["code"] for answer in answers} - set(GOOD)
        return (
            "" if won(answers) == 2 and refused == {"monthly_count_reached"} else f"{won(answers)}, {refused}"
        )


@race
class ComfortableAtOnce(Race):
    """Comfortable requests that wait for nobody, while others spend and settle with the lock."""

    promise = "what comfortable requests overshoot by stays within the stated bound"
    acts = ("relaxed", "relaxed", "careful", "relaxed", "relaxed")

    def case(self) -> Case:
        account = making.account(100)
        balances.set_comfort(account, above=90 * CREDIT, overshoot=OVERSHOOT * CREDIT)
        return {"account": account}

    def relaxed(self, case: Case) -> Any:
        return [making.hold(case["account"], 2, relaxed=True) for _ in range(4)]

    def careful(self, case: Case) -> Any:
        return [making.hold(case["account"], 40, settle_now=True) for _ in range(2)]

    def judge(self, case: Case, answers: list[Any]) -> str:
        accepted = sum(won(answer) * (40 if number == 2 else 2) for number, answer in enumerate(answers))
        balances.fold_holds()
        view = balances.of(case["account"])
        total = (100 * CREDIT - view.balance + view.held) // CREDIT
        if total != accepted or accepted > 100 + OVERSHOOT:
            return f"accepted {accepted} on 100, counted {total}"
        return ""


class Planned(Race):
    """An account of profile ``toon``."""

    def case(self) -> Case:
        return {"account": making.account(profile="toon", mode="subscription")}

    def judge(self, case: Case, answers: list[Any]) -> str:
        live = Subscription.objects.filter(account_id=case["account"], status__in=Subscription.LIVE)
        if live.count() != 1:
            return f"{live.count()} live subscriptions"
        periods = SubscriptionPeriod.objects.filter(subscription__account_id=case["account"])
        given = Transaction.objects.filter(account_id=case["account"], kind="plan_grant")
        credits = sum(periods.values_list("credits", flat=True))
        if sum(given.values_list("amount", flat=True)) != credits:
            return f"{credits} credits of {periods.count()} periods in {given.count()} grants"
        return ""


@race
class SubscribedInTwoTabs(Planned):
    promise = "a plan taken in several tabs is begun once, with its credits once"
    guard = ONE_LIVE
    acts = ("act",) * 4

    def act(self, case: Case) -> Any:
        return subscriptions.start(case["account"], "pro").pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        return super().judge(case, answers) or ("" if len(set(answers)) == 1 else "several answers")


@race
class TwoPlansAtOnce(Planned):
    promise = "of two plans taken at once one is begun"
    guard = ONE_LIVE
    expected = (InvalidState.__name__,)
    acts = ("starter", "pro", "starter", "pro")

    def starter(self, case: Case) -> Any:
        return subscriptions.start(case["account"], "starter").plan

    def pro(self, case: Case) -> Any:
        return subscriptions.start(case["account"], "pro").plan


class PeriodDue(Planned):
    """A plan whose period has just ended."""

    def case(self) -> Case:
        case = super().case()
        running = subscriptions.start(case["account"], "starter")
        anchor = running.anchor - timedelta(days=32)
        Subscription.objects.filter(pk=running.pk).update(
            anchor=anchor, period_ends_at=now() - timedelta(seconds=1)
        )
        Grant.objects.filter(account_id=case["account"]).update(expires_at=now() - timedelta(seconds=1))
        Balance.objects.filter(pk=case["account"]).update(next_expiry=now() - timedelta(seconds=1))
        return case

    def renew(self, case: Case) -> Any:
        return subscriptions.renew(case["account"])

    def change(self, case: Case) -> Any:
        return plan_changes.change(case["account"], "pro", arranged=True).plan

    def spend(self, case: Case) -> Any:
        return making.hold(case["account"], 90, settle_now=True)["code"]

    def spent(self, case: Case) -> int:
        lines = Transaction.objects.filter(account_id=case["account"], kind="usage")
        return -sum(lines.values_list("amount", flat=True)) // CREDIT


@race
class RenewedTwice(PeriodDue):
    promise = "two beats begin the next period once"
    guard = ROW_LOCK
    acts = ("renew",) * 4

    def judge(self, case: Case, answers: list[Any]) -> str:
        return super().judge(case, answers) or ("" if answers.count(True) == 1 else f"{answers}")


@race
class RenewalAgainstSpend(PeriodDue):
    promise = "a period's credits are spent in it or lapse with it, never in the next one"
    acts = ("renew", "spend", "renew", "spend")

    def judge(self, case: Case, answers: list[Any]) -> str:
        wrong = super().judge(case, answers)
        standing = making.standing(case["account"])[0]
        spent = self.spent(case)
        return wrong or (
            "" if spent <= 100 and standing == 100 - spent else f"{spent} spent, {standing} left"
        )


@race
class PlanChangeAgainstRenewal(PeriodDue):
    promise = "a plan change and a renewal in any order give each period its credits once"
    guard = ONE_LIVE
    expected = (InvalidState.__name__,)
    acts = ("change", "renew", "change", "renew")

    def judge(self, case: Case, answers: list[Any]) -> str:
        """100 credits of the period that is over, 100 of the new one, and 300 of the plan taken within it."""
        given = Transaction.objects.filter(account_id=case["account"], kind="plan_grant").order_by("seq")
        credits = [amount // CREDIT for amount in given.values_list("amount", flat=True)]
        live = Subscription.objects.filter(account_id=case["account"], status__in=Subscription.LIVE)
        plans = list(live.values_list("plan", flat=True))
        return "" if credits == [100, 100, 300] and plans == ["pro"] else f"{credits}, {plans}"


@race
class AllowanceEndsWhileSpent(Planned):
    """The plan's credits are ended early while they are spent; bought credits lie beside them."""

    promise = "an allowance that ends takes along what is unspent of it, and no bought credit"
    acts = ("finish", "spend", "finish", "spend")

    def case(self) -> Case:
        account = making.account(20)
        making.give(account, 100, source="plan", kind="plan_grant", expires_at=now() + timedelta(days=9))
        return {"account": account}

    def finish(self, case: Case) -> Any:
        return plan_credits.end(case["account"])

    def spend(self, case: Case) -> Any:
        return making.hold(case["account"], 60, settle_now=True)["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        lines = Transaction.objects.filter(account_id=case["account"])
        gone = -sum(lines.filter(kind="reset").values_list("amount", flat=True)) // CREDIT
        spent = 60 * answers.count("settled")
        left = making.standing(case["account"])[0]
        return "" if left + gone + spent == 120 and left <= 20 else f"{left} left, {gone} gone, {spent} spent"


@race
class UnitChangedWhileHolding(Race):
    """A plan's account goes over to pay-per-use, which is counted in dollars, while requests priced in credits come in."""

    promise = "no work is accepted in a unit that it was not priced in"
    expected = (InvalidState.__name__,)
    acts = ("switch", "hold", "hold")

    def case(self) -> Case:
        return {"account": making.account(50, profile="toon", mode="subscription")}

    def switch(self, case: Case) -> Any:
        changed = modes.switch(case["account"], Asked(mode="metered", limit=50 * CREDIT, arranged=True))
        return changed is not None

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 3, counted_in="credit")["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        unit = Balance.objects.get(pk=case["account"]).unit
        held = making.standing(case["account"])[1]
        if answers[0] is True:
            return (
                ""
                if unit == "USD" and held == 0 and "authorized" not in answers[1:]
                else f"{unit}, {held} held"
            )
        count = answers[1:].count("authorized")
        return "" if unit == "credit" and held == 3 * count and count else f"{unit}, {held} held, {answers}"
