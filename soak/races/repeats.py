"""The same request more than once: Idempotency-Keys, keys of customers, slots."""

import uuid
from typing import Any

from accounts.errors import KeyNotUsable, NoFreeSlot
from accounts.keys import create_key, in_slots, revoke, rotate
from accounts.models import ApiKey, BillingAccount
from billing.api import idempotency
from billing.api.idempotency import Answer
from billing.errors import IdempotencyConflict, IdempotencyInProgress
from billing.ledger.models import Charge, Transaction
from soak import making
from soak.crew import Me
from soak.races.guards import IDEMPOTENCY, no_row_locks
from soak.races.race import Case, Guard, Race, race


@race
class SameKeySameBody(Race):
    promise = "one Idempotency-Key places one hold, and all get its answer"
    guard = IDEMPOTENCY
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account(100), "owner": uuid.uuid4()}

    def act(self, case: Case) -> Any:
        outcome = making.hold(case["account"], 3, owner=case["owner"], idem="k", hash="same")
        return outcome["code"], outcome["id"], "replayed" in outcome

    def judge(self, case: Case, answers: list[Any]) -> str:
        held = making.standing(case["account"])[1]
        first = {answer[:2] for answer in answers}
        if len(first) != 1 or held != 3 or [answer[2] for answer in answers].count(False) != 1:
            return f"{len(first)} answers, held {held}"
        return ""


@race
class SameKeyOtherBody(Race):
    promise = "one Idempotency-Key with another body has no effect and says so"
    guard = IDEMPOTENCY
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account(100), "owner": uuid.uuid4()}

    def act(self, case: Case) -> Any:
        credits = 3 + Me.number
        return making.hold(case["account"], credits, owner=case["owner"], idem="k", hash=f"{credits}")["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = Charge.objects.filter(account_id=case["account"]).count()
        expected = ["authorized"] + ["idempotency_conflict"] * 3
        return "" if sorted(answers) == expected and count == 1 else f"{count} holds, {answers}"


@race
class SameKeyTwoAccounts(Race):
    """One key for different accounts, which share no lock."""

    promise = "one Idempotency-Key has one effect over all accounts"
    guard = IDEMPOTENCY
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"accounts": [making.account(10) for _ in range(4)], "owner": uuid.uuid4()}

    def act(self, case: Case) -> Any:
        mine = case["accounts"][Me.number]
        return making.hold(mine, 3, owner=case["owner"], idem="k", hash=str(mine))["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        held = [making.standing(account)[1] for account in case["accounts"]]
        return "" if sorted(held) == [0, 0, 0, 3] else f"held {held}, {answers}"


@race
class SameKeyForTheEnd(Race):
    """A settle sent again under its key, beside a void under its own."""

    promise = "a settle under one key is one charge, and its repeats are answered the same"
    acts = ("settle", "settle", "void", "settle")

    def case(self) -> Case:
        account = making.account(10)
        return {"account": account, "charge": making.held(account, 6), "owner": uuid.uuid4()}

    def settle(self, case: Case) -> Any:
        return making.end(case["charge"], "settle", 5, owner=case["owner"], idem="s", hash="s")["code"]

    def void(self, case: Case) -> Any:
        return making.end(case["charge"], "void", owner=case["owner"], idem="v", hash="v")["code"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        settles = {answers[0], answers[1], answers[3]}
        if settles == {"settled"} and answers[2] == "invalid_state":
            return "" if making.standing(case["account"]) == (5, 0, 5) else "settled wrongly"
        if settles == {"invalid_state"} and answers[2] == "voided":
            return "" if making.standing(case["account"]) == (10, 0, 10) else "voided wrongly"
        return f"settles {settles}, void {answers[2]}"


@race
class RequestRunOnce(Race):
    """Any other POST of the API, sent again while the first still runs."""

    promise = "a POST under one key runs once; its repeats wait, are refused or answered the same"
    guard = IDEMPOTENCY
    expected = (IdempotencyInProgress.__name__, IdempotencyConflict.__name__)
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account(), "owner": uuid.uuid4()}

    def act(self, case: Case) -> Any:
        def work() -> Answer:
            given = making.give(case["account"], 1)
            return Answer(200, {"id": given.public_id})

        return idempotency.run_once(case["owner"], "k", "digest", work, atomic=True).body["id"]

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = Transaction.objects.filter(account_id=case["account"]).count()
        told = {answer for answer in answers if isinstance(answer, str)}
        return "" if count == 1 and len(told) == 1 else f"ran {count} times, {len(told)} answers"


@race
class KeySlots(Race):
    promise = "a plan's key slots are never passed"
    guard = Guard("the account's row lock", patch=no_row_locks)
    expected = (NoFreeSlot.__name__,)
    acts = ("act",) * 4

    def case(self) -> Case:
        account = making.account()
        making.customer_key(account)
        return {"account": account}

    def act(self, case: Case) -> Any:
        account = BillingAccount.objects.get(pk=case["account"])
        return create_key(account=account, name="Mine", slots=3)[0].pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = len(in_slots(BillingAccount.objects.get(pk=case["account"])))
        return "" if count == 3 else f"{count} keys in 3 slots"


@race
class KeyRotatedTwice(Race):
    promise = "a key has one successor"
    guard = Guard(
        "the key's row lock, and one successor a key",
        sql=("ALTER TABLE accounts_apikey DROP CONSTRAINT accounts_apikey_replaces_id_key",),
        patch=no_row_locks,
    )
    expected = (KeyNotUsable.__name__,)
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"key": making.customer_key(making.account())}

    def act(self, case: Case) -> Any:
        return rotate(case["key"])[0].pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        count = ApiKey.objects.filter(replaces_id=case["key"].pk).count()
        return "" if count == 1 else f"{count} successors"


@race
class KeyRevokedAgainstAuthorize(Race):
    promise = "a revoked key gets no hold from the moment on at which the revocation returned"
    acts = ("revoke", "authorize", "authorize")

    def case(self) -> Case:
        account = making.account(100)
        return {"account": account, "key": making.customer_key(account)}

    def authorize(self, case: Case) -> Any:
        return making.hold(case["account"], 1, api_key=case["key"].pk)["code"]

    def revoke(self, case: Case) -> Any:
        revoke(case["key"])
        return self.authorize(case)

    def judge(self, case: Case, answers: list[Any]) -> str:
        held = making.standing(case["account"])[1]
        if answers[0] != "unauthorized" or held != answers.count("authorized"):
            return f"{answers}, held {held}"
        return "" if self.authorize(case) == "unauthorized" else "accepted later"
