"""Phases of one piece of work, reported one by one by several processes, and the ends of it meanwhile."""

import uuid
from typing import Any, Final

from billing.errors import InvalidState
from billing.ledger.models import Charge
from billing.selectors import identities
from billing.services import charges
from billing.services.charges import Caller
from billing.services.deliveries import Result
from billing.services.quotes import Wanted
from soak import making
from soak.making import CREDIT
from soak.races.guards import ROW_LOCK, no_row_locks
from soak.races.race import Case, Guard, Race, Refused, race

COSTS: Final = {"hero-image": 20, "motion-video": 200, "html-assembly": 5}
"""What each phase is reported to cost, in credits; the estimate of the whole is 600."""
AS_ASKED: Final = 324
"""What a site costs that is settled as delivered, with nothing said of phases."""

PRICED_WITH: Final = Guard(
    "the lock of the balance row, and the number of reports that a price was made with",
    sql=(
        *ROW_LOCK.sql,
        """
        DO $$
        DECLARE finish text := pg_get_functiondef('ledger_finish(jsonb)'::regprocedure);
        BEGIN
            EXECUTE replace(finish, 'coalesce(r.known, 0) <> r.reported', 'false');
        END $$
        """,
    ),
    patch=no_row_locks,
)


class Site(Race):
    """A whole site under way, 600 of 1,000 credits held."""

    expected = (InvalidState.__name__,)

    def case(self) -> Case:
        account = making.account(1_000, profile="sites", plan="basic")
        customer = identities.by_account(account)
        assert customer is not None
        wanted = Wanted(model="site", operation="generate")
        body, _ = charges.authorize(customer, wanted, Caller())
        return {"account": account, "charge": charges.charge_id_of(str(body["id"]))}

    def hero(self, case: Case) -> Any:
        return self.report(case["charge"], "hero-image")

    def video(self, case: Case) -> Any:
        return self.report(case["charge"], "motion-video")

    def html(self, case: Case) -> Any:
        return self.report(case["charge"], "html-assembly")

    def report(self, charge: uuid.UUID, phase: str) -> Any:
        outputs = {"phases": [{"id": phase, "cost": str(COSTS[phase])}]}
        charges.settle(charge, Result(outputs=outputs, partial=True), Caller())
        return phase

    def settle(self, case: Case) -> Any:
        charges.settle(case["charge"], Result(), Caller())
        return "settled"

    def judge(self, case: Case, answers: list[Any]) -> str:
        said = [answer for answer in answers if answer in COSTS]
        row = Charge.objects.get(pk=case["charge"])
        told = [phase for report in row.reports or () for phase in report["phases"]]
        if sorted(told) != sorted(said):
            return f"{said} were accepted, {told} are there"
        return self.judge_end(case, row, sum(COSTS[phase] for phase in said), answers)

    def judge_end(self, case: Case, row: Charge, earned: int, answers: list[Any]) -> str:
        raise NotImplementedError

    def stands(self, case: Case, row: Charge, cost: int) -> str:
        """What is wrong with an ended charge that should have cost so much."""
        standing, usages = making.standing(case["account"]), making.kinds(case["account"]).get("usage", 0)
        right = (1_000 - cost, 0, 1_000 - cost)
        if row.cost != cost * CREDIT or standing != right or usages != (row.status == "settled"):
            return f"{row.status} at {row.cost} and {standing} with {usages} usages, where {cost} is due"
        return ""


@race
class PhasesReportedAtOnce(Site):
    promise = "of phases reported at once none is lost, and the hold is what they leave of it"
    guard = PRICED_WITH
    acts = ("hero", "video", "html")

    def judge_end(self, case: Case, row: Charge, earned: int, answers: list[Any]) -> str:
        if len([answer for answer in answers if answer in COSTS]) != len(COSTS):
            return f"{answers}"
        # The named phases' shares of 600 went; the reserve of 276 is still to come.
        held = making.standing(case["account"])[1]
        if row.reports is None or row.reports[-1]["cost"] != earned * CREDIT or held != earned + 276:
            return f"held {held} and reported {row.reports}, where {earned} is due"
        charges.settle(case["charge"], Result(), Caller())
        row.refresh_from_db()
        return self.stands(case, row, earned)


@race
class PhasesReportedWhileSettling(Site):
    promise = "a settle costs exactly the phases that were accepted before it"
    guard = PRICED_WITH
    acts = ("hero", "video", "settle")

    def judge_end(self, case: Case, row: Charge, earned: int, answers: list[Any]) -> str:
        return self.stands(case, row, earned if row.reports else AS_ASKED)


@race
class PhaseReportedTwice(Site):
    promise = "a phase that is reported by several at once gives back its share once"
    guard = PRICED_WITH
    acts = ("video", "video", "video")

    def judge(self, case: Case, answers: list[Any]) -> str:
        row = Charge.objects.get(pk=case["charge"])
        if answers != ["motion-video"] * 3 or len(row.reports or ()) != 1:
            return f"{answers}, {row.reports}"
        standing = making.standing(case["account"])
        return "" if standing == (1_000, 544, 456) else f"{standing}"


@race
class PhaseReportedAgainstVoidAgainstTimeout(Site):
    """The hold's time is over, but nobody has ended it yet."""

    promise = "a time-out charges what was reported before it, a void charges nothing, and one of them ends the hold"
    guard = ROW_LOCK
    acts = ("hero", "void", "sweep", "video")

    def case(self) -> Case:
        case = super().case()
        row = Charge.objects.get(pk=case["charge"])
        Charge.objects.filter(pk=row.pk).update(expires_at=row.authorized_at)
        return case

    def void(self, case: Case) -> Any:
        return making.end(case["charge"], "void")["code"]

    def sweep(self, case: Case) -> Any:
        return making.end(case["charge"], "expire")["code"]

    def judge_end(self, case: Case, row: Charge, earned: int, answers: list[Any]) -> str:
        _, void, sweep, _ = answers
        ends = [code for code in (void, sweep) if code in ("voided", "settled")]
        if len(ends) != 1 or row.status != ends[0]:
            return f"{row.status} after {void} by the void and {sweep} by the sweeper"
        if isinstance(void, Refused) or isinstance(sweep, Refused):
            return f"{void}, {sweep}"
        if void == "voided":
            return self.stands(case, row, 0)
        timed_out = earned if sweep == "settled" else 0
        return self.stands(case, row, timed_out)
