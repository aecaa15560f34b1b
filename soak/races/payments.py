"""One payment heard of by many, and money that goes back while credits are spent."""

from typing import Any

from billing import outbox
from billing.gateways.protocol import Outcome, ReversalState, Standing
from billing.ledger import grants
from billing.ledger.errors import NotEnough
from billing.models import OutboxMessage, Payment, Reversal, WebhookInbox
from billing.services import inbox, payments, reversals
from config.ids import new_id
from soak import making
from soak.crew import Me
from soak.making import CREDIT
from soak.races.guards import BUSINESS_KEY, ROW_LOCK, WITHDRAWAL, no_row_locks, unique
from soak.races.race import Case, Guard, Race, race

NO_STATES = Guard(
    "the payment's row lock and its allowed transitions",
    sql=(
        *BUSINESS_KEY.sql,
        "DO $$ DECLARE t record; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'billing_payment'::regclass"
        " AND NOT tgisinternal LOOP EXECUTE format('DROP TRIGGER %I ON billing_payment', t.tgname); END LOOP; END $$",
        "ALTER TABLE billing_payment DROP CONSTRAINT payment_credited_when_succeeded",
    ),
    patch=no_row_locks,
)


class Paid(Race):
    """A top-up of 250 credits that Stripe was asked for; several hear what became of it."""

    def case(self) -> Case:
        account = making.account()
        return {"account": account, "payment": making.payment(account)}

    def _record(self, case: Case, outcome: Outcome) -> str:
        payment = case["payment"]
        standing = Standing(
            outcome=outcome,
            amount_minor=payment.cash_minor,
            currency=payment.currency,
            customer_id=payment.stripe_customer_id,
            reference=payment.public_id,
            intent_id=f"pi_{payment.pk.hex}",
            charge_id=f"ch_{payment.pk.hex}",
        )
        return str(payments.record(payment.pk, standing).status)

    def succeeded(self, case: Case) -> Any:
        return self._record(case, Outcome.SUCCEEDED)

    def failed(self, case: Case) -> Any:
        return self._record(case, Outcome.FAILED)

    def processing(self, case: Case) -> Any:
        return self._record(case, Outcome.PROCESSING)

    def give_up(self, case: Case) -> Any:
        given_up = payments.give_up(
            case["payment"].pk, status=Payment.Status.CANCELED, code="not_submitted", message="never arrived"
        )
        return str(given_up.status)

    def judge(self, case: Case, answers: list[Any]) -> str:
        payment = Payment.objects.get(pk=case["payment"].pk)
        balance = making.standing(case["account"])[0]
        if payment.status != "succeeded" or balance != 250 or making.kinds(case["account"]) != {"topup": 1}:
            return f"{payment.status}, balance {balance}, {making.kinds(case['account'])}"
        return ""


@race
class PaymentHeardOfByAll(Paid):
    promise = "checkout event, intent event, return page and sweeper: one payment, one credit"
    guard = NO_STATES
    acts = ("succeeded",) * 4


@race
class PaymentOutOfOrder(Paid):
    promise = "news of a payment in any order never takes it back from paid"
    guard = NO_STATES
    acts = ("succeeded", "failed", "processing", "succeeded")


@race
class PaymentGivenUpWhilePaid(Paid):
    promise = "a payment given up while it was paid is credited all the same, once"
    acts = ("succeeded", "give_up", "succeeded")


@race
class RequestKeyTwice(Race):
    """One top-up dialog sent in two tabs; the attempt is made once."""

    promise = "one dialog makes one payment"
    guard = Guard("one payment a request key", sql=("ALTER TABLE billing_payment DROP CONSTRAINT IF EXISTS"
                  " payment_request_key_once", "DROP INDEX IF EXISTS payment_request_key_once"))  # fmt: skip
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account(stripe_customer_id=f"cus_{new_id().hex}")}

    def act(self, case: Case) -> Any:
        from accounts.models import BillingAccount
        from billing.services import topups
        from catalog.pricing.units import Amount

        account = BillingAccount.objects.get(pk=case["account"])
        cash = Amount.parse("25", "USD")
        return topups._intend(
            account, cash, Payment.Route.CHECKOUT, None, "dialog", "https://x.example/", ""
        ).pk

    def judge(self, case: Case, answers: list[Any]) -> str:
        made = Payment.objects.filter(account_id=case["account"]).count()
        return "" if (made, len(set(answers))) == (1, 1) else f"{made} payments, {len(set(answers))} answers"


class GoneBack(Race):
    """A paid top-up of 250 credits whose money goes back."""

    expected = (NotEnough.__name__,)

    def case(self) -> Case:
        case = Paid().case()
        Paid().succeeded(case)
        case["payment"] = Payment.objects.get(pk=case["payment"].pk)
        return case

    def state(self, case: Case, status: str, name: str = "re") -> ReversalState:
        payment = case["payment"]
        return ReversalState(
            id=f"{name}_{payment.pk.hex}",
            intent_id=None,
            charge_id=payment.stripe_charge_id,
            amount_minor=payment.cash_minor,
            currency=payment.currency,
            status=status,
            reason="",
        )

    def refund(self, case: Case) -> Any:
        taken = reversals.take_over(Reversal.Kind.REFUND, self.state(case, "succeeded"))
        return taken.withdrawn if taken else None

    def dispute(self, case: Case) -> Any:
        taken = reversals.take_over(Reversal.Kind.DISPUTE, self.state(case, "lost", "dp"))
        return taken.withdrawn if taken else None

    def refund_fails(self, case: Case) -> Any:
        taken = reversals.take_over(Reversal.Kind.REFUND, self.state(case, "failed"))
        return taken.withdrawn if taken else None

    def spend(self, case: Case) -> Any:
        return making.hold(case["account"], 150, settle_now=True)["code"]


