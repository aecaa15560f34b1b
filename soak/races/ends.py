"""The ends of a hold: settle, void, time-out, and what follows a settle."""

from datetime import timedelta
from typing import Any

from django.utils.timezone import now

from billing.ledger import balances, grants, refunds
from billing.ledger.models import Balance, Charge, Grant, Transaction
from billing.services import charges
from soak import making
from soak.crew import Me
from soak.making import CREDIT
from soak.races.guards import ROW_LOCK, no_row_locks
from soak.races.race import Case, Guard, Race, race

ONE_USAGE = Guard(
    "the lock of the balance row, and one usage a charge",
    sql=(*ROW_LOCK.sql, "DROP INDEX transaction_usage_once"),
    patch=no_row_locks,
)


class Ends(Race):
    """One open hold of 6 on 10 credits, ended by several at once."""

    guard = ROW_LOCK

    def case(self) -> Case:
        account = making.account(10)
        return {"account": account, "charge": making.held(account, 6)}

    def settle(self, case: Case) -> Any:
        return making.end(case["charge"], "settle", 5)

    def settle_for_less(self, case: Case) -> Any:
        return making.end(case["charge"], "settle", 1)

    def void(self, case: Case) -> Any:
        return making.end(case["charge"], "void")

    def expire(self, case: Case) -> Any:
        return making.end(case["charge"], "expire")

    def judge(self, case: Case, answers: list[Any]) -> str:
        ends = [answer for answer in answers if answer["code"] in ("settled", "voided")]
        if len(ends) != 1:
            return f"{len(ends)} ends: {[answer['code'] for answer in answers]}"
        cost = ends[0]["cost"] // CREDIT
        if making.standing(case["account"]) != (10 - cost, 0, 10 - cost):
            return f"{making.standing(case['account'])} after a cost of {cost}"
        usages = making.kinds(case["account"]).get("usage", 0)
        return "" if usages == (ends[0]["code"] == "settled") else f"{usages} usage transactions"


@race
class SettleAgainstVoid(Ends):
    promise = "settle or void, one of them ends the hold"
    guard = ONE_USAGE
    acts = ("settle", "void")


@race
class SettleAgainstVoidAgainstTimeout(Ends):
    promise = "settle, void and time-out: one terminal state"
    acts = ("settle", "void", "expire", "settle")

    def case(self) -> Case:
        account = making.account(10)
        return {"account": account, "charge": making.held(account, 6, ttl=0)}


@race
class SettleTwice(Ends):
    promise = "two settles at the same cost are one charge, and both are told so"
    guard = ONE_USAGE
    acts = ("settle",) * 4

    def judge(self, case: Case, answers: list[Any]) -> str:
        codes = sorted(answer["code"] for answer in answers)
        return super().judge(case, answers) if codes == ["already"] * 3 + ["settled"] else f"{codes}"


@race
class SettleAtTwoCosts(Ends):
    promise = "two settles at different costs: one counts, the other is refused"
    guard = ONE_USAGE
    acts = ("settle", "settle_for_less")

    def judge(self, case: Case, answers: list[Any]) -> str:
        codes = sorted(answer["code"] for answer in answers)
        return super().judge(case, answers) if codes == ["invalid_state", "settled"] else f"{codes}"


@race
class VoidTwice(Ends):
    promise = "two voids give the hold back once"
    acts = ("void",) * 4


