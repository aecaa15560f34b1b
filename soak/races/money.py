"""Credits coming in and being taken back: grants, adjustments, bonuses, expiry."""

import uuid
from datetime import timedelta
from typing import Any

from django.db.utils import IntegrityError
from django.utils.timezone import now

from accounts.models import BillingAccount, User
from billing.errors import InsufficientCredits
from billing.ledger import balances, grants
from billing.ledger.errors import KeyReused, NotEnough
from billing.ledger.models import Grant, Transaction
from billing.services import adjustments, expiry
from billing.services.accounts import open_account
from config.ids import new_id
from soak import making
from soak.making import CREDIT
from soak.races.guards import BUSINESS_KEY, ROW_LOCK, WITHDRAWAL, no_row_locks, unique
from soak.races.race import Case, Guard, Race, race


@race
class GrantTwice(Race):
    """One top-up credited by several: webhook, return page, reply, sweeper."""

    promise = "a business key is posted once, and everybody gets the same transaction"
    guard = BUSINESS_KEY
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account(), "key": f"topup:{new_id().hex}"}

    def act(self, case: Case) -> Any:
        return making.give(case["account"], 25, key=case["key"]).pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        balance = making.standing(case["account"])[0]
        return (
            ""
            if len(set(answers)) == 1 and balance == 25
            else f"{len(set(answers))} credits, balance {balance}"
        )


@race
class OneKeyTwoAccounts(Race):
    """The same business key for two accounts, which share no lock."""

    promise = "a business key names one transaction of the whole ledger"
    guard = BUSINESS_KEY
    expected = (KeyReused.__name__, IntegrityError.__name__)
    acts = ("first", "second", "first", "second")

    def case(self) -> Case:
        return {"first": making.account(), "second": making.account(), "key": f"topup:{new_id().hex}"}

    def first(self, case: Case) -> Any:
        return making.give(case["first"], 25, key=case["key"]).pk

    def second(self, case: Case) -> Any:
        return making.give(case["second"], 25, key=case["key"]).pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        balances = making.standing(case["first"])[0], making.standing(case["second"])[0]
        return "" if sorted(balances) == [0, 25] else f"balances {balances}"


@race
class FirstTouch(Race):
    """Several pages of a new user open the account at once."""

    promise = "a user gets one account with one welcome bonus"
    guard = Guard(
        "the user's row lock, and one account a user",
        sql=(unique("accounts_billingaccount", "accounts_billingaccount_opened_for_id_key"),),
        patch=no_row_locks,
    )
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"user": User.objects.create(email=f"{new_id().hex}@northwind.example")}

    def act(self, case: Case) -> Any:
        return open_account(name="New", email=case["user"].email, user=case["user"], profile="ads").pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        made = BillingAccount.objects.filter(opened_for=case["user"]).count()
        balance = making.standing(answers[0])[0]
        if (made, len(set(answers)), balance) != (1, 1, 50):
            return f"{made} accounts, {len(set(answers))} answers, {balance} credits"
        return ""


@race
class BonusTwice(Race):
    """The welcome bonus is given again to an account that opens."""

    promise = "the welcome bonus is given once"
    guard = BUSINESS_KEY
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account()}

    def act(self, case: Case) -> Any:
        key = f"bonus:welcome:{case['account'].hex}"
        return making.give(case["account"], 50, source="bonus", kind="bonus", key=key).pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        balance = making.standing(case["account"])[0]
        return "" if balance == 50 and making.kinds(case["account"]) == {"bonus": 1} else f"balance {balance}"


@race
class WithdrawalsForTheLastCredits(Race):
    promise = "withdrawals never take more than is there"
    guard = WITHDRAWAL
    expected = (NotEnough.__name__,)
    acts = ("act",) * 5

    def case(self) -> Case:
        return {"account": making.account(10)}

    def act(self, case: Case) -> Any:
        return making.take(case["account"], 3).amount

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = sum(isinstance(answer, int) for answer in answers)
        left = making.standing(case["account"])
        return "" if (count, left) == (3, (1, 0, 1)) else f"{count} of 3, {left}"


@race
class AdjustedTwice(Race):
    """The same adjustment sent twice from the admin."""

    promise = "one nonce adjusts once"
    guard = BUSINESS_KEY
    expected = (InsufficientCredits.__name__,)
    acts = ("give", "take", "give", "take")

    def case(self) -> Case:
        staff = User(email="staff@portal.example")
        return {"account": making.account(10), "staff": staff, "give": uuid.uuid4(), "take": uuid.uuid4()}

    def give(self, case: Case) -> Any:
        return self._adjust(case, 4 * CREDIT, case["give"])

    def take(self, case: Case) -> Any:
        return self._adjust(case, -3 * CREDIT, case["take"])

    def _adjust(self, case: Case, micros: int, nonce: uuid.UUID) -> Any:
        return adjustments.adjust(
            account_id=case["account"], micros=micros, reason="Because", staff=case["staff"], nonce=nonce
        ).pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        standing = making.standing(case["account"])
        return (
            ""
            if standing[0] == 11 and len(set(answers)) == 2
            else f"{standing}, {len(set(answers))} postings"
        )


@race
class ExtensionAgainstExpiry(Race):
    """A paid top-up resets the clock at the moment at which the credits lapse."""

    promise = "credits are extended or lapse, never both and never neither"
    acts = ("extend", "expire", "extend", "expire")

    def case(self) -> Case:
        account = making.account()
        making.give(account, 10, expires_at=now() + timedelta(milliseconds=1))
        return {"account": account}

    def just_before(self, case: Case) -> None:
        from billing.ledger.models import Balance

        moment = now() + timedelta(milliseconds=3)
        Grant.objects.filter(account_id=case["account"], is_spent=False).update(expires_at=moment)
        Balance.objects.filter(pk=case["account"]).update(next_expiry=moment)

    def extend(self, case: Case) -> Any:
        return grants.extend_all(case["account"], now() + timedelta(days=365))

    def expire(self, case: Case) -> Any:
        return grants.expire(case["account"])

    def judge(self, case: Case, answers: list[Any]) -> str:
        making.expire_later(case["account"])
        balance = balances.of(case["account"]).balance
        gone = making.kinds(case["account"]).get("expiry", 0)
        return (
            "" if (balance, gone) in ((10 * CREDIT, 0), (0, 1)) else f"balance {balance}, lapsed {gone} times"
        )


@race
class TwoBeatsAfterThreeDays(Race):
    """Beat was off for three days; two of them start and post what has lapsed since."""

    promise = "what lapsed while nobody looked is posted once"
    guard = ROW_LOCK
    acts = ("sweep", "sweep", "spend")

    def case(self) -> Case:
        account = making.account(5)
        for _ in range(3):
            making.give(account, 2, expires_at=now() - timedelta(days=3))
        return {"account": account}

    def sweep(self, case: Case) -> Any:
        return grants.expire(case["account"])

    def spend(self, case: Case) -> Any:
        return making.hold(case["account"], 6, settle_now=True)["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        expiry.expire_credits()
        lapsed = Transaction.objects.filter(account_id=case["account"], kind="expiry")
        total = sum(lapsed.values_list("amount", flat=True))
        if total != -6 * CREDIT or lapsed.count() != 3 or answers[2] != "insufficient_credits":
            return f"{lapsed.count()} expiries of {total}, spend: {answers[2]}"
        return ""