@race
class RefundHeardOfTwice(GoneBack):
    promise = "a refund takes its credits back once"
    guard = Guard(
        "the payment's row lock, the unique business key and one row a refund",
        sql=(*BUSINESS_KEY.sql, unique("billing_reversal", "billing_reversal_stripe_id_key")),
        patch=no_row_locks,
    )
    acts = ("refund",) * 4

    def judge(self, case: Case, answers: list[Any]) -> str:
        standing = making.standing(case["account"])
        kinds = making.kinds(case["account"])
        return "" if standing[0] == 0 and kinds == {"topup": 1, "refund": 1} else f"{standing}, {kinds}"


@race
class RefundOfAPurchaseAgainstSpend(GoneBack):
    promise = "a refund takes what is unspent, and what it took cannot be spent"
    guard = ROW_LOCK
    acts = ("refund", "spend", "spend")

    def judge(self, case: Case, answers: list[Any]) -> str:
        spent = answers.count("settled")
        taken = 250 - 150 * spent
        if spent > 1 or answers[0] != taken * CREDIT or making.standing(case["account"]) != (0, 0, 0):
            return f"{spent} spent, {answers[0]} taken back, {making.standing(case['account'])}"
        return ""


@race
class DisputeAgainstSpend(GoneBack):
    promise = "a lost dispute takes all it paid for; what was spent is a recorded debt"
    guard = WITHDRAWAL
    acts = ("dispute", "spend", "dispute")

    def judge(self, case: Case, answers: list[Any]) -> str:
        spent = 150 * (answers[1] == "settled")
        balance = making.standing(case["account"])[0]
        kinds = making.kinds(case["account"])
        return (
            ""
            if balance == -spent and kinds.get("dispute") == 1
            else f"spent {spent}, balance {balance}, {kinds}"
        )


@race
class RefundFailsAfterAll(GoneBack):
    promise = "a refund that fails gives back exactly what it took"
    acts = ("refund", "refund_fails", "refund", "refund_fails")

    def judge(self, case: Case, answers: list[Any]) -> str:
        self.refund_fails(case)
        standing = making.standing(case["account"])
        return "" if standing == (250, 0, 250) else f"{standing}, {making.kinds(case['account'])}"


@race
class OutboxToldTwice(Race):
    """The same message put by two, relayed by two."""

    promise = "one message is put once, and two relays send it once"
    guard = Guard("SKIP LOCKED and the lease", patch=no_row_locks)
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"key": f"soak:{new_id().hex}"}

    def act(self, case: Case) -> Any:
        sent: list[str] = []
        outbox.handles("soak")(lambda payload: sent.append(payload["key"]))
        outbox.put(kind="soak", key=case["key"], payload={"key": case["key"]})
        outbox.relay(5)
        return sent.count(case["key"])

    def judge(self, case: Case, answers: list[Any]) -> str:
        rows = OutboxMessage.objects.filter(key=case["key"])
        if rows.count() != 1 or sum(answers) > 1 or rows.filter(attempts__gt=1).exists():
            return f"{rows.count()} rows, sent {sum(answers)} times"
        return ""


@race
class EventCarriedOutTwice(Race):
    """One event kept by several deliveries; webhook and sweepers carry it out."""

    promise = "a kept event is carried out by one"
    guard = Guard("SKIP LOCKED and the lease", patch=no_row_locks)
    acts = ("act",) * 4

    def case(self) -> Case:
        return {"account": making.account(), "event": f"evt_{new_id().hex}"}

    def act(self, case: Case) -> Any:
        def effect(thing: dict[str, Any]) -> None:
            making.give(case["account"], 1)

        inbox.EFFECTS["soak"] = effect
        inbox.receive({"id": case["event"], "type": "soak", "data": {"object": {"id": "x"}}})
        return inbox.finish(case["event"])

    def judge(self, case: Case, answers: list[Any]) -> str:
        balance = making.standing(case["account"])[0]
        done = WebhookInbox.objects.filter(pk=case["event"], done_at__isnull=False).count()
        return "" if (balance, done) == (1, 1) else f"carried out {balance} times, seen by {Me.number}"


@race
class TopupAgainstExpiry(Race):
    """A paid top-up with a new clock while older credits are spent and swept."""

    promise = "a top-up that resets the clock keeps every credit"
    acts = ("pay", "spend", "sweep")

    def case(self) -> Case:
        from django.utils.timezone import now

        account = making.account(unit="EUR", profile="images")
        making.give(account, 10, expires_at=now().replace(year=now().year + 1))
        payment = making.payment(account, credits=25, currency="EUR", unit="EUR", cash_minor=2500)
        return {"account": account, "payment": payment}

    def pay(self, case: Case) -> Any:
        return Paid().succeeded(case)

    def spend(self, case: Case) -> Any:
        return making.hold(case["account"], 4, settle_now=True)["code"]

    def sweep(self, case: Case) -> Any:
        return grants.expire(case["account"])

    def judge(self, case: Case, answers: list[Any]) -> str:
        from billing.ledger.models import Grant

        ends = set(Grant.objects.filter(account_id=case["account"]).values_list("expires_at", flat=True))
        standing = making.standing(case["account"])
        return "" if standing == (31, 0, 31) and len(ends) == 1 else f"{standing}, {len(ends)} clocks"