@race
class TwoSweepersOfHolds(Race):
    """Two beats: both sweepers find the same timed-out holds; a service settles one of them."""

    promise = "two sweepers end a timed-out hold once"
    acts = ("sweep", "sweep", "settle")

    def case(self) -> Case:
        account = making.account(10)
        return {"account": account, "charges": [making.held(account, 3, ttl=0) for _ in range(3)]}

    def sweep(self, case: Case) -> Any:
        return charges.expire_due()

    def settle(self, case: Case) -> Any:
        return making.end(case["charges"][0], "settle", 2)["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        charges.expire_due()
        open_still = Charge.objects.filter(account_id=case["account"], status="authorized").count()
        balance = 8 if answers[2] == "settled" else 10
        if open_still or making.standing(case["account"]) != (balance, 0, balance):
            return f"{open_still} still open, {making.standing(case['account'])}, settle: {answers[2]}"
        return ""


class Refunds(Race):
    """A settled charge of 6 that had taken the whole of one grant."""

    expected = (refunds.NotRefundable.__name__,)

    def case(self) -> Case:
        account = making.account(6)
        charge = making.held(account, 6, settle_now=True)
        return {"account": account, "charge": charge}

    def refund(self, case: Case) -> Any:
        return refunds.refund_charge(charge_id=case["charge"], micros=None, reason="failed").amount

    def refund_part(self, case: Case) -> Any:
        return refunds.refund_charge(charge_id=case["charge"], micros=2 * CREDIT, reason="part").amount


@race
class RefundTwice(Refunds):
    promise = "a charge is given back once"
    guard = ROW_LOCK
    acts = ("refund",) * 3

    def judge(self, case: Case, answers: list[Any]) -> str:
        back = [answer for answer in answers if isinstance(answer, int)]
        if back != [6 * CREDIT] or making.standing(case["account"]) != (6, 0, 6):
            return f"given back {back}, {making.standing(case['account'])}"
        return ""


@race
class RefundInParts(Refunds):
    promise = "parts of a refund never add up to more than the charge"
    guard = ROW_LOCK
    acts = ("refund_part",) * 5

    def judge(self, case: Case, answers: list[Any]) -> str:
        back = [answer for answer in answers if isinstance(answer, int)]
        if len(back) != 3 or making.standing(case["account"]) != (6, 0, 6):
            return f"given back {back}, {making.standing(case['account'])}"
        return ""


@race
class RefundAgainstSpend(Refunds):
    promise = "what a refund brings back is spent at most once"
    guard = ROW_LOCK
    acts = ("refund", "spend", "spend", "spend")

    def spend(self, case: Case) -> Any:
        for _ in range(20):
            if (code := making.hold(case["account"], 4, settle_now=True)["code"]) == "settled":
                break
        return code

    def judge(self, case: Case, answers: list[Any]) -> str:
        spent = answers[1:].count("settled")
        if spent > 1 or making.standing(case["account"]) != (6 - 4 * spent, 0, 6 - 4 * spent):
            return f"{spent} spent, {making.standing(case['account'])}"
        return ""


@race
class RefundAgainstExpiry(Refunds):
    """The grant that the charge was paid from lapses while the charge is refunded."""

    promise = "what a refund brings back is there once: in its old grant or in a new one"
    acts = ("refund", "expire", "spend")

    def case(self) -> Case:
        account = making.account()
        making.give(account, 8, expires_at=now() + timedelta(hours=1))
        return {"account": account, "charge": making.held(account, 6, settle_now=True)}

    def just_before(self, case: Case) -> None:
        moment = now() + timedelta(milliseconds=3)
        Grant.objects.filter(account_id=case["account"]).update(expires_at=moment)
        Balance.objects.filter(pk=case["account"]).update(next_expiry=moment)

    def expire(self, case: Case) -> Any:
        return grants.expire(case["account"])

    def spend(self, case: Case) -> Any:
        return making.hold(case["account"], 2, settle_now=True)["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        making.expire_later(case["account"])
        spent = 2 * (answers[2] == "settled")
        left = balances.of(case["account"]).balance // CREDIT
        gone = -sum(
            Transaction.objects.filter(account_id=case["account"], kind="expiry").values_list(
                "amount", flat=True
            )
        )
        if left + spent + gone // CREDIT != 8:
            return f"8 came in; {left} left, {spent} spent, {gone} lapsed"
        return ""


@race
class SettleAgainstExpiry(Race):
    """A hold stands on credits that have lapsed since; it is settled while expiry is posted."""

    promise = "a hold keeps the credits it was placed on, and only those"
    acts = ("settle", "expire", "expire")

    def case(self) -> Case:
        account = making.account()
        making.give(account, 10, expires_at=now() + timedelta(hours=1))
        charge = making.held(account, 6)
        moment = now()
        Grant.objects.filter(account_id=account).update(expires_at=moment)
        Balance.objects.filter(pk=account).update(next_expiry=moment)
        return {"account": account, "charge": charge}

    def settle(self, case: Case) -> Any:
        return making.end(case["charge"], "settle", 4)

    def expire(self, case: Case) -> Any:
        return grants.expire(case["account"])

    def judge(self, case: Case, answers: list[Any]) -> str:
        making.expire_later(case["account"])
        expired = sum(
            Transaction.objects.filter(account_id=case["account"], kind="expiry").values_list(
                "amount", flat=True
            )
        )
        if answers[0]["code"] != "settled" or answers[0]["cost"] != 4 * CREDIT or expired != -6 * CREDIT:
            return f"{answers[0]['code']} at {answers[0]['cost']}, {expired} lapsed"
        return ""


@race
class KeyRevokedWithAnOpenHold(Race):
    """The customer's key is revoked while its hold is settled."""

    promise = "a hold ends as it would, whatever became of the key that asked for it"
    acts = ("revoke", "settle", "authorize")

    def case(self) -> Case:
        account = making.account(20)
        key = making.customer_key(account)
        return {"account": account, "key": key, "charge": making.held(account, 6, api_key=key.pk)}

    def revoke(self, case: Case) -> Any:
        from accounts.keys import revoke

        revoke(case["key"])
        return making.hold(case["account"], 1, api_key=case["key"].pk)["code"]

    def settle(self, case: Case) -> Any:
        return making.end(case["charge"], "settle", 5)["code"]

    def authorize(self, case: Case) -> Any:
        return making.hold(case["account"], 1, api_key=case["key"].pk)["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        if answers[:2] != ["unauthorized", "settled"] or answers[2] not in ("unauthorized", "authorized"):
            return f"{answers}, as {Me.number} sees it"
        return ""
