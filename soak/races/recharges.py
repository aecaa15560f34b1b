"""Auto-recharge, with Stripe's stand-in over HTTP: who comes first charges the card, the others wait for it."""

import uuid
from typing import Any

import stripe
from django.conf import settings

from accounts.models import BillingAccount
from billing.gateways import gateway
from billing.ledger.holds import PlaceRequest
from billing.models import AutoRecharge, Payment
from billing.services import auto_recharge, charges, customers, payment_methods, payments, recharge_rule
from catalog.pricing.units import Amount
from soak import making
from soak.making import CREDIT
from soak.races.race import Case, Guard, Race, race

GOOD, DECLINED = "pm_card_visa", "pm_card_chargeCustomerFail"


def _nobody_looks() -> None:
    """No lock, and no look at a payment that is under way."""
    Payment.IN_FLIGHT = ()  # type: ignore[assignment]
    recharge_rule.locked = lambda account_id: AutoRecharge.objects.filter(pk=account_id).first()


ONE_LIVE = Guard(
    "the account's lock, and one live recharge an account",
    sql=("DROP INDEX payment_one_live_recharge",),
    patch=_nobody_looks,
)


def low_account(card: str = GOOD) -> uuid.UUID:
    """An account with 10 credits, a threshold of 20, and a saved card that brings 250 for 25 USD."""
    account = BillingAccount.objects.get(pk=making.account(10))
    customer = customers.ensure(account)
    at_stripe = stripe.StripeClient(
        settings.STRIPE_SECRET_KEY, base_addresses={"api": settings.STRIPE_API_HOST}
    )
    saved = at_stripe.v1.payment_methods.attach(card, {"customer": customer})
    gateway().set_default_card(customer, saved.id)
    payment_methods.refresh(account.pk)
    auto_recharge.configure(
        account=account,
        enabled=True,
        threshold=20 * CREDIT,
        amount=Amount.parse("25", "USD"),
        monthly_cap=None,
    )
    return account.pk


class Recharged(Race):
    """A low account and whoever would recharge it."""

    at_stripe = True
    card = GOOD

    def case(self) -> Case:
        auto_recharge.POLL_SECONDS = (0.01,)  # type: ignore[misc, assignment]
        return {"account": low_account(self.card)}

    def recharge(self, case: Case) -> Any:
        """The worker, which was told of the low balance."""
        return auto_recharge.recharge_now(case["account"])

    def short(self, case: Case) -> Any:
        """A request that finds too little."""
        return auto_recharge.recharge_now(case["account"], 60 * CREDIT)

    def request(self, case: Case) -> Any:
        return self._request(case, 60)

    def _request(self, case: Case, credits: int) -> Any:
        wanted = PlaceRequest(
            account=case["account"], amount=credits * CREDIT, model="static", operation="generate",
            description="Work", ttl=600, settle_now=True, recharge=True,
        )  # fmt: skip
        return charges.place(wanted)["code"]

    def made(self, case: Case) -> list[tuple[str, int]]:
        rows = Payment.objects.filter(account_id=case["account"], purpose="auto_recharge")
        return sorted(rows.values_list("status", "cash_minor"))

    def judge(self, case: Case, answers: list[Any]) -> str:
        left, found = making.standing(case["account"]), self.made(case)
        if found != [("succeeded", 2500)] or left != (260, 0, 260) or not all(answers):
            return f"{found}, {left}, {answers}"
        return ""


@race
class RechargedByAll(Recharged):
    promise = "many short requests make one payment, and all of them get its credits"
    guard = ONE_LIVE
    acts = ("short",) * 6


@race
class RechargeOfRequestAndWorker(Recharged):
    promise = "a recharge inside a request and the worker's are one payment"
    guard = ONE_LIVE
    acts = ("short", "recharge", "short", "recharge")


@race
class RequestsThatRecharge(Recharged):
    """Six times 60 credits where 10 are there: two payments of 250 are needed, and are enough."""

    promise = "requests that spend each other's recharge get another one, and none too many"
    acts = ("request",) * 6

    def judge(self, case: Case, answers: list[Any]) -> str:
        left, found = making.standing(case["account"]), self.made(case)
        paid = 250 * len(found)
        spent = 60 * answers.count("settled")
        if set(answers) != {"settled"} or left[0] != 10 + paid - spent or len(found) != 2:
            return f"{answers}, {left}, {found}"
        return ""


@race
class ShortfallLargerThanARecharge(Recharged):
    promise = "a shortfall larger than the amount is one sized payment, never a loop"
    guard = ONE_LIVE
    acts = ("large",) * 4

    def large(self, case: Case) -> Any:
        return auto_recharge.recharge_now(case["account"], 600 * CREDIT)

    def judge(self, case: Case, answers: list[Any]) -> str:
        left, found = making.standing(case["account"])[0], self.made(case)
        return "" if found == [("succeeded", 7500)] and left == 760 and all(answers) else f"{found}, {left}"


@race
class DeclinedForAll(Recharged):
    promise = "a declined card is tried once a back-off, however many ask"
    guard = ONE_LIVE
    card = DECLINED
    acts = ("request",) * 6

    def judge(self, case: Case, answers: list[Any]) -> str:
        found = self.made(case)
        if found != [("failed", 2500)] or set(answers) != {"insufficient_credits"}:
            return f"{found}, {answers}"
        return ""


@race
class RechargeBesideTopup(Recharged):
    """A top-up that was paid on Stripe's page is heard of while the card is charged."""

    promise = "a recharge and a top-up beside it are credited once each"
    acts = ("short", "paid", "recharge", "paid")

    def case(self) -> Case:
        case = super().case()
        case["payment"] = making.payment(case["account"], credits=100)
        return case

    def paid(self, case: Case) -> Any:
        from soak.intents import paid_in_full

        return payments.record(case["payment"].pk, paid_in_full(case["payment"])).status == "succeeded"

    def judge(self, case: Case, answers: list[Any]) -> str:
        left, found = making.standing(case["account"])[0], self.made(case)
        recharged = found == [("succeeded", 2500)]
        if (found and not recharged) or left != 110 + 250 * recharged or not all(answers):
            return f"{found}, {left}, {answers}"
        return ""
