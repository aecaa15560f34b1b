"""Holds against holds, and against everything else that lives on the same credits."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils.timezone import now

from billing.ledger import balances, grants, holds
from billing.ledger.errors import NotEnough
from billing.ledger.models import Balance, Charge, Grant
from soak import making
from soak.crew import Me
from soak.making import CREDIT
from soak.races.guards import ROW_LOCK
from soak.races.race import Case, Race, race

GOOD = ("authorized", "settled")


def won(answers: list[Any]) -> int:
    return sum(answer["code"] in GOOD for answer in answers)


@race
class HoldsForTheLastCredits(Race):
    """Six holds of 3 on 10 credits."""

    promise = "exactly ⌊available ÷ amount⌋ holds win"
    guard = ROW_LOCK
    acts = ("act",) * 6

    def case(self) -> Case:
        return {"account": making.account(10)}

    def act(self, case: Case) -> Any:
        return making.hold(case["account"], 3)

    def judge(self, case: Case, answers: list[Any]) -> str:
        if won(answers) != 3 or making.standing(case["account"]) != (10, 9, 1):
            return f"{won(answers)} of 3 fit, {making.standing(case['account'])}"
        return ""


@race
class ChargesForTheLastCredits(HoldsForTheLastCredits):
    """The same, charged on acceptance."""

    promise = "exactly ⌊available ÷ amount⌋ charges on acceptance win"

    def act(self, case: Case) -> Any:
        return making.hold(case["account"], 3, settle_now=True)

    def judge(self, case: Case, answers: list[Any]) -> str:
        if won(answers) != 3 or making.standing(case["account"]) != (1, 0, 1):
            return f"{won(answers)} of 3 fit, {making.standing(case['account'])}"
        return ""


@race
class BatchesAgainstSingles(Race):
    """Batches of five and single holds of 2 on 17 credits."""

    promise = "a batch and single requests share what is there, to the last credit"
    guard = ROW_LOCK
    acts = ("batch", "single", "batch", "single")

    def case(self) -> Case:
        return {"account": making.account(17)}

    def batch(self, case: Case) -> Any:
        return holds.place([making.wanted(case["account"], 2) for _ in range(5)])

    def single(self, case: Case) -> Any:
        return [making.hold(case["account"], 2)]

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = sum(won(answer) for answer in answers)
        if count != 8 or making.standing(case["account"]) != (17, 16, 1):
            return f"{count} of 8 fit, {making.standing(case['account'])}"
        return ""


@race
class BatchesOverManyAccounts(Race):
    """Batches that name the same accounts in opposite order."""

    promise = "batches over several accounts never lock each other out"
    guard = None
    acts = ("up", "down", "up", "down")

    def case(self) -> Case:
        return {"accounts": [making.account(4) for _ in range(4)]}

    def up(self, case: Case) -> Any:
        return holds.place([making.wanted(account, 3) for account in case["accounts"]])

    def down(self, case: Case) -> Any:
        return holds.place([making.wanted(account, 3) for account in reversed(case["accounts"])])

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = sum(won(answer) for answer in answers)
        return "" if count == 4 else f"{count} holds on 4 accounts with room for one each"


@race
class HoldAgainstExpiry(Race):
    """Holds, and the task that posts expiry, at the very moment at which the credits lapse."""

    promise = "no hold stands on credits that had lapsed when it was placed; none lapses twice"
    acts = ("hold", "expire", "hold", "expire")

    def case(self) -> Case:
        account = making.account()
        making.give(account, 10, expires_at=now() + timedelta(hours=1))
        return {"account": account}

    def just_before(self, case: Case) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH due AS (UPDATE ledger_grant SET expires_at = clock_timestamp() + interval '3 milliseconds'"
                " WHERE account_id = %s RETURNING expires_at)"
                " UPDATE ledger_balance SET next_expiry = (SELECT expires_at FROM due) WHERE account_id = %s",
                [case["account"], case["account"]],
            )

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 6)

    def expire(self, case: Case) -> Any:
        return grants.expire(case["account"])

    def judge(self, case: Case, answers: list[Any]) -> str:
        lot = Grant.objects.get(account_id=case["account"])
        late = Charge.objects.filter(account_id=case["account"], authorized_at__gte=lot.expires_at)
        if late.exists():
            return "a hold was placed on lapsed credits"
        making.expire_later(case["account"])
        count = Charge.objects.filter(account_id=case["account"]).count()
        balance = balances.of(case["account"]).balance
        return "" if (count, balance) in ((0, 0), (1, 6 * CREDIT)) else f"{count} holds, {balance} left"


@race
class HoldAgainstWithdrawal(Race):
    """A hold and an adjustment for the same credits."""

    promise = "either the hold or the withdrawal gets them, never both"
    guard = ROW_LOCK
    expected = (NotEnough.__name__,)
    acts = ("hold", "withdraw", "hold", "withdraw")

    def case(self) -> Case:
        return {"account": making.account(10)}

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 6)["code"] in GOOD

    def withdraw(self, case: Case) -> Any:
        making.take(case["account"], 6)
        return True

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = sum(answer is True for answer in answers)
        return "" if count == 1 else f"{count} got 6 of 10"


@race
class HoldAgainstGrant(Race):
    """Credits come in while holds ask for them."""

    promise = "a grant beside holds loses nothing and gives nothing twice"
    guard = ROW_LOCK
    acts = ("give", "hold", "give", "hold")

    def case(self) -> Case:
        return {"account": making.account(1)}

    def give(self, case: Case) -> Any:
        return making.give(case["account"], 5).balance_after

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 6)["code"] in GOOD

    def judge(self, case: Case, answers: list[Any]) -> str:
        placed = answers[1] + answers[3]
        expected = (11, 6 * placed, 11 - 6 * placed)
        return "" if making.standing(case["account"]) == expected else f"{making.standing(case['account'])}"


@race
class SpendingLimitUnderParallel(Race):
    """Holds in parallel under a monthly limit of 10; there is more than enough balance."""

    promise = "what is accepted in a month never passes its limit"
    guard = ROW_LOCK
    acts = ("act",) * 6

    def case(self) -> Case:
        account = making.account(100)
        balances.set_spend_limit(account, 10 * CREDIT)
        return {"account": account}

    def act(self, case: Case) -> Any:
        return making.hold(case["account"], 3, settle_now=Me.number % 2 == 0)

    def judge(self, case: Case, answers: list[Any]) -> str:
        spent = balances.of(case["account"]).spent
        return "" if (won(answers), spent) == (3, 9 * CREDIT) else f"{won(answers)} accepted, {spent} spent"


@race
class SpendingLimitLowered(Race):
    """The limit goes from 100 to 5 while holds of 3 come in."""

    promise = "after a limit was lowered nothing is accepted beyond it"
    acts = ("hold", "lower", "hold", "hold")

    def case(self) -> Case:
        account = making.account(100)
        balances.set_spend_limit(account, 100 * CREDIT)
        return {"account": account}

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 3)

    def lower(self, case: Case) -> Any:
        balances.set_spend_limit(case["account"], 5 * CREDIT)
        return making.hold(case["account"], 3)

    def judge(self, case: Case, answers: list[Any]) -> str:
        after = answers[1]
        if after["code"] in GOOD and after["spent"] > 5 * CREDIT:
            return f"accepted up to {after['spent']} under a limit of 5"
        late = making.hold(case["account"], 3)
        return "late accepted" if late["code"] in GOOD and late["spent"] > 5 * CREDIT else ""


@race
class CreditLimitLowered(Race):
    """The credit limit goes from 10 to 0 while holds of 4 come in."""

    promise = "a lowered credit limit records what was used, and lets no more in"
    guard = ROW_LOCK
    acts = ("hold", "lower", "hold", "hold")

    def case(self) -> Case:
        return {"account": making.account(0, credit_limit=10)}

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 4)

    def lower(self, case: Case) -> Any:
        balances.set_credit_limit(case["account"], 0)
        return making.hold(case["account"], 4)

    def judge(self, case: Case, answers: list[Any]) -> str:
        row = Balance.objects.get(pk=case["account"])
        if answers[1]["code"] in GOOD:
            return "a hold was accepted after the limit was 0"
        if row.overdraft != row.held or row.held != 4 * CREDIT * won(answers) or row.credit_limit != 0:
            return f"held {row.held}, overdraft {row.overdraft}, limit {row.credit_limit}"
        return ""


@race
class SettlementAboveTheHold(Race):
    """A settle that costs 5 more than its hold, beside holds for the same rest."""

    promise = "an overage takes only what is there; the rest is recorded as uncollected"
    guard = ROW_LOCK
    acts = ("settle", "hold", "hold")

    def case(self) -> Case:
        account = making.account(10)
        return {"account": account, "charge": making.held(account, 4)}

    def settle(self, case: Case) -> Any:
        return making.end(case["charge"], "settle", 9)

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 4)

    def judge(self, case: Case, answers: list[Any]) -> str:
        settled, *asked = answers
        placed = won(asked)
        if settled["cost"] + settled["uncollected"] != 9 * CREDIT or placed > 1:
            return f"cost {settled['cost']}, uncollected {settled['uncollected']}, {placed} holds"
        expected = (10 * CREDIT - settled["cost"], placed * 4 * CREDIT)
        view = balances.of(case["account"])
        return "" if (view.balance, view.held) == expected else f"{view.balance}, {view.held}"


@race
class ClosedWhileHolding(Race):
    """The account is closed while holds come in."""

    promise = "nothing is accepted after an account was closed"
    acts = ("close", "hold", "hold")

    def case(self) -> Case:
        return {"account": making.account(100)}

    def close(self, case: Case) -> Any:
        Balance.objects.filter(pk=case["account"]).update(is_open=False)
        return making.hold(case["account"], 1)

    def hold(self, case: Case) -> Any:
        return making.hold(case["account"], 1)

    def judge(self, case: Case, answers: list[Any]) -> str:
        late = making.hold(case["account"], 1)
        codes = (answers[0]["code"], late["code"])
        return "" if codes == ("closed", "closed") else f"{codes} after the account was closed"
