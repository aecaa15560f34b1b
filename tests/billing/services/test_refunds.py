"""Profile ``images``: within 14 days the unused part of a purchase goes back in full; used and given credits never."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from accounts.models import BillingAccount, User
from billing.errors import InvalidRequest, InvalidState
from billing.ledger import balances, grants, holds
from billing.ledger.models import Transaction
from billing.models import Payment, RefundRequest, Reversal
from billing.services import reconciliation, refunds, reversals, topups
from billing.services.accounts import open_account
from catalog import snapshot
from catalog.models import Profile
from catalog.pricing.units import Amount
from tests.billing.paying import CANCEL, RETURN
from tests.billing.views.conftest import SignIn, sign_in
from tests.billing.views.test_pricing import words
from tests.stripe_simulator.fixtures import Simulator

__all__ = ["sign_in"]
EUR = 1_000_000
DAY = timedelta(days=1)


@pytest.fixture
def account(images: None) -> BillingAccount:
    """With its trial grant of 0.50 EUR."""
    return open_account(name="Lumen", email="pay@lumen.example", profile="images")


@pytest.fixture
def bought(account: BillingAccount, payments_at: Simulator) -> Payment:
    """20 EUR and 19 % tax."""
    payment = topups.start(
        account=account, cash=Amount.parse("20", "EUR"), return_url=RETURN, cancel_url=CANCEL
    )
    payments_at.pay(payment.checkout_url, country="DE", postal_code="10115")
    done = topups.complete(payment.pk)
    assert (done.cash_minor, done.tax_minor) == (2000, 380)
    return done


def use(account: BillingAccount, micros: int, **options: Any) -> None:
    request = holds.PlaceRequest(
        account=account.pk, amount=micros, model="seedream-4-5", operation="generate", description="Work", ttl=600,
        settle_now=options.get("settle_now", True),
    )  # fmt: skip
    assert holds.place([request])[0]["code"] in ("settled", "authorized")


def approval(name: str) -> None:
    settings = Profile.objects.get(pk="images").settings
    Profile.objects.filter(pk="images").update(
        settings={**settings, "refunds": {"window_days": 14, "approval": name}}
    )
    snapshot.refresh()


def paid_back(simulator: Simulator) -> list[int]:
    return [refund.amount for refund in simulator.client().v1.refunds.list().data]


def test_staff_refund_an_unused_purchase_whole_with_its_tax(
    account: BillingAccount, bought: Payment, payments_at: Simulator
) -> None:
    asked = refunds.ask(bought.pk, by=None, because="Too much")
    assert (asked.status, asked.cash_minor, balances.of(account.pk).balance) == ("asked", 2380, 20_500_000)
    done = refunds.carry_out(asked.pk, by=None, reason="Fine")
    assert (done.status, done.cash_minor, done.withdrawn) == ("done", 2380, 20 * EUR)
    assert balances.of(account.pk).balance == 500_000
    assert paid_back(payments_at) == [2380]
    [told] = Reversal.objects.all()
    assert (told.stripe_id, told.withdrawn, told.transaction_id) == (
        done.stripe_id,
        20 * EUR,
        done.transaction_id,
    )


@pytest.mark.parametrize(
    ("used", "cash", "micros"),
    # The trial lapses first, so it is used first: what is beyond 0.50 EUR comes from the purchase.
    [(500_000, 2380, 20 * EUR), (5_500_000, 1785, 15 * EUR), (20_490_000, 1, 8_403), (20_500_000, 0, 0)],
)
def test_only_what_is_unused_goes_back(
    account: BillingAccount, bought: Payment, used: int, cash: int, micros: int
) -> None:
    use(account, used)
    found = refunds.refundable(bought)
    assert found is not None
    assert (found.cash_minor, found.micros) == (cash, micros)


def test_what_open_work_holds_is_not_refunded(account: BillingAccount, bought: Payment) -> None:
    use(account, 12_500_000, settle_now=False)
    found = refunds.refundable(bought)
    assert found is not None
    assert found.micros == 8 * EUR


def test_given_credits_are_not_refunded(account: BillingAccount, bought: Payment) -> None:
    grants.add(
        account_id=account.pk, micros=7 * EUR, source="admin", kind="adjustment", description="x", key="x"
    )
    found = refunds.refundable(bought)
    assert found is not None
    assert found.cash_minor == 2380


def test_after_fourteen_days_nothing_is_asked_for_any_more(account: BillingAccount, bought: Payment) -> None:
    assert bought.finished_at is not None
    end = bought.finished_at + 14 * DAY
    found = refunds.refundable(bought)
    assert found is not None
    assert (found.until, found.may_ask) == (end, True)
    Payment.objects.filter(pk=bought.pk).update(finished_at=bought.finished_at - 14 * DAY)
    with pytest.raises(InvalidState):
        refunds.ask(bought.pk, by=None)


def test_what_was_asked_in_time_may_be_carried_out_later(account: BillingAccount, bought: Payment) -> None:
    assert bought.finished_at is not None
    asked = refunds.ask(bought.pk, by=None)
    Payment.objects.filter(pk=bought.pk).update(finished_at=bought.finished_at - 15 * DAY)
    use(account, 10_500_000)
    assert refunds.carry_out(asked.pk, by=None).cash_minor == 1190


@pytest.mark.parametrize("who", ["customer", "automatic"])
def test_without_staff_it_is_carried_out_at_once(
    account: BillingAccount, bought: Payment, payments_at: Simulator, who: str
) -> None:
    approval(who)
    assert refunds.ask(bought.pk, by=None).status == "done"
    assert paid_back(payments_at) == [2380]


def test_asking_and_carrying_out_twice_is_once(
    account: BillingAccount, bought: Payment, payments_at: Simulator
) -> None:
    first, second = refunds.ask(bought.pk, by=None), refunds.ask(bought.pk, by=None)
    assert first == second
    for _ in range(3):
        refunds.carry_out(first.pk, by=None)
    reversals.record_refunds_of(bought.stripe_charge_id or "")
    assert paid_back(payments_at) == [2380]
    assert Transaction.objects.filter(kind="refund").count() == 1
    assert balances.of(account.pk).balance == 500_000
    with pytest.raises(InvalidState):
        refunds.ask(bought.pk, by=None)


def test_an_answer_that_is_lost_is_found_again(
    account: BillingAccount, bought: Payment, payments_at: Simulator
) -> None:
    asked = refunds.ask(bought.pk, by=None)
    payments_at.faults("drop", "/v1/refunds", method="POST")
    sent = refunds.carry_out(asked.pk, by=None)
    assert (sent.status, balances.of(account.pk).balance) == ("sent", 500_000)
    with pytest.raises(AssertionError):
        use(account, 600_000)
    RefundRequest.objects.update(decided_at=datetime.now(UTC) - timedelta(minutes=2))
    assert refunds.finish_sent() == 1
    asked.refresh_from_db()
    assert (asked.status, paid_back(payments_at)) == ("done", [2380])


def test_where_stripe_refuses_the_credits_come_back(
    account: BillingAccount, bought: Payment, payments_at: Simulator
) -> None:
    asked = refunds.ask(bought.pk, by=None)
    Payment.objects.filter(pk=bought.pk).update(stripe_intent_id="pi_none")
    with pytest.raises(InvalidState, match="Stripe refuses"):
        refunds.carry_out(asked.pk, by=None)
    asked.refresh_from_db()
    assert (asked.status, balances.of(account.pk).balance) == ("failed", 20_500_000)
    Payment.objects.filter(pk=bought.pk).update(stripe_intent_id=bought.stripe_intent_id)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("refunds_sent", {"status": "sent", "decided_at": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("refund_requests_match", {"withdrawn": 19 * EUR}),
        ("refund_requests_match", {"transaction_id": "019de0d5-c800-7477-93db-d2071b9d0f93"}),
    ],
    ids=["waits", "took another amount", "took nothing"],
)
def test_the_books_name_a_request_that_is_not_as_posted(
    account: BillingAccount, bought: Payment, name: str, changed: dict[str, Any]
) -> None:
    done = refunds.carry_out(refunds.ask(bought.pk, by=None).pk, by=None)
    RefundRequest.objects.update(**changed)
    assert name in {finding.name for finding in reconciliation.run() if finding.breaches}
    done.save()


def test_a_declined_request_says_why_and_moves_nothing(account: BillingAccount, bought: Payment) -> None:
    asked = refunds.ask(bought.pk, by=None)
    with pytest.raises(InvalidRequest):
        refunds.decline(asked.pk, by=None, reason=" ")
    assert refunds.decline(asked.pk, by=None, reason="Agreed otherwise").status == "declined"
    with pytest.raises(InvalidState):
        refunds.carry_out(asked.pk, by=None)
    assert balances.of(account.pk).balance == 20_500_000


def page_of(bought: Payment) -> str:
    assert bought.transaction_id is not None
    row = Transaction.objects.get(pk=bought.transaction_id)
    return f"/transactions/{row.public_id}"


def test_the_customer_reads_what_and_until_when_and_asks(
    account: BillingAccount, bought: Payment, sign_in: SignIn
) -> None:
    owner = sign_in(account, "owner")
    use(account, 5_500_000)
    said = words(owner.get(page_of(bought)).content.decode())
    assert "Refundable€17.85 for €15.00 unused" in said
    assert "Ask for €17.85 back" in said
    assert owner.post(f"{page_of(bought)}/refund", {"because": "Bought too much"}).status_code == 302
    [asked] = RefundRequest.objects.all()
    assert (asked.cash_minor, asked.asked_because, asked.status) == (1785, "Bought too much", "asked")
    assert "Asked for€17.85 · asked on" in words(owner.get(page_of(bought)).content.decode())


@pytest.mark.parametrize("role", ["developer", "viewer"])
def test_who_may_not_pay_may_not_ask(
    account: BillingAccount, bought: Payment, sign_in: SignIn, role: str
) -> None:
    member = sign_in(account, role)
    assert "Ask for" not in words(member.get(page_of(bought)).content.decode())
    assert member.post(f"{page_of(bought)}/refund").status_code == 403
    assert not RefundRequest.objects.exists()


def test_nobody_asks_for_another_account(
    account: BillingAccount, bought: Payment, ads: None, sign_in: SignIn
) -> None:
    stranger = open_account(name="Larkspur", email="l@example.com", profile="ads")
    assert sign_in(stranger, "owner").post(f"{page_of(bought)}/refund").status_code == 404


def test_staff_carry_it_out_in_the_admin(
    account: BillingAccount, bought: Payment, client: Any, payments_at: Simulator
) -> None:
    staff = User.objects.create_superuser("staff@example.com", "x")
    client.force_login(staff)
    asked = refunds.ask(bought.pk, by=None)
    page = reverse("admin:billing_refundrequest_carry_out", args=[asked.pk])
    own = reverse("admin:billing_refundrequest_change", args=[asked.pk])
    assert page in client.get(own).content.decode()
    assert "23.8 EUR go back" in client.get(page).content.decode()
    reply = client.post(page, {"reason": "Fine", "nonce": "019de0d5-c800-7477-93db-d2071b9d0f93"})
    assert reply.status_code == 302
    asked.refresh_from_db()
    assert (asked.status, asked.decided_by, paid_back(payments_at)) == ("done", staff, [2380])
    listed = client.get(reverse("admin:billing_refundrequest_changelist")).content.decode()
    assert "23.8 EUR" in listed
    assert page not in client.get(own).content.decode(), "what is refunded has no buttons"


def test_staff_refund_a_payment_that_nobody_asked_about(
    account: BillingAccount, bought: Payment, client: Any, payments_at: Simulator
) -> None:
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    page = reverse("admin:billing_payment_refund_unused", args=[bought.pk])
    assert "23.8 EUR go back to the card" in client.get(page).content.decode()
    reply = client.post(page, {"reason": "Called us", "nonce": "019de0d5-c800-7477-93db-d2071b9d0f93"})
    assert reply.status_code == 302
    assert paid_back(payments_at) == [2380]
